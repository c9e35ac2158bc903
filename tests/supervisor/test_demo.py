"""The demo's supervision, tried on stand-ins for the app's processes; tests/browser runs the real ones."""

import io
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from supervisor import demo as demo_module
from supervisor.console import Console
from supervisor.demo import Demo, Revival, demo_environment, reset
from supervisor.errors import CannotStart
from supervisor.ports import LOOPBACK, free_port
from supervisor.settings import DemoOptions

ROOT = Path(__file__).resolve().parent.parent.parent
SERVER = """
import http.server, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
print("serving", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
LINES = {
    "release": "true",
    "web": f"{sys.executable} serve.py $PORT",
    "worker": "sleep 60",
    "clock": "sleep 60",
}


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """Writes a Procfile of stand-ins, with the lines given in place of its own."""
    monkeypatch.setattr(demo_module, "REPOSITORY", tmp_path)
    (tmp_path / "serve.py").write_text(SERVER)
    monkeypatch.setattr(
        demo_module, "devstore_command", lambda options: [sys.executable, "serve.py", str(options.devstore_port)]
    )

    def write(**lines):
        text = "".join(f"{name}: {command}\n" for name, command in {**LINES, **lines}.items())
        (tmp_path / "Procfile").write_text(text)

    write()
    return write


@pytest.fixture
def options(tmp_path):
    urls = {"DATABASE_URL": "postgresql://unused@127.0.0.1/unused", "REDIS_URL": "redis://127.0.0.1:1/0"}
    return DemoOptions(data=tmp_path / "data", app_port=free_port(), devstore_port=free_port(), environ=urls)


def watched_until(demo, fact, seconds=10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if fact():
            return True
        demo.watch()
        time.sleep(0.05)
    return False


def test_it_is_ready_when_the_app_and_devstore_answer(repository, options):
    with demo_environment(options) as demo:
        codes = {name: process.exit_code for name, process in demo.processes.items()}

    assert codes == dict.fromkeys(["devstore", "web", "worker", "clock"])


def test_no_server_is_started_where_the_environment_names_one(repository, options):
    with demo_environment(options) as demo:
        assert demo.postgres is None
        assert demo.redis is None
        assert demo.environ["DATABASE_URL"] == "postgresql://unused@127.0.0.1/unused"


def test_a_redis_that_is_not_its_own_is_not_stopped(repository, options):
    with demo_environment(options) as demo, pytest.raises(CannotStart, match=r"not its own to stop\.$"):
        demo.stop_redis()


def test_a_postgresql_that_is_not_its_own_is_not_killed(repository, options):
    with demo_environment(options) as demo, pytest.raises(CannotStart, match=r"not its own to stop\.$"):
        demo.kill_postgres()


def test_the_embedded_servers_give_the_app_a_login_that_owns_nothing(repository, options, make_directory):
    own = DemoOptions(
        data=make_directory(), app_port=options.app_port, devstore_port=options.devstore_port, durable=False
    )

    with demo_environment(own) as demo:
        assert "//storelens_login:" in demo.environ["DATABASE_URL"]
        assert "//storelens_owner:" in demo.environ["DATABASE_OWNER_URL"]
        demo.stop_redis()
        demo.start_redis()
        demo.kill_redis()
        demo.start_redis()
        demo.kill_postgres()
        demo.start_postgres()
        assert not demo.kill_postgres_backend()  # the stand-ins open no connection


def test_nothing_is_left_running_afterwards(repository, options):
    with demo_environment(options) as demo:
        pids = [process.pid for process in demo.processes.values()]

    assert not any(psutil.pid_exists(pid) for pid in pids)


def test_a_failed_release_stops_the_start(repository, options):
    repository(release='sh -c "echo no such table; exit 1"')

    with pytest.raises(CannotStart, match=r"^release ended with exit code 1: no such table \(see "):
        Demo(options).start()


def test_a_process_that_ends_at_once_stops_the_start(repository, options):
    repository(web='sh -c "echo SECRET_KEY is not set; exit 1"')
    demo = Demo(options)

    with pytest.raises(CannotStart, match=r"^web ended with exit code 1: SECRET_KEY is not set \(see "):
        demo.start()

    assert not any(process.pid and psutil.pid_exists(process.pid) for process in demo.processes.values())


def test_an_app_that_never_answers_stops_the_start(repository, options, monkeypatch):
    repository(web="sleep 60")
    monkeypatch.setattr(demo_module, "READY_SECONDS", 0.5)

    with pytest.raises(CannotStart, match=r"^web did not answer within 0 seconds|^web and devstore did not"):
        Demo(options).start()


def test_the_death_of_the_web_ends_the_demo(repository, options):
    with demo_environment(options) as demo:
        demo.kill("web")

        with pytest.raises(CannotStart, match=r"^web ended with exit code -9: "):
            demo.watch()


def test_a_dead_worker_is_reported_and_started_again(repository, options):
    words = io.StringIO()
    with demo_environment(options, Console(words)) as demo:
        demo.kill("worker")

        assert watched_until(demo, lambda: demo.processes["worker"].exit_code is None)

    assert "worker ended with exit code -9: it said nothing" in words.getvalue()


def test_a_process_can_be_killed_and_restarted(repository, options):
    with demo_environment(options) as demo:
        demo.kill("web")

        demo.restart("web")

        assert demo.processes["web"].exit_code is None


def test_pauses_double_up_to_a_limit_and_shrink_after_a_calm_life():
    revival = Revival()

    pauses = [revival.plan(lived=1) for _ in range(8)]

    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert revival.plan(lived=61) == 0.5


def test_each_line_says_who_said_it(repository, options):
    words = io.StringIO()

    with demo_environment(options, Console(words)) as demo:
        watched_until(demo, lambda: words.getvalue().count("serving") == 2)

    assert "web      | serving\n" in words.getvalue()
    assert "devstore | serving\n" in words.getvalue()


def test_colour_is_for_terminals_only(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, file = io.StringIO(), io.StringIO()
    terminal.isatty = lambda: True

    Console(terminal).line("web", "hello")
    Console(file).line("web", "hello")

    assert terminal.getvalue() == "\x1b[36mweb      |\x1b[0m hello\n"
    assert file.getvalue() == "web      | hello\n"


@pytest.mark.parametrize("name", ["app_port", "devstore_port"])
def test_a_busy_port_is_named(repository, options, name):
    with socket.socket() as other:
        other.bind((LOOPBACK, getattr(options, name)))
        other.listen()

        with pytest.raises(CannotStart, match=rf"^Port {getattr(options, name)}, wanted for .*_PORT\), is in use"):
            Demo(options).start()


def test_a_second_demo_on_the_same_data_is_refused(repository, options):
    with demo_environment(options), pytest.raises(CannotStart, match=r"^Another supervisor is running on"):
        Demo(options).start()


def test_reset_removes_a_demos_data(repository, options):
    with demo_environment(options):
        pass

    reset(options, Console(io.StringIO()))

    assert not options.data.exists()


def test_reset_of_nothing_says_so(options):
    words = io.StringIO()

    reset(options, Console(words))

    assert words.getvalue() == f"There is nothing in {options.data}.\n"


def test_reset_spares_a_directory_that_is_not_a_demos(options):
    options.data.mkdir()
    (options.data / "letters").touch()

    with pytest.raises(CannotStart, match=r"does not look like the demo's data; nothing is removed\.$"):
        reset(options, Console(io.StringIO()))

    assert (options.data / "letters").exists()


def test_reset_spares_a_running_demo(repository, options):
    with demo_environment(options), pytest.raises(CannotStart, match=r"^Another supervisor is running on"):
        reset(options, Console(io.StringIO()))

    assert (options.data / "keys.json").exists()


RUN = """
import sys
from pathlib import Path
from supervisor import demo
from supervisor.console import Console
from supervisor.settings import DemoOptions
data, app_port, devstore_port = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
demo.REPOSITORY = data.parent
demo.devstore_command = lambda options: [sys.executable, "serve.py", str(options.devstore_port)]
urls = {"DATABASE_URL": "postgresql://unused@127.0.0.1/unused", "REDIS_URL": "redis://127.0.0.1:1/0"}
demo.run(DemoOptions(data=data, app_port=app_port, devstore_port=devstore_port, environ=urls), Console())
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_command_prints_where_to_start_and_ends_well(repository, options, end):
    ports = (str(options.app_port), str(options.devstore_port))
    command = [sys.executable, "-c", RUN, str(options.data), *ports]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C stops everything" in line:
                break
        process.send_signal(end)
        said += process.stdout.read()

    assert "Storelens demo is ready" in said
    assert f"{options.devstore_url}/" in said
    assert said.endswith("The demo has stopped; its data is kept.\n")
    assert process.returncode == 0
