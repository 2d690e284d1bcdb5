"""The example project as a newcomer has it: a fresh copy, and a terminal."""

from __future__ import annotations

import http.client
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.processes import children, is_running, running, wait_for

CHECKOUT = Path(os.environ.get("MULTIHOST_CHECKOUT", Path(__file__).parents[2]))
SITES = ("aurora", "borealis", "corona")
OF_A_RUN = ("/.venv", "/data", "/static")
LEFT_OUT = shutil.ignore_patterns(".git", ".tox", "__pycache__", "_build")
#: A step: the seconds since the start, and what is done.
STEP = re.compile(r" *\d+\.\d s  (\S.*) …")


@dataclass
class Run:
    """A running ./example_project/run."""

    project: Path
    port: int
    pid: int
    output: str

    def get(self, host: str, path: str = "/", **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request("GET", path, headers={"Host": host, **headers})
        response = connection.getresponse()
        response.body = response.read().decode(errors="replace")  # type: ignore[attr-defined]
        connection.close()
        return response

    def page(self, site: str, path: str = "/") -> str:
        """Return a page of a site, which must be there."""
        response = self.get(f"{site}.localhost:{self.port}", path)
        assert response.status == 200, (site, path, response.status)
        return str(response.body)  # type: ignore[attr-defined]


def copy_project(source: Path, target: Path) -> Path:
    """Copy a checkout, or a project, without what runs have made in it."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        paths = {name: f"{folder}/{name}" for name in names}
        made = {
            name for name, path in paths.items() if path.endswith(tuple(f"example_project{end}" for end in OF_A_RUN))
        }
        return made | LEFT_OUT(folder, names)

    return Path(shutil.copytree(source, target, ignore=left_out))


def newcomer(**more: str) -> dict[str, str]:
    """Return the environment of a person who has Python and git alone, and ``more``."""
    left_out = ("COVERAGE", "COV_", "VIRTUAL_ENV", "DJANGO", "MULTIHOST", "PYTHON", "PYTEST")
    environ = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    folder = str(Path(os.sys.executable).parent)  # type: ignore[attr-defined]
    path = [part for part in environ["PATH"].split(os.pathsep) if part != folder]
    return {**environ, "PATH": os.pathsep.join(path), **more}


def words_of(log: Path) -> list[str]:
    """Return the steps that a run has begun."""
    return STEP.findall(log.read_text())


def rest_of(text: str) -> str:
    """Return what is printed besides the steps."""
    return "".join(line for line in text.splitlines(keepends=True) if not STEP.match(line))


@contextmanager
def started(command: Sequence[str | Path], log: Path, **more: str) -> Iterator[subprocess.Popen[bytes]]:
    with running(command, log, environ=newcomer(**more)) as process:
        yield process


def wait_for_step(word: str, log: Path, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    """Wait until a run begins the step with ``word`` and has started a program for it."""

    def is_there() -> bool:
        assert process.poll() is None, log.read_text()
        return any(word in step for step in words_of(log)) and bool(children(process.pid))

    wait_for(is_there, word, seconds)


def press_ctrl_c(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGINT) -> None:
    """Signal all that a terminal would, wait for the run, and see that nothing of it is left running."""
    everything = [process.pid, *children(process.pid)]
    os.killpg(process.pid, number)
    assert process.wait(30) == 0
    wait_for(lambda: not any(is_running(pid) for pid in everything[1:]), "every process to end", seconds=20)
