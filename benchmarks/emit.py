"""What ``multihost_emit nginx uwsgi`` costs at several sizes, for the first time and with nothing to change."""

from __future__ import annotations

import argparse
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
# Seconds of the whole process with 10,000 sites, its start included, and MiB.
TARGET_SITES = 10_000
FIRST, UNCHANGED, PEAK = 6.0, 2.0, 500.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sites", type=int, nargs="+", default=[1_000, TARGET_SITES], help="default: 1000 10000")
    options = parser.parse_args()
    with workshop() as folder:
        variables = {**environment(folder), "DJANGO_SETTINGS_MODULE": "example.settings"}
        sides: dict[str, Side] = {BASELINE: partial(python, "-c", SETUP, variables=variables, directory=folder)}
        for sites in options.sites:
            registry = write_registry(folder / f"{sites}.toml", sites)
            sides[f"{sites} first"] = Emission(registry, variables)
            sides[f"{sites} unchanged"] = Emission(registry, variables, output=folder / f"unchanged-{sites}")
        costs = interleaved(sides, options.rounds)
    print_machine()
    print_table(costs, BASELINE)
    print()
    for kind in ("first", "unchanged"):
        report(kind, options.sites, {side: medians(side_costs) for side, side_costs in costs.items()})


class Emission:
    """
    One run of the command, into ``output`` or else into a new folder each time. No folder is removed
    between runs: ext4 passes over inodes that were freed in the last seconds one by one, which makes the
    next 10,000 files cost seconds more (fs/ext4/ialloc.c, recently_deleted).
    """

    def __init__(self, registry: Path, variables: dict[str, str], output: Path | None = None) -> None:
        self.registry = registry
        self.variables = variables
        self.output = output
        self.number = count()

    def __call__(self) -> Cost:
        output = self.output or self.registry.with_suffix(f".{next(self.number)}")
        command = ["manage.py", "multihost_emit", "nginx", "uwsgi", "--registry", str(self.registry)]
        return python(
            *command, "--verbosity", "0", "--output", str(output), variables=self.variables, directory=PROJECT
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
        limit = FIRST if kind == "first" else UNCHANGED
        print_target(f"{TARGET_SITES} {kind}, wall time of the whole process", cost.wall, limit, "s")
        print_target(f"{TARGET_SITES} {kind}, CPU time without the start", cost.cpu - base.cpu, limit, "s")
        print_target(f"{TARGET_SITES} {kind}, memory", cost.peak, PEAK, "MiB")


if __name__ == "__main__":
    main()
