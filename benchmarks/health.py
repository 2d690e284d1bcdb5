"""
What the health endpoint costs: ``live``, cached ``ready`` and what passes it, against the endpoints of other packages
in the same process, on SQLite and on a PostgreSQL server of its own at a unix socket.

The other packages are optional; those that are not installed are left out::

    pip install django-health-check==4.8.0 django-watchman==1.5.0 dockerflow==2026.3.4 django-lb-health-check==1.0.1
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.fuse import server
from benchmarks.health_cases import COPIES, FLOOD, STOCK
from benchmarks.measuring import environment, print_machine, print_target, spread, workshop

LIVE, READY, WRAPPER = "live", "ready, cached", "ready, cached, WSGI wrapper"
CHECKED = "django-health-check, database and cache"
FASTEST = ("django-lb-health-check", "dockerflow lbheartbeat", "django-watchman ping")
TIMES_CHEAPER = {"SQLite": 50, "PostgreSQL": 200}
ADDED_MICROSECONDS, ADDED_PERCENT = 0.5, 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    print_machine()
    with workshop() as folder:
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(folder / "db.sqlite3")}
        report("SQLite", figures_of(database, folder, rounds, "--sampling"))
    if not any(Path("/usr/lib/postgresql").glob("*/bin/initdb")):
        print("\nPostgreSQL is not installed and left out.")
        return
    with server() as (folder, socket, user):
        engine = "django.db.backends.postgresql"
        database = {"ENGINE": engine, "HOST": str(socket), "NAME": f"{user}_site", "USER": user}
        report("PostgreSQL", figures_of(database, folder, rounds))


def figures_of(database: Mapping[str, object], folder: Path, rounds: int, *words: str) -> dict[str, Any]:
    """Return what a process with ``database`` measures."""
    databases = json.dumps({"default": {**database, "CONN_MAX_AGE": 60}})
    variables = environment(folder, BENCHMARK_DATABASES=databases)
    command = [sys.executable, "-m", "benchmarks.health_cases", str(rounds), *words]
    done = subprocess.run(command, env=variables, cwd=folder, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def report(name: str, figures: dict[str, Any]) -> None:
    cases, stacks = figures["cases"], figures["stacks"]
    print_microseconds(name, cases, LIVE)
    print_ratios(cases, TIMES_CHEAPER[name])
    print_microseconds(f"{name}: an ordinary request", stacks, "usual middleware")
    print_passing(stacks)
    print_flood(figures["flood"])
    if "sampling" in figures:
        print_sampling(figures["sampling"])
    for package in figures["missing"]:
        print(f"{package} is not installed and left out.")


def print_microseconds(title: str, cases: dict[str, list[float]], baseline: str) -> None:
    width = max(len(title), *map(len, cases))
    print(f"\n{title:<{width}}  {'µs':>18}  {'least':>8}  {'ratio':>7}")
    for name, times in cases.items():
        shown = f"{statistics.median(times):.2f} ± {spread(times) / 2:.2f}"
        print(f"{name:<{width}}  {shown:>18}  {min(times):>8.2f}  {ratio(cases, name, baseline):>7.3f}")


def ratio(cases: dict[str, list[float]], name: str, baseline: str) -> float:
    """Return the median of the rounds' ratios: both were measured at nearly the same time."""
    return statistics.median(one / other for one, other in zip(cases[name], cases[baseline], strict=True))


def print_ratios(cases: dict[str, list[float]], times_cheaper: int) -> None:
    pairs = [(name, LIVE) for name in cases if name != LIVE]
    pairs += [(CHECKED, READY), (CHECKED, WRAPPER)] if CHECKED in cases else []
    for name, baseline in pairs:
        print(f"ratio: {name} / {baseline} = {ratio(cases, name, baseline):.3f} of time")
    rivals = [ratio(cases, LIVE, name) for name in FASTEST if name in cases]
    if rivals:
        print_target("live, of the fastest of the others,", max(rivals) * 100, 100, "%")
    if CHECKED in cases:
        for name in (READY, WRAPPER):
            print_target(f"{name}, of {CHECKED},", ratio(cases, name, CHECKED) * 100, 100 / times_cheaper, "%")


def print_passing(stacks: dict[str, list[float]]) -> None:
    pairs = zip(stacks[f"{COPIES} copies"], stacks["no middleware"], strict=True)
    added = statistics.median(many - none for many, none in pairs) / COPIES
    share = added / statistics.median(stacks["usual middleware"]) * 100
    print_target("added to a request that passes", added, ADDED_MICROSECONDS, "µs")
    print_target(f"added, of a request through {len(STOCK)} usual ones,", share, ADDED_PERCENT, "%")


def print_flood(flood: dict[str, float]) -> None:
    print(
        f"{flood['rate']:.0f} of {FLOOD} requests a second on ready: {flood['requests']:.0f} queries by requests, "
        f"{flood['sampler']:.0f} by the sampler meanwhile"
    )
    print_target("queries by requests on ready", flood["requests"], 1, "queries")


def print_sampling(sampling: dict[str, float]) -> None:
    print(
        f"{sampling['sites']:.0f} sites, three probes each: the first report after {sampling['first']:.2f} s, "
        f"then {sampling['share']:.2f} % of a processor"
    )


if __name__ == "__main__":
    main()
