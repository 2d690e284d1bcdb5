"""
What ``multihost_emit nginx uwsgi`` costs at several sizes: for the first time, with nothing to change, and with one
site changed. ``--against`` measures another checkout beside this one, in the same rounds.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from functools import partial
from itertools import count, pairwise
from pathlib import Path

from benchmarks.measuring import (
    PROJECT,
    Cost,
    Side,
    environment,
    interleaved,
    medians,
    print_machine,
    print_table,
    print_target,
    python,
    workshop,
)
from benchmarks.registries import write_registry

BASELINE = "django.setup()"
SETUP = "import django; django.setup()"
OTHER = "other"
# Seconds of the whole process with 10,000 sites, its start included, and MiB.
TARGET_SITES = 10_000
FIRST, UNCHANGED, PEAK = 6.0, 2.0, 500.0
KINDS = ("first", "unchanged", "one changed")
SITE = "site-00001"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sites", type=int, nargs="+", default=[1_000, TARGET_SITES], help="default: 1000 10000")
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="another checkout, such as a worktree of the parent"
    )
    options = parser.parse_args()
    with workshop() as folder:
        variables = {**environment(folder), "DJANGO_SETTINGS_MODULE": "example.settings"}
        sides: dict[str, Side] = {BASELINE: partial(python, "-c", SETUP, variables=variables, directory=folder)}
        for sites in options.sites:
            sides |= emissions(folder / "own", sites, variables, PROJECT)
            if options.against:
                sides |= {f"{OTHER} {side}": run for side, run in others(folder, sites, variables, options.against)}
        costs = interleaved(sides, options.rounds)
    print_machine()
    print_table(costs, BASELINE)
    print()
    middle = {side: medians(side_costs) for side, side_costs in costs.items()}
    for kind in KINDS:
        report(kind, options.sites, middle)
    if options.against:
        compare(options.sites, middle)


def emissions(folder: Path, sites: int, variables: dict[str, str], project: Path) -> dict[str, Side]:
    """Return a side for each kind of run, with registries and outputs of its own below ``folder``."""
    found: dict[str, Side] = {}
    for kind in KINDS:
        place = folder / f"{sites}-{kind.replace(' ', '-')}"
        place.mkdir(parents=True)
        found[f"{sites} {kind}"] = Emission(write_registry(place / "sites.toml", sites), variables, project, kind)
    return found


def others(folder: Path, sites: int, variables: dict[str, str], checkout: Path) -> Iterable[tuple[str, Side]]:
    """Return the sides of another checkout."""
    project = checkout.absolute() / PROJECT.name
    path = os.pathsep.join([str(project), str(checkout.absolute())])
    own = {**variables, "PYTHONPATH": path, "PYTHONPYCACHEPREFIX": str(folder / "bytecode-of-the-other")}
    return emissions(folder / "other", sites, own, project).items()


class Emission:
    """
    One run of the command: ``first`` into a new folder each time, the others into one that has the files already. No
    folder is removed between runs: ext4 passes over inodes that were freed in the last seconds one by one, which makes
    the next 10,000 files cost seconds more (fs/ext4/ialloc.c, recently_deleted).
    """

    def __init__(self, registry: Path, variables: dict[str, str], project: Path, kind: str) -> None:
        self.registry = registry
        self.text = registry.read_text()
        self.variables = variables
        self.project = project
        self.kind = kind
        self.number = count()
        if kind != "first":
            self.run(registry.with_suffix(".out"))

    def __call__(self) -> Cost:
        number = next(self.number)
        if self.kind == "first":
            return self.run(self.registry.with_suffix(f".{number}"))
        if self.kind == "one changed":
            alias = f'hostnames = ["{SITE}.example.org"]\nuwsgi = {{ threads = {number % 2 + 2} }}\n#'
            self.registry.write_text(self.text.replace(f'hostnames = ["{SITE}.example.org",', alias))
        return self.run(self.registry.with_suffix(".out"))

    def run(self, output: Path) -> Cost:
        command = ["manage.py", "multihost_emit", "nginx", "uwsgi", "--registry", str(self.registry)]
        return python(
            *command, "--verbosity", "0", "--output", str(output), variables=self.variables, directory=self.project
        )


def report(kind: str, sizes: list[int], middle: dict[str, Cost]) -> None:
    """Print ratios to the baseline and to the size before, and the targets."""
    base = middle[BASELINE]
    for sites in sizes:
        cost = middle[f"{sites} {kind}"]
        own = cost.cpu - base.cpu
        print(
            f"ratio: {sites} {kind} / {BASELINE} = {cost.cpu / base.cpu:.3f} of CPU time; "
            f"without the start {own:.2f} s, {own / sites * 1e6:.0f} µs per site"
        )
    for smaller, larger in pairwise(sizes):
        growth = (middle[f"{larger} {kind}"].cpu - base.cpu) / (middle[f"{smaller} {kind}"].cpu - base.cpu)
        print(f"growth: {larger} {kind} / {smaller} {kind} = {growth:.2f} for {larger / smaller:g} times the sites")
    if TARGET_SITES in sizes:
        cost = middle[f"{TARGET_SITES} {kind}"]
        limit = UNCHANGED if kind == "unchanged" else FIRST
        print_target(f"{TARGET_SITES} {kind}, wall time of the whole process", cost.wall, limit, "s")
        print_target(f"{TARGET_SITES} {kind}, CPU time without the start", cost.cpu - base.cpu, limit, "s")
        print_target(f"{TARGET_SITES} {kind}, memory", cost.peak, PEAK, "MiB")


def compare(sizes: list[int], middle: dict[str, Cost]) -> None:
    """Print what each kind of run costs without the start, here and in the other checkout."""
    base = middle[BASELINE].cpu
    for side in (f"{sites} {kind}" for sites in sizes for kind in KINDS):
        own, other = (middle[name].cpu - base for name in (side, f"{OTHER} {side}"))
        print(
            f"ratio: {side} / {OTHER} {side} = {own / other:.3f} of CPU time without the start: "
            f"{own:.2f} s, {other:.2f} s"
        )


if __name__ == "__main__":
    main()
