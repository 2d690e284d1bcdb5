"""
Take the guards of the folder ``guards`` away, one at a time, and see that tests notice::

    python -m tests.mutate [WORD...]
    python -m tests.mutate --changed [--minutes N] [--check]
    python -m tests.mutate --all

With words only the guards whose sentence or file has one of them. ``--changed`` takes those that are not in
``guards/proven.txt`` as they are now, and ``--all`` all; what bites is written there, for the next run, unless
``--check`` is given.
With ``--minutes`` no guard is begun later; those that are left are listed, stay out of the record, and fail the run. A
change of many files leaves more than CI has time for: whoever makes it runs ``--changed`` and commits the record.
Each guard is taken away in a copy of the package in a temporary folder; the package itself is never written to.
Exits 1 when a guard survives or is left.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path

from tests.workspace import CONTROL_TESTS, FAILED, KEPT_CLUSTER, PARALLEL, PASSED, ROOT, by_settings, run, workspace

GUARDS = ROOT / "tests" / "guards"
PROVEN = GUARDS / "proven.txt"
HEAD = """\
# Guards that were seen to bite, each with a digest of its entry, its file and its tests' functions.
# Written by: python -m tests.mutate --changed (or --all)
"""
LEFT = "No time was left."
#: Seconds. A mutation with which a test never ends has no place among the guards: CI would wait for it.
LONGEST = 300
#: What the migrations of the control app make tables, views, functions and triggers of.
MIGRATED = (
    "wagtail_multihost/nodeapi",
    *(
        f"wagtail_multihost/control/{name}"
        for name in (
            "fleet_roles",
            "maintenance_sql",
            "migrations",
            "models",
            "node_triggers",
            "probe_key_triggers",
            "triggers",
        )
    ),
)
MIGRATES = "tests/control/test_project.py"


@dataclass(frozen=True)
class Guard:
    """A statement that must hold, the code that ensures it, the mutation that breaks it, and the tests that notice."""

    guard: str
    file: str
    original: str
    mutated: str
    tests: tuple[str, ...]


def guards() -> list[Guard]:
    files = sorted(GUARDS.glob("*.toml"))
    entries = [entry for file in files for entry in tomllib.loads(file.read_text(encoding="utf-8"))["guards"]]
    return [Guard(**{**entry, "tests": tuple(entry["tests"])}) for entry in entries]


def survives(guard: Guard, cluster: Path) -> str:
    """
    Return why the mutation survives; blank if each of the guard's tests fails. Tests of the control app begin with the
    migrated database in ``cluster``, unless the guard is in what migrations make.
    """
    with workspace() as folder:
        path = folder / guard.file
        text = path.read_text(encoding="utf-8")
        if text.count(guard.original) != 1:
            return f"The original occurs {text.count(guard.original)} times in {guard.file}."
        path.write_text(text.replace(guard.original, guard.mutated), encoding="utf-8")
        # The example is served from the checkout.
        variables = {"MULTIHOST_CHECKOUT": str(folder)} if guard.file.startswith("example_project/") else {}
        if not guard.file.startswith(MIGRATED):
            variables[KEPT_CLUSTER] = str(cluster)
        for test in guard.tests:
            try:
                completed = run(folder, [test], variables, seconds=LONGEST)
            except subprocess.TimeoutExpired:
                return f"{test} does not end within {LONGEST} seconds"
            if completed.returncode != FAILED:
                outcome = "passes" if completed.returncode == PASSED else f"did not run: {completed.stdout[-1000:]}"
                return f"{test} {outcome}"
    return ""


def digest(guard: Guard) -> str:
    """Return a digest of the guard's entry, its file, and the functions of its tests, but not of their helpers."""
    tests = [function_text(*test.partition("::")[::2]) for test in guard.tests]
    said = repr((astuple(guard), (ROOT / guard.file).read_text(encoding="utf-8"), tests))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def function_text(path: str, name: str) -> str:
    """Return the source of a test function; without a name, that of the whole file."""
    function = name.rpartition("::")[2].partition("[")[0]
    text, lines = parsed(ROOT / path)
    if not function:
        return text
    first, last = lines[function]
    return "\n".join(text.splitlines()[first - 1 : last])


