"""
Take the guards of the folder ``guards`` away, one at a time, and see that tests notice::

    python -m tests.mutate [WORD...]

With words only the guards whose sentence or file has one of them. Each guard is taken away in a copy of the
package in a temporary folder; the package itself is never written to. Exits 1 when a guard survives.
"""

from __future__ import annotations

import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tests.workspace import FAILED, PARALLEL, PASSED, ROOT, run, workspace

GUARDS = ROOT / "tests" / "guards"


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
