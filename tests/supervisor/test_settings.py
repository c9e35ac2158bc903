"""The demo's settings, secrets and environment."""

import os

import pytest

from config import Config
from supervisor import settings
from supervisor.errors import CannotStart
from supervisor.keys import kept_keys
from supervisor.settings import DemoOptions, app_environment, default_data, devstore_command, options_from

URLS = {"DATABASE_URL": "postgresql://a:b@127.0.0.1/c", "DATABASE_OWNER_URL": "postgresql://d:e@127.0.0.1/c"}
REDIS = "redis://127.0.0.1/0"


def test_secrets_are_made_once_and_kept_private(tmp_path):
    first = kept_keys(tmp_path)

    assert kept_keys(tmp_path) == first
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0


def test_two_demos_share_no_secret(tmp_path):
    (tmp_path / "other").mkdir()

    assert not set(kept_keys(tmp_path).values()) & set(kept_keys(tmp_path / "other").values())


@pytest.mark.parametrize("damage", ["", "[]", '{"SECRET_KEY": "alone"}'], ids=["empty", "another-form", "incomplete"])
def test_damaged_secrets_are_named(tmp_path, damage):
    (tmp_path / "keys.json").write_text(damage)

    with pytest.raises(CannotStart, match=r"keys\.json is damaged: restore it, or remove"):
        kept_keys(tmp_path)


def test_the_environment_is_all_the_app_needs(tmp_path):
    environ = app_environment(DemoOptions(data=tmp_path), database=URLS, redis_url=REDIS)

    config = Config.from_env(environ)

    assert config.app_url == "http://127.0.0.1:8000"
    assert config.shop_origin("a.myshopify.com") == "http://localhost:9292/stores/a.myshopify.com"


def test_the_app_and_devstore_are_different_sites(tmp_path):
    options = DemoOptions(data=tmp_path)

    assert options.app_url.startswith("http://127.0.0.1:")
    assert options.devstore_url.startswith("http://localhost:")


def test_a_stray_setting_of_the_shell_does_not_reach_the_app(tmp_path):
    options = DemoOptions(data=tmp_path, environ={"SECRET_KEY": "stray", "FLASK_DEBUG": "1", "HOME": "/home/dev"})

    environ = app_environment(options, database=URLS, redis_url=REDIS)

    assert environ["SECRET_KEY"] != "stray"
    assert "FLASK_DEBUG" not in environ
    assert environ["HOME"] == "/home/dev"


def test_the_secret_is_on_no_command_line(tmp_path):
    options = DemoOptions(data=tmp_path)

    assert kept_keys(tmp_path)["SHOPIFY_API_SECRET"] not in devstore_command(options)


def test_devstore_knows_the_scopes_the_app_asks_for(tmp_path):
    command = devstore_command(DemoOptions(data=tmp_path))
    config = Config.from_env(app_environment(DemoOptions(data=tmp_path), database=URLS, redis_url=REDIS))

    assert set(command[command.index("--scopes") + 1].split(",")) == set(config.shopify_scopes)


def test_ports_and_directory_come_from_the_environment(tmp_path):
    options = options_from({"STORELENS_DATA": str(tmp_path), "DEMO_PORT": "8100", "DEVSTORE_PORT": "9300"})

    assert (options.data, options.app_port, options.devstore_port) == (tmp_path, 8100, 9300)


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1"])
def test_a_malformed_port_is_named(text):
    with pytest.raises(CannotStart, match=rf"^DEMO_PORT is {text}, which is not a port number"):
        options_from({"DEMO_PORT": text, "STORELENS_DATA": "/unused"})


def test_data_stays_in_a_repository_that_can_be_reached(make_directory):
    repository = make_directory()

    assert default_data(repository) == repository / ".data"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
def test_data_leaves_a_repository_that_cannot_be_reached(make_directory, monkeypatch):
    repository = make_directory()
    repository.chmod(0o700)
    elsewhere = make_directory()
    monkeypatch.setattr(settings, "SHARED", elsewhere)

    assert default_data(repository / "inside") == elsewhere / "storelens-0"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a directory somebody else's")
def test_a_directory_of_somebody_elses_is_not_taken(make_directory, monkeypatch, unprivileged):
    elsewhere = make_directory()
    (elsewhere / "storelens-0").mkdir()
    os.chown(elsewhere / "storelens-0", unprivileged.pw_uid, -1)
    monkeypatch.setattr(settings, "SHARED", elsewhere)
    monkeypatch.setattr(settings, "can", lambda *_: False)

    with pytest.raises(CannotStart, match=r"belongs to nobody: set STORELENS_DATA to a directory of your own\.$"):
        default_data(elsewhere)
