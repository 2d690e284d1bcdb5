"""What two processes collect: pytest-xdist's workers must agree on every test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).parent


def collected(seed: int) -> subprocess.Popen[str]:
    """Start a process that prints the ids of all tests, with sets in the order of ``seed``."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", str(TESTS)],
        cwd=TESTS.parent,
        env={**inherited, "PYTHONHASHSEED": str(seed)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_workers_collect_the_same_tests_in_the_same_order() -> None:
    """No parameter's id has an address in it, and none comes from a set: two processes name and order all alike."""
    processes = [collected(seed) for seed in (1, 2)]
    first, second = ([line for line in process.communicate()[0].splitlines() if "::" in line] for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert len(first) > 10_000
    assert [pair for pair in zip(first, second, strict=True) if pair[0] != pair[1]] == []
