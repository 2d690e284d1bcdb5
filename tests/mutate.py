"""
Take the guards of the folder ``guards`` away, one at a time, and see that tests notice::

    python -m tests.mutate [WORD...]

With words only the guards whose sentence or file has one of them. Each guard is taken away in a copy of the
package in a temporary folder; the package itself is never written to. Exits 1 when a guard survives.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
GUARDS = ROOT / "tests" / "guards"
COPIED = ("wagtail_multihost", "tests")
PARALLEL = os.cpu_count() or 2
# Exit codes of a test run: pytest's for success and for failed tests, and ours for the wrong package.
PASSED, FAILED, WRONG_PACKAGE = 0, 1, 97
RUN = f"""
import os, sys, wagtail_multihost
if not os.path.samefile(os.path.dirname(wagtail_multihost.__file__), "wagtail_multihost"):
    sys.exit({WRONG_PACKAGE})
import pytest
# The package is loaded before pytest loads its plugin.
ignored = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
sys.exit(pytest.main(["-q", "-x", "--tb=line", "-p", "no:randomly", "-W", ignored, *sys.argv[1:]]))
"""


@dataclass(frozen=True)
class Guard:
    """A sentence that holds, the place that holds it, what takes it away, and the tests that notice."""

    guard: str
    file: str
    original: str
    mutated: str
    tests: tuple[str, ...]


def guards() -> list[Guard]:
    files = sorted(GUARDS.glob("*.toml"))
    entries = [entry for file in files for entry in tomllib.loads(file.read_text(encoding="utf-8"))["guards"]]
    return [Guard(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


@contextmanager
def workspace() -> Iterator[Path]:
    """Make a folder with a copy of the package and the tests, and links to everything else."""
    with tempfile.TemporaryDirectory(prefix="multihost-mutate-") as name:
        folder = Path(name)
        for path in ROOT.iterdir():
            if path.name in COPIED:
                shutil.copytree(path, folder / path.name, ignore=shutil.ignore_patterns("__pycache__"))
            elif not path.name.startswith("."):
                (folder / path.name).symlink_to(path)
        yield folder


def run(folder: Path, tests: Iterable[str]) -> subprocess.CompletedProcess[str]:
    """Run the tests in ``folder`` against the package there."""
    environ = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [sys.executable, "-c", RUN, *tests], cwd=folder, env=environ, check=False, capture_output=True, text=True
    )


def survives(guard: Guard) -> str:
    """Return why the guard survives its mutation; blank when every one of its tests fails."""
    with workspace() as folder:
        path = folder / guard.file
        text = path.read_text(encoding="utf-8")
        if text.count(guard.original) != 1:
            return f"The original occurs {text.count(guard.original)} times in {guard.file}."
        path.write_text(text.replace(guard.original, guard.mutated), encoding="utf-8")
        for test in guard.tests:
            completed = run(folder, [test])
            if completed.returncode != FAILED:
                outcome = "passes" if completed.returncode == PASSED else f"did not run: {completed.stdout[-1000:]}"
                return f"{test} {outcome}"
    return ""


def main(words: list[str]) -> int:
    chosen = [guard for guard in guards() if not words or any(word in guard.guard + guard.file for word in words)]
    if not chosen:
        print("No guard has these words.")
        return 1
    with workspace() as folder:
        whole = run(folder, sorted({test for guard in chosen for test in guard.tests}))
    if whole.returncode != PASSED:
        print(f"The tests fail before anything is changed:\n{whole.stdout[-3000:]}{whole.stderr[-1000:]}")
        return 1
    survivors = 0
    with ThreadPoolExecutor(PARALLEL) as pool:
        for guard, reason in zip(chosen, pool.map(survives, chosen), strict=True):
            print(
                f"{'SURVIVED' if reason else 'killed  '} {guard.guard}", *([f"  {reason}"] if reason else []), sep="\n"
            )
            survivors += bool(reason)
    print(f"{len(chosen) - survivors} of {len(chosen)} killed.")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
