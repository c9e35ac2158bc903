"""The whole demo, real processes: it comes up, comes up again soon, and outlives the loss of its parts."""

import http.client
import os
import time
from contextlib import closing

import pytest

from supervisor.demo import demo_environment
from supervisor.ports import free_port
from supervisor.settings import DemoOptions
from tests.conftest import SMALL_STORE
from tests.flows.story import AURORA, export

pytestmark = [pytest.mark.long, pytest.mark.alone]


def status(port, path):
    with closing(http.client.HTTPConnection("localhost", port, timeout=10)) as connection:
        connection.request("GET", path)
        return connection.getresponse().status


def answers_in_time(port, path, wanted, seconds=20.0):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if status(port, path) == wanted:
            return True
        time.sleep(0.2)
    return False


def test_a_second_start_finds_the_same_store(make_directory):
    options = DemoOptions(
        data=make_directory(),
        app_port=free_port(),
        devstore_port=free_port(),
        devstore_arguments=SMALL_STORE,
        environ={"PATH": os.environ["PATH"]},
    )
    with demo_environment(options) as demo:
        first = export(demo, AURORA)

    with demo_environment(options) as demo:
        second = export(demo, AURORA)

    assert second == first


def test_the_app_and_devstore_answer(stack):
    assert status(stack.options.app_port, "/healthz") == 200
    assert status(stack.options.devstore_port, "/") == 200


def test_the_app_is_there_again_after_its_web_process_was_killed(stack):
    stack.kill("web")

    stack.restart("web")

    assert status(stack.options.app_port, "/healthz") == 200


def test_a_killed_worker_starts_again(stack):
    stack.kill("worker")

    stack.restart("worker")

    time.sleep(3)
    assert stack.processes["worker"].exit_code is None


def test_the_app_outlives_a_stop_of_redis(stack):
    stack.stop_redis()

    assert status(stack.options.app_port, "/healthz") == 200

    stack.start_redis()
    assert answers_in_time(stack.options.app_port, "/readyz", 200)
