"""Child processes: their ends, their descendants, their words."""

import os
import shlex
import sys
import time

import psutil
import pytest

from supervisor.errors import CannotStart
from supervisor.processes import Process, procfile

COUNTS_REQUESTS_TO_END = """
import signal, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
print("ready", flush=True)
while not asked: time.sleep(0.02)
time.sleep(0.3)
print(f"asked {len(asked)} time(s)", flush=True)
"""


@pytest.fixture
def make(tmp_path):
    made = []

    def make(command):
        made.append(Process("thing", command, environ=os.environ, cwd=tmp_path, log=tmp_path / "thing.log"))
        return made[-1]

    yield make
    for process in made:
        process.kill()


def eventually(fact, seconds=10.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if fact():
            return True
        time.sleep(0.02)
    return False


def test_a_procfile_is_read_by_name(tmp_path):
    (tmp_path / "Procfile").write_text("# comment\n\nweb: serve --port $PORT\nworker: work\n")

    assert procfile(tmp_path / "Procfile") == {"web": "serve --port $PORT", "worker": "work"}


def test_a_procfile_line_without_a_name_is_shown(tmp_path):
    (tmp_path / "Procfile").write_text("serve\n")

    with pytest.raises(CannotStart, match=r"has a line that is not `name: command`: serve$"):
        procfile(tmp_path / "Procfile")


def test_the_repository_has_the_four_processes():
    from supervisor.settings import REPOSITORY  # noqa: PLC0415 the only test that looks at the repository

    assert list(procfile(REPOSITORY / "Procfile")) == ["release", "web", "worker", "clock"]


def test_new_lines_are_told_once_and_whole(make):
    process = make("printf 'one\\ntwo\\nthr'")
    process.run()

    assert process.new_lines() == ["one", "two"]
    assert process.new_lines() == []


def test_a_failed_run_ends_in_a_sentence_with_its_last_words(make):
    process = make('sh -c "echo first; echo the reason >&2; exit 3"')

    with pytest.raises(CannotStart, match=r"^thing ended with exit code 3: the reason \(see .*thing\.log\)$"):
        process.run()


def test_a_silent_end_is_told_too(make):
    process = make("false")

    with pytest.raises(CannotStart, match=r"exit code 1: it said nothing"):
        process.run()


def test_the_log_is_private(make):
    assert make("true").log.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_its_end_is_the_end_of_its_descendants(make, end):
    process = make('sh -c "sleep 60 & sleep 60 & wait"')
    process.start()
    eventually(lambda: len(psutil.Process(process.pid).children()) == 2)
    descendants = psutil.Process(process.pid).children()

    getattr(process, end)()

    assert process.exit_code is not None
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in descendants)


def test_it_is_asked_to_end_once(make):
    script = shlex.join([sys.executable, "-c", COUNTS_REQUESTS_TO_END])
    process = make(script)
    process.start()
    assert eventually(lambda: process.new_lines() == ["ready"])

    process.terminate()
    process.stop()

    assert process.new_lines() == ["asked 1 time(s)"]


def test_it_can_be_started_again(make):
    process = make("sleep 60")
    process.start()
    first = process.pid
    process.stop()

    process.start()

    assert process.exit_code is None
    assert process.pid != first
