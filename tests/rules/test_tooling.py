"""The tools are set up as the README says, and every exception to a rule has its reason beside it."""

import os
import re
import socket
import tomllib
from pathlib import Path

import pytest
import pytest_socket
from alembic.script import ScriptDirectory
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent.parent
PYPROJECT = (ROOT / "pyproject.toml").read_text()
SETTINGS = tomllib.loads(PYPROJECT)
GROUPS = SETTINGS["dependency-groups"]
REQUIREMENT_FILES = ("requirements.txt", "requirements-dev.txt")
# A quoted item on a line of its own, such as `"flask>=3.1,<4",`.
ITEM = re.compile(r'^    (?:"[^"]+"|\'[^\']+\'),(?P<comment>.*)$', re.MULTILINE)


def items(start, end):
    """The list items of pyproject.toml between two markers, as (line, what follows the comma)."""
    part = PYPROJECT[PYPROJECT.index(start) : PYPROJECT.index(end, PYPROJECT.index(start))]
    return [(found[0].strip(), found["comment"].strip()) for found in ITEM.finditer(part)]


def pinned(name):
    """Package name → version, from a compiled requirements file."""
    text = (ROOT / name).read_text()
    return dict(re.findall(r"^([a-z0-9.-]+)(?:\[[a-z,]+\])?==(\S+)", text, re.MULTILINE))


def wanted(*groups):
    grouped = [item for group in groups for item in GROUPS[group] if isinstance(item, str)]
    return [Requirement(text) for text in [*SETTINGS["project"]["dependencies"], *grouped]]


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("dependencies = [", "\n[tool."),
        ("[tool.ruff.lint]", "[tool.ruff.lint.pydocstyle]"),
        ("[[tool.mypy.overrides]]", "ignore_missing_imports"),
    ],
    ids=["dependencies", "ruff", "mypy"],
)
def test_every_entry_says_why(start, end):
    unexplained = [line for line, comment in items(start, end) if not comment.startswith("# ")]

    assert items(start, end)
    assert unexplained == []


def test_every_warning_let_through_says_why():
    lines = SETTINGS["tool"]["pytest"]["filterwarnings"]
    excused = [line for line, _ in items("filterwarnings = [", "\n]\n") if not line.startswith("'error'")]

    assert lines[0] == "error"
    assert [line for line in excused if "# " not in line] == []


@pytest.mark.parametrize("name", REQUIREMENT_FILES)
def test_every_pinned_package_is_hashed(name):
    blocks = re.split(r"^(?=[a-z0-9].*==)", (ROOT / name).read_text(), flags=re.MULTILINE)[1:]

    assert blocks
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("name", REQUIREMENT_FILES)
def test_requirements_name_no_place_to_fetch_from(name):
    places = re.findall(r".*(?:https?:|index-url|find-links|file:|--trusted|\s/).*", (ROOT / name).read_text())

    assert places == []


@pytest.mark.parametrize(
    ("name", "groups"),
    [("requirements.txt", ()), ("requirements-dev.txt", ("embedded", "devstore", "dev"))],
    ids=REQUIREMENT_FILES,
)
def test_requirements_are_compiled_from_what_the_project_declares(name, groups):
    versions = pinned(name)

    unmet = [str(item) for item in wanted(*groups) if not item.specifier.contains(versions.get(item.name.lower(), "0"))]

    assert unmet == []


def test_both_requirement_files_pin_the_same_versions():
    runtime, everything = (pinned(name) for name in REQUIREMENT_FILES)

    assert runtime.items() <= everything.items()


def test_the_makefile_has_the_promised_targets_and_few_more():
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert {"demo", "test", "test-long", "check", "bench", "fix"} <= set(targets)
    assert len(targets) <= 12


def test_ci_runs_every_kind_of_check():
    script = (ROOT / ".ci" / "run").read_text()

    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert [
        command for command in ("make check", "make test", "make test-long") if f"\n{command}\n" not in script
    ] == []


def test_migrations_have_one_head():
    assert len(ScriptDirectory(str(ROOT / "migrations")).get_heads()) == 1


@pytest.mark.filterwarnings("ignore:A test tried to use socket:UserWarning")  # it warns, then refuses
def test_no_test_speaks_beyond_loopback():
    with socket.socket() as stranger, pytest.raises(pytest_socket.SocketConnectBlockedError):
        stranger.connect(("192.0.2.1", 80))  # RFC 5737: nobody's address


def test_long_tests_are_left_out_unless_asked_for():
    options = SETTINGS["tool"]["pytest"]["addopts"]

    assert options[options.index("-m") + 1] == "not long"
