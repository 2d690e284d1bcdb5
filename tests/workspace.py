"""A copy of the package and the tests in which code may be broken, and running tests there."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARALLEL = len(os.sched_getaffinity(0))
COPIED = ("wagtail_multihost", "tests", "docs", "example_project")
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".venv", "data")  # what the example makes
# Exit codes of a test run: pytest's for success and for failed tests, and ours for the wrong package.
PASSED, FAILED, WRONG_PACKAGE = 0, 1, 97
#: Seconds for a run that takes too long to stop what it started.
GRACE = 20
#: What loads before pytest does is not rewritten, and pytest says so.
OPTIONS = (
    *("-q", "-x", "--tb=line", "-p", "no:randomly"),
    *("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"),
)
#: What tests of a project that is no site need; they do not run together with others.
CONTROL_TESTS, CONTROL = "tests/control/", ("--ds", "tests.control.settings", "--part", "control")
#: Names the folder of a cluster that tests of the control app begin with: tests/control/conftest.py.
KEPT_CLUSTER = "MULTIHOST_KEPT_CLUSTER"
RUN = f"""
import os, sys, wagtail_multihost
if not os.path.samefile(os.path.dirname(wagtail_multihost.__file__), "wagtail_multihost"):
    sys.exit({WRONG_PACKAGE})
import pytest
sys.exit(pytest.main([*{OPTIONS}, *sys.argv[1:]]))
"""


@contextmanager
def workspace() -> Iterator[Path]:
    """Make a folder with a copy of the package, the tests and the documentation, and links to everything else."""
    with tempfile.TemporaryDirectory(prefix="multihost-mutate-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # tests that act as other accounts load the package from here
        for path in ROOT.iterdir():
            if path.name in COPIED:
                shutil.copytree(path, folder / path.name, ignore=LEFT_OUT)
            elif not path.name.startswith("."):
                (folder / path.name).symlink_to(path)
        yield folder


def run(
    folder: Path,
    arguments: Iterable[str],
    variables: Mapping[str, str] | None = None,
    *,
    seconds: float | None = None,
) -> subprocess.CompletedProcess[str]:
    """
    Run pytest with the ``arguments`` in ``folder``, against the package there. Raises subprocess.TimeoutExpired if that
    takes longer than ``seconds``.
    """
    arguments = [*arguments]
    if any(argument.startswith(CONTROL_TESTS) for argument in arguments):
        arguments = [*CONTROL, *arguments]
    environ = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **(variables or {})}
    command = [sys.executable, "-c", RUN, *arguments]
    with subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            printed = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # so it stops its servers
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=GRACE)
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, *printed)


def by_settings(tests: Iterable[str]) -> list[list[str]]:
    """Return the tests in groups that can run together, each of them sorted."""
    groups: dict[bool, list[str]] = {}
    for test in sorted(tests):
        groups.setdefault(test.startswith(CONTROL_TESTS), []).append(test)
    return list(groups.values())
