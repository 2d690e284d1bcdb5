"""What importing the package costs beside a bare interpreter and the parsers of other packages."""

from __future__ import annotations

import argparse
from functools import partial
from importlib.util import find_spec

from benchmarks.measuring import (
    Cost,
    environment,
    interleaved,
    medians,
    print_machine,
    print_table,
    print_target,
    python,
    workshop,
)

BASELINE = "pass"
OWN = ("wagtail_multihost", "wagtail_multihost.resolver")
PEERS = ("dj_database_url", "environ")  # environ is django-environ
COUNT = "; import sys; print(len(sys.modules), sum(name.partition('.')[0] == 'django' for name in sys.modules))"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    names = [*OWN, *(peer for peer in PEERS if find_spec(peer))]
    statements = {BASELINE: "pass", **{f"import {name}": f"import {name}" for name in names}}
    with workshop() as folder:
        variables = environment(folder)
        sides = {
            side: partial(python, "-c", statement + COUNT, variables=variables, directory=folder)
            for side, statement in statements.items()
        }
        costs = interleaved(sides, options.rounds)
    print_machine()
    print_table(costs, BASELINE)
    print()
    base = costs[BASELINE]
    for side in list(costs)[1:]:
        modules, django = counts(costs[side])
        added = (medians(costs[side]).cpu - medians(base).cpu) * 1000
        print(f"{side}: {modules - counts(base)[0]} modules and {added:.1f} ms of CPU time added, {django} of Django")
    root, resolver = (f"import {name}" for name in OWN)
    print(f"\nratio: {resolver} / {BASELINE} = {medians(costs[resolver]).cpu / medians(base).cpu:.3f} of CPU time")
    print_target(f"modules of Django after {root}", counts(costs[root])[1], 1, "modules")
    print_target(f"modules of Django after {resolver}", counts(costs[resolver])[1], 1, "modules")


def counts(costs: list[Cost]) -> tuple[int, int]:
    """Return how many modules there were, and how many of them were Django's."""
    modules, django = costs[0].output.split()
    return int(modules), int(django)


if __name__ == "__main__":
    main()
