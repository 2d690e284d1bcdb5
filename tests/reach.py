"""
Which tests execute which lines of the package, and how long each takes: recorded once, and kept for the next run.

A recording is kept in the folder for temporary files under the digest of the package. Of tests that were added or
edited since, those files alone are recorded again.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import sqlite3
import tempfile
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import coverage
import pytest
from coverage.numbits import numbits_to_nums

from tests.workspace import PARALLEL, run

#: What a test's processes have as the name of their test.
VARIABLE = "MULTIHOST_REACH_TEST"
DURATIONS = "MULTIHOST_REACH_DURATIONS"
CONFIGURATION = """
[run]
parallel = true
source_pkgs = wagtail_multihost
omit = */emitters/templates/*
context = ${{{variable}-}}
data_file = {folder}/data
disable_warnings = no-data-collected, module-not-imported, module-not-measured, not-measured
"""
PACKAGE = "wagtail_multihost/"


@dataclass
class Reach:
    """Which tests execute a line of a file of the package (``lines``), and how long each test takes (``seconds``)."""

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[int, set[str]]] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)

    def of_lines(self, file: str, numbers: Iterable[int]) -> list[str]:
        """Return the tests that execute one of the lines, the fastest first."""
        lines = self.lines.get(file, {})
        return self.quickest({test for number in numbers for test in lines.get(number, ())})

    def of_file(self, file: str) -> list[str]:
        """Return the tests that execute any line of the file, the fastest first."""
        return self.quickest({test for tests in self.lines.get(file, {}).values() for test in tests})

    def quickest(self, tests: Collection[str]) -> list[str]:
        return sorted((test for test in tests if test in self.seconds), key=lambda test: (self.seconds[test], test))

    def without(self, files: Collection[str]) -> Reach:
        """Return the reach of the tests in other files."""
        return Reach(
            {test: seconds for test, seconds in self.seconds.items() if file_of(test) not in files},
            {
                file: {
                    number: {test for test in tests if file_of(test) not in files} for number, tests in lines.items()
                }
                for file, lines in self.lines.items()
            },
            {file: digest for file, digest in self.digests.items() if file not in files},
        )

    def add(self, other: Reach) -> None:
        self.seconds |= other.seconds
        self.digests |= other.digests
        for file, lines in other.lines.items():
            for number, tests in lines.items():
                self.lines.setdefault(file, {}).setdefault(number, set()).update(tests)


def reach_of(folder: Path, *, marks: str, stale: bool = False) -> Reach:
    """
    Return the reach of the tests in ``folder`` with the ``marks``; what is not known yet is recorded.

    With ``stale`` the newest recording serves although the package has changed since.
    """
    place = recording(folder, marks)
    if stale and not place.exists():
        place = max(place.parent.glob("*.json.gz"), key=lambda path: path.stat().st_mtime, default=place)
    reach = load(place)
    now = {str(path.relative_to(folder)): digest([path]) for path in sorted(folder.glob("tests/**/test_*.py"))}
    edited = [file for file in now if reach.digests.get(file) != now[file]]
    if edited or set(reach.digests) - set(now):
        reach = reach.without({*edited, *(set(reach.digests) - set(now))})
        if edited:
            print(f"Recording which lines the tests of {len(edited)} files execute …", flush=True)
            reach.add(recorded(folder, edited, marks))
        reach.digests = now
        save(recording(folder, marks), reach)
    return reach


def recording(folder: Path, marks: str) -> Path:
    """Return where the recording for the package in ``folder`` is kept."""
    files = (path for path in sorted(folder.glob("wagtail_multihost/**/*")) if path.is_file() and path.suffix != ".pyc")
    name = digest(files, marks)
    return Path(tempfile.gettempdir()) / f"multihost-reach-{os.geteuid()}" / f"{name}.json.gz"


def digest(paths: Iterable[Path], *words: str) -> str:
    parts = [*(word.encode() for word in words), *(path.read_bytes() for path in paths)]
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()[:16]


def recorded(folder: Path, files: list[str], marks: str) -> Reach:
    """Run the tests in ``files`` and return the reach of those that pass."""
    with tempfile.TemporaryDirectory(prefix="multihost-reach-") as name:
        place = Path(name)
        (place / "rc").write_text(CONFIGURATION.format(variable=VARIABLE, folder=place), encoding="utf-8")
        (place / "durations").mkdir()
        environ = {"COVERAGE_PROCESS_START": f"{place}/rc", DURATIONS: f"{place}/durations"}
        options = ["-p", "tests.reach", "-m", marks, "--maxfail=1000"]
        shares = [share for number in range(PARALLEL) if (share := files[number::PARALLEL])]
        with ThreadPoolExecutor(PARALLEL) as pool:
            list(pool.map(lambda share: run(folder, [*options, *share], environ), shares))
        reach = Reach(digests={})
        for path in (place / "durations").iterdir():
            reach.seconds |= json.loads(path.read_text(encoding="utf-8"))
        for path in place.glob("data.*"):
            with suppress(sqlite3.DatabaseError):  # of a process that was killed
                for test, file, number in executed(path):
                    reach.lines.setdefault(file, {}).setdefault(number, set()).add(test)
    return reach


def executed(path: Path) -> Iterator[tuple[str, str, int]]:
    """Yield each test with a file and a line that it executes, from a data file of coverage."""
    query = (
        "SELECT context.context, file.path, line_bits.numbits FROM line_bits"
        " JOIN context ON context.id = line_bits.context_id JOIN file ON file.id = line_bits.file_id"
        " WHERE context.context != ''"
    )
    connection = sqlite3.connect(path)
    try:
        for context, file, numbits in connection.execute(query):
            for number in numbits_to_nums(numbits):
                yield context, PACKAGE + file.rpartition(PACKAGE)[2], number
    finally:
        connection.close()


def load(path: Path) -> Reach:
    if not path.exists():
        return Reach()
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        found = json.load(stream)
    names = found["tests"]
    lines = {
        file: {int(number): {names[index] for index in tests} for number, tests in lines.items()}
        for file, lines in found["lines"].items()
    }
    return Reach(found["seconds"], lines, found["digests"])


def save(path: Path, reach: Reach) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    names = sorted(reach.seconds)
    indexes = {name: index for index, name in enumerate(names)}
    lines = {
        file: {number: sorted(indexes[test] for test in tests if test in indexes) for number, tests in numbers.items()}
        for file, numbers in reach.lines.items()
    }
    with gzip.open(path, "wt", encoding="utf-8", compresslevel=3) as stream:
        json.dump({"tests": names, "seconds": reach.seconds, "digests": reach.digests, "lines": lines}, stream)


def file_of(test: str) -> str:
    return test.partition("::")[0]


# As a plugin of pytest (-p tests.reach) this module says which test runs, here and in the processes that it starts.


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    current = coverage.Coverage.current()
    os.environ[VARIABLE] = item.nodeid
    if current:
        current.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        os.environ.pop(VARIABLE, None)
        if current:
            current.switch_context("")


SECONDS: dict[str, float] = {}
FAILED: set[str] = set()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    SECONDS[report.nodeid] = round(SECONDS.get(report.nodeid, 0) + report.duration, 4)
    if report.outcome != "passed":
        FAILED.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if DURATIONS in os.environ:
        path = Path(os.environ[DURATIONS], f"{os.getpid()}.json")
        passed = {test: seconds for test, seconds in SECONDS.items() if test not in FAILED}
        path.write_text(json.dumps(passed), encoding="utf-8")
