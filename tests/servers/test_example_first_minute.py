"""What ./example_project/run says where it cannot go on, and when it is stopped before there is an environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

from tests.servers.accounts import OTHERS
from tests.servers.example import CHECKOUT, copy_project, newcomer, press_ctrl_c, rest_of, started, wait_for_step
from tests.servers.processes import free_port

pytestmark = pytest.mark.servers

# What Python says of its version, whatever version that is.
OLD = """#!/bin/sh
case "$2" in *sys.exit*) exit 1 ;; *) echo "python3 is 3.6.8" ;; esac
"""
WITHOUT_VENV = 'import sys; sys.modules["ensurepip"] = None'
NO_INDEX = {
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_EXTRA_INDEX_URL": "",
    "PIP_FIND_LINKS": "",
    "PIP_RETRIES": "1",
}


@pytest.fixture(name="checkout")
def _checkout(tmp_path: Path) -> Path:
    """A checkout with what is read before there are sites."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, checkout / name)
    for name in ("example_project", "wagtail_multihost"):
        copy_project(CHECKOUT / name, checkout / name)
    return checkout


@pytest.fixture(name="scratch")
def _scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def run(checkout: Path, *words: str, **more: str) -> tuple[int, str]:
    """Return the exit code of a run, and what it prints besides its steps."""
    command = [checkout / "example_project" / "run", *words]
    done = subprocess.run(
        command, env=newcomer(**more), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.returncode, rest_of(done.stdout)


def programs(folder: Path, **scripts: str) -> str:
    """Return a PATH with sh's own programs and ``scripts``."""
    folder.mkdir()
    (folder / "dirname").symlink_to(shutil.which("dirname") or "")
    for name, text in scripts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return str(folder)


def test_old_python_is_one_sentence(checkout: Path, tmp_path: Path) -> None:
    """With an old Python, or with none, the version that is needed is said."""
    told = run(checkout, PATH=programs(tmp_path / "old", python3=OLD))
    assert told == (1, "Python 3.11 or later is needed; python3 is 3.6.8.\n")
    assert run(checkout, PATH=programs(tmp_path / "none")) == (
        1,
        "Python 3.11 or later is needed; there is no python3.\n",
    )


def test_newer_python_beside_an_old_one_is_found(checkout: Path, tmp_path: Path) -> None:
    """Where python3 is old, a newer one under its own name is taken."""
    new = f'#!/bin/sh\nexec {Path(sys.executable).resolve()} "$@"\n'
    path = programs(tmp_path / "both", python3=OLD, **{"python3.11": new})
    code, told = run(checkout, "--port", "0", PATH=path)
    assert (code, told.splitlines()[-1]) == (2, "example_project/run: error: --port must be 1 to 65535, not 0.")


def test_missing_venv_is_one_sentence(checkout: Path, tmp_path: Path) -> None:
    """A Python without the module venv, as Debian packages it, says what to install."""
    (tmp_path / "sitecustomize.py").write_text(WITHOUT_VENV)
    code, told = run(checkout, "--port", str(free_port()), PYTHONPATH=str(tmp_path))
    assert code == 1
    assert told.endswith("apt-get install python3-venv\n")
    assert told.count("\n") == 1


def test_folder_that_cannot_be_written_is_one_sentence(checkout: Path) -> None:
    """A file in place of the folder of data is named."""
    data = checkout / "example_project" / "data"
    data.write_text("")
    code, told = run(checkout, "--port", str(free_port()))
    assert code == 1
    assert told.startswith(f"{data} cannot be written: ")
    assert told.count("\n") == 1


def test_checkout_of_another_account_is_one_sentence(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Somebody who may read a checkout, and not write to it, is told so."""
    folder = Path(tmp_path_factory.mktemp("others"))
    project = copy_project(CHECKOUT / "example_project", folder / "example_project")
    reachable = [folder, *folder.parents[:-2]]
    modes = [path.stat().st_mode for path in reachable]
    try:
        for path in reachable:
            path.chmod(0o755)
        project.chmod(0o555)
        command = OTHERS.command(project / "run", "--port", str(free_port()))
        done = subprocess.run(command, cwd="/", env={"PATH": os.defpath}, capture_output=True, text=True, check=False)
    finally:
        for path, mode in zip(reachable, modes, strict=True):
            path.chmod(mode)
    assert done.returncode == 1
    assert done.stderr.startswith(f"{project / 'data'} cannot be written: Permission denied.")
    assert done.stderr.count("\n") == 1


def test_missing_network_is_one_sentence_and_the_next_run_begins_anew(checkout: Path, scratch: Path) -> None:
    """Where no package can be had, that is said, pip's own words are in a log, and nothing is left elsewhere."""
    words = ("--port", str(free_port()))
    for _ in range(2):
        code, told = run(checkout, *words, TMPDIR=str(scratch), **NO_INDEX)
        assert code == 1
        assert told.startswith("It failed: The package index cannot be reached.")
        assert told.count("\n") == 1
        assert "NewConnectionError" in Path(told.split()[-1]).read_text()
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("step", ["virtual environment", "Installing"])
def test_ctrl_c_while_it_installs_is_one_line(checkout: Path, tmp_path: Path, scratch: Path, step: str) -> None:
    """Neither pip nor venv says anything of its own, and nothing is left but the half-made environment."""
    log = tmp_path / "run.log"
    command = [checkout / "example_project" / "run", "--port", str(free_port())]
    with started(command, log, TMPDIR=str(scratch)) as process:
        wait_for_step(step, log, process)
        time.sleep(0.3)
        press_ctrl_c(process)
    assert rest_of(log.read_text()) == "Stopped.\n"
    assert list(scratch.iterdir()) == []
    assert not (checkout / "example_project" / ".venv" / "stamp").exists()


def moments() -> Iterator[float]:
    return (number * 0.007 for number in range(20))


def test_ctrl_c_in_the_first_moments_is_at_most_one_line(checkout: Path, tmp_path: Path, scratch: Path) -> None:
    """Whatever Python is doing when Ctrl-C comes, it ends, and no traceback is seen; by the second if it lost one."""
    command = [checkout / "example_project" / "run", "--port", str(free_port())]
    for moment in moments():
        log = tmp_path / "run.log"
        with started(command, log, TMPDIR=str(scratch)) as process:
            time.sleep(moment)
            os.killpg(process.pid, 2)
            # Before handle_signals, Python may drop what the first raises, in a callback of its own.
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                os.killpg(process.pid, 2)
            process.wait(30)
        assert (moment, rest_of(log.read_text())) in ((moment, "Stopped.\n"), (moment, ""))


DROPPED = """
import os, signal, time, weakref
from runner.interrupt import handle_signals

class Thing: ...

handle_signals()
thing = Thing()
watched = weakref.ref(thing, lambda _: os.kill(os.getpid(), signal.SIGINT))
try:
    del thing
    time.sleep(20)
except KeyboardInterrupt:
    print("Stopped.")
"""


def test_ctrl_c_that_python_drops_is_heard_all_the_same() -> None:
    """What is raised in a callback, as while a module is loaded, is not lost, and is no traceback."""
    ended = subprocess.run(
        [sys.executable, "-c", DROPPED],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / "example_project")},
    )
    assert (ended.stdout, ended.stderr, ended.returncode) == ("Stopped.\n", "", 0)


def test_lock_of_a_run_is_for_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can open a file can lock it, and no run of the owner would start."""
    monkeypatch.syspath_prepend(str(CHECKOUT / "example_project"))
    folders = import_module("runner.folders")

    monkeypatch.setattr(folders, "DATA", tmp_path)
    monkeypatch.setattr(folders, "LOGS", tmp_path / "log")
    (tmp_path / "run.lock").touch(0o644)
    with folders.only_run():
        assert (tmp_path / "run.lock").stat().st_mode & 0o777 == 0o600