@cache
def parsed(path: Path) -> tuple[str, dict[str, tuple[int, int]]]:
    """Return a file's text, and the first line (of decorators) and the last one of each function."""
    text = path.read_text(encoding="utf-8")
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return text, {
        node.name: (min([node.lineno, *(line.lineno for line in node.decorator_list)]), node.end_lineno or node.lineno)
        for node in functions
    }


def proven() -> tuple[str, set[str]]:
    """Return the head of the record, and the digests of the guards that were seen to bite."""
    lines = PROVEN.read_text(encoding="utf-8").splitlines(keepends=True) if PROVEN.exists() else [HEAD]
    head = "".join(line for line in lines if line.startswith("#"))
    return head, {line.partition(" ")[0] for line in lines if not line.startswith("#")}


def record(head: str, digests: set[str]) -> None:
    """Write the existing guards that have one of these digests to the record."""
    lines = [f"{found} {guard.guard}\n" for guard in guards() if (found := digest(guard)) in digests]
    PROVEN.write_text(head + "".join(sorted(lines, key=lambda line: line.partition(" ")[2])), encoding="utf-8")


def chosen(options: argparse.Namespace) -> list[Guard]:
    """Return the guards that the command line asks for."""
    known = proven()[1] if options.changed else set()
    return [
        guard
        for guard in guards()
        if (not options.words or any(word in guard.guard + guard.file for word in options.words))
        and (not options.changed or digest(guard) not in known)
    ]


def mutate(wanted: list[Guard], minutes: float | None, cluster: Path) -> dict[Guard, str]:
    """Return each guard with the reason why its mutation survives, blank if it does not."""
    until = time.monotonic() + 60 * minutes if minutes else float("inf")
    reasons = {}
    with ThreadPoolExecutor(PARALLEL) as pool:
        tried = pool.map(lambda guard: survives(guard, cluster) if time.monotonic() < until else LEFT, wanted)
        for guard, reason in zip(wanted, tried, strict=True):
            outcome = "left    " if reason == LEFT else "SURVIVED" if reason else "killed  "
            print(f"{outcome} {guard.guard}", *([f"  {reason}"] if reason else []), sep="\n", flush=True)
            reasons[guard] = reason
    return reasons


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutate", description="See that tests notice missing guards.")
    parser.add_argument("words", nargs="*", metavar="WORD", help="only guards whose sentence or file has one of these")
    parser.add_argument("--all", action="store_true", help="all guards, and write the record anew")
    parser.add_argument("--changed", action="store_true", help="those that are not in the record as they are now")
    parser.add_argument("--minutes", type=float, help="begin no guard later than this")
    parser.add_argument("--check", action="store_true", help="write no record")
    options = parser.parse_args(arguments)
    wanted = chosen(options)
    if not wanted:
        print("All guards are in the record." if options.changed else "No guard has these words.")
        return 0 if options.changed else 1
    with tempfile.TemporaryDirectory(prefix="multihost-cluster-") as kept:
        cluster = Path(kept) / "postgres"
        with workspace() as folder:
            tests = {test for guard in wanted for test in guard.tests}
            begin = [[MIGRATES]] if any(test.startswith(CONTROL_TESTS) for test in tests) else []
            for group in (*begin, *by_settings(tests)):
                whole = run(folder, group, {KEPT_CLUSTER: str(cluster)})
                if whole.returncode != PASSED:
                    print(f"The tests fail before anything is changed:\n{whole.stdout[-3000:]}{whole.stderr[-1000:]}")
                    return 1
        reasons = mutate(wanted, options.minutes, cluster)
    if (options.all or options.changed) and not options.check:
        head, kept = (HEAD, set[str]()) if options.all else proven()
        record(head, kept | {digest(guard) for guard, reason in reasons.items() if not reason})
    print(f"{sum(not reason for reason in reasons.values())} of {len(wanted)} killed.")
    if LEFT in reasons.values():
        print("The rest took too long: run `python -m tests.mutate --changed`, and commit tests/guards/proven.txt.")
    return 1 if any(reasons.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
