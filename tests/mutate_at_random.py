"""
Break the package at random, many times, and see how often tests notice::

    python -m tests.mutate_at_random --seed 7 [--count 150] [--minutes 60] [--servers] [WORD...]

The same seed chooses the same mutations, as long as the code is the same; with words only in files that have one of
them in their names. For each mutation the tests run that execute its lines, the quickest first, then others of the
file and of its room, up to a time limit; a run that takes much longer than it should counts as noticed. Each
mutation is made in a copy. Exits 1 when fewer than 95 of 100 are noticed. ``tests/mutations.py`` says what is
changed, and where; ``tests/equivalent.toml`` lists mutations that no test can notice.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

from tests.mutations import Mutation, equivalents, is_telling, mutations
from tests.reach import Reach, file_of, reach_of
from tests.warm import TIMEOUT, Warm
from tests.workspace import PARALLEL, PASSED, ROOT, workspace

PACKAGE = "wagtail_multihost"
LEAST_PERCENT = 95
NO_TESTS = 5
UNIT_TESTS = "not servers"
ALL_TESTS = "servers or not servers"
#: Tests of a room that has none in a folder of its own name.
FOLDERS = {"management": "commands"}
#: Tests that look at the text of the code, in which any change is a failure.
OF_THE_TEXT = ("tests/test_guards.py", "tests/test_mutations.py")
#: Tests that run first: of so many files, and so many seconds.
LIKELY_FILES, LIKELY_SECONDS = 3, 4
MOMENTS = itertools.count(10**9)
KILLED, SURVIVED, TIMED_OUT = "killed  ", "SURVIVED", "timeout "


@dataclass(frozen=True)
class Outcome:
    """The result of a mutation, and the output."""

    word: str
    seen: str
    seconds: float


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.mutate_at_random", description="Break the package at random."
    )
    parser.add_argument("words", nargs="*", metavar="WORD", help="only files with one of these words in their names")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6), help="what chooses")
    parser.add_argument("--count", type=int, default=150, help="how many mutations (150)")
    parser.add_argument("--minutes", type=float, default=60, help="begin no further mutation after so long (60)")
    parser.add_argument("--seconds", type=float, default=40, help="how much of the tests to run for one (40 s)")
    parser.add_argument("--servers", action="store_true", help="with the tests that need servers")
    parser.add_argument("--stale", action="store_true", help="use the newest record of what tests execute, of any code")
    return parser.parse_args()


def chosen(seed: int, count: int, words: list[str]) -> list[Mutation]:
    """Return the mutations of a seed."""
    everything = [
        mutation for mutation in mutations(ROOT / PACKAGE) if not words or any(word in mutation.file for word in words)
    ]
    random.Random(seed).shuffle(everything)
    known = {(entry["file"], entry["original"], entry["mutated"]) for entry in equivalents()}
    found: list[Mutation] = []
    for mutation in everything:
        if len(found) == count:
            break
        if is_telling(mutation, (ROOT / mutation.file).read_text(encoding="utf-8"), known):
            found.append(mutation)
    return found


def candidates(mutation: Mutation, reach: Reach, folder: Path, limit: float) -> tuple[list[str], list[str]]:
    """
    Return the tests that may notice, in two parts: a few of few files that very likely do, which load at once, and
    others, likely ones first, that take no longer than ``limit`` seconds together.
    """
    room = mutation.file.split("/")[1]
    own = f"tests/{FOLDERS.get(room, room)}/"
    groups = [reach.of_lines(mutation.file, range(mutation.lines[0], mutation.lines[1] + 1))]
    if mutation.name:
        # One that is executed when a module loads is of no test but of those, slow ones, that load it in a process of
        # their own; the statement of a constant has its name.
        loading = set(reach.of_lines(mutation.file, [1]))
        named = [test for test in reach.seconds if test.endswith(f".{mutation.name}]")]
        groups[0] = named or [test for test in groups[0] if test not in loading]
        groups.append(reach.quickest({test for use in uses(mutation.name, folder) for test in reach.of_lines(*use)}))
    stem = Path(mutation.file).stem.removeprefix("multihost_").strip("_")
    groups.append(reach.quickest([test for test in reach.seconds if stem in Path(file_of(test)).stem and own in test]))
    groups.append(reach.of_file(mutation.file))
    groups.append(reach.quickest([test for test in reach.seconds if test.startswith((own, "tests/test_"))]))
    few = next((group for group in groups if group), [])
    counts = Counter(file_of(test) for test in few)
    files = sorted(counts, key=lambda file: (not file.startswith(own), stem not in Path(file).stem, -counts[file]))
    files = files[:LIKELY_FILES]
    likely = within(LIKELY_SECONDS, [test for test in few if file_of(test) in files], reach)
    others = dict.fromkeys(test for group in groups for test in group)
    return likely, within(limit, [test for test in others if test not in set(likely)], reach)


def within(limit: float, tests: Iterable[str], reach: Reach) -> list[str]:
    """Return the first of the tests, which take no longer than ``limit`` seconds together; one at least."""
    found: list[str] = []
    for test in tests:
        limit -= reach.seconds[test]
        if limit < 0 and found:
            break
        found.append(test)
    return found


def uses(name: str, folder: Path) -> Iterator[tuple[str, list[int]]]:
    """Yield the files of the package that use a name, with the numbers of their lines that do."""
    word = re.compile(rf"\b{re.escape(name)}\b")
    for path in sorted((folder / PACKAGE).glob("**/*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        numbers = [number for number, line in enumerate(lines, 1) if word.search(line) and "import " not in line]
        if numbers:
            yield str(path.relative_to(folder)), numbers


def outcome(mutation: Mutation, warm: Warm, reach: Reach, limit: float) -> Outcome:
    """Mutate the copy of ``warm``, run tests there, and restore it."""
    started = time.monotonic()
    path = warm.folder / mutation.file
    text = path.read_text(encoding="utf-8")
    parts = candidates(mutation, reach, warm.folder, limit)
    write(path, mutation.of(text))
    code, said = NO_TESTS, ""
    try:
        for tests in parts:
            if tests and code in (PASSED, NO_TESTS):
                code, said = warm.run(tests, 60 + 6 * sum(reach.seconds[test] for test in tests))
    finally:
        write(path, text)
    seconds = time.monotonic() - started
    if code in (PASSED, NO_TESTS):
        return Outcome(SURVIVED, f"{sum(map(len, parts))} tests pass", seconds)
    if code == TIMEOUT:
        return Outcome(TIMED_OUT, "the tests did not end", seconds)
    named = [line for line in said.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return Outcome(KILLED, named[0][:150] if named else f"pytest ended with {code}", seconds)


def write(path: Path, text: str) -> None:
    """Write a module, as of a second of its own: Python compares times and sizes with those of what it has compiled."""
    path.write_text(text, encoding="utf-8")
    moment = next(MOMENTS)
    os.utime(path, (moment, moment))


def main() -> int:
    options = arguments()
    deadline = time.monotonic() + options.minutes * 60
    marks = ALL_TESTS if options.servers else UNIT_TESTS
    wanted = chosen(options.seed, options.count, options.words)
    print(f"Seed {options.seed}: {len(wanted)} mutations.", flush=True)
    with ExitStack() as stack:
        folders = [stack.enter_context(workspace()) for _ in range(PARALLEL)]
        reach = reach_of(folders[0], marks=marks, stale=options.stale).without(OF_THE_TEXT)
        free: Queue[Warm] = Queue()
        for folder in folders:
            free.put(stack.enter_context(Warm(folder, folder / "said")))
        if not is_sound(free.queue[0], reach):
            return 1

        def tried(mutation: Mutation) -> Outcome | None:
            if time.monotonic() > deadline:
                return None
            warm = free.get()
            try:
                return outcome(mutation, warm, reach, options.seconds)
            finally:
                free.put(warm)

        with ThreadPoolExecutor(PARALLEL) as pool:
            return reported(options.seed, wanted, pool.map(tried, wanted))


def is_sound(warm: Warm, reach: Reach) -> bool:
    """Return whether the tests pass without a mutation."""
    code, said = warm.run(reach.quickest(reach.seconds)[:200], 600)
    if code != PASSED:
        print(f"The tests fail before anything is changed:\n{said[-3000:]}")
    return code == PASSED


def reported(seed: int, wanted: list[Mutation], outcomes: Iterator[Outcome | None]) -> int:
    """Print the result of each mutation, and the total; return the exit code."""
    counts = dict.fromkeys((KILLED, TIMED_OUT, SURVIVED), 0)
    for mutation, found in zip(wanted, outcomes, strict=True):
        if found:
            counts[found.word] += 1
            print(f"{found.word} {mutation.file}:{mutation.lines[0]} {found.seconds:.0f} s, {found.seen}", flush=True)
            if found.word == SURVIVED:
                text = (ROOT / mutation.file).read_text(encoding="utf-8")
                print(*(f"    {line}" for line in mutation.diff(text)), sep="\n", flush=True)
    run = sum(counts.values())
    noticed = run - counts[SURVIVED]
    percent = 100 * noticed / run if run else 0.0
    print(f"Seed {seed}: {noticed} of {run} noticed ({percent:.1f} %), {counts[TIMED_OUT]} of them by a time limit.")
    if run < len(wanted):
        print(f"There was no time for {len(wanted) - run} more.")
    return 0 if percent >= LEAST_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())
