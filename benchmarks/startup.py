"""What ``resolve().apply(globals())`` adds to ``django.setup()`` of the same Wagtail project without it."""

from __future__ import annotations

import argparse
import statistics
from functools import partial
from pathlib import Path

from benchmarks.measuring import (
    PROJECT,
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
from benchmarks.registries import write_registry

SETUP = "import django; django.setup()"
# The same work after django.setup() without the package, which has loaded by then what both need, and without the
# garbage collections of Django's own objects: less than the whole truth, but free of the noise between processes.
ONLY = """
import gc, time
start = time.process_time()
import django
django.setup()
setup = time.process_time() - start
import bare_settings
gc.collect()
gc.freeze()
start = time.process_time()
from wagtail_multihost.resolver import resolve
resolve().apply(dict(vars(bare_settings)))
import wagtail_multihost.apps, wagtail_multihost.checks
print(setup, time.process_time() - start)
"""
BARE = "django.setup()"
OWN = "with resolve().apply()"
BOTH = "one after the other in one process"
ADDED = ("wagtail_multihost", "resolve().apply(")
ADDED_LINES = 4  # the import, the app, the middleware and the call
TARGET = 2.0  # percent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--sites", type=int, default=3, help="sites in the registry (default: 3)")
    options = parser.parse_args()
    with workshop() as folder:
        write_bare_settings(folder / "bare_settings.py")
        registry = write_registry(folder / "sites.toml", options.sites)
        variables = environment(folder)
        bare = {**variables, "DJANGO_SETTINGS_MODULE": "bare_settings"}
        site = {**bare, "MULTIHOST_REGISTRY": str(registry), "MULTIHOST_SITE": "site-00001"}
        own = {**site, "DJANGO_SETTINGS_MODULE": "example.settings"}
        sides = {
            BARE: partial(python, "-c", SETUP, variables=bare, directory=folder),
            OWN: partial(python, "-c", SETUP, variables=own, directory=folder),
            BOTH: partial(python, "-c", ONLY, variables=site, directory=folder),
        }
        costs = interleaved(sides, options.rounds)
    print_machine()
    print_table(costs, BARE)
    ratio = medians(costs[OWN]).cpu / medians(costs[BARE]).cpu
    print(f"\nratio: {OWN} / {BARE} = {ratio:.4f} of CPU time")
    setup, added = (statistics.median(values) for values in zip(*map(seconds, costs[BOTH]), strict=True))
    print(f"ratio: {BOTH} = {1 + added / setup:.4f} of CPU time, {added * 1000:.1f} over {setup * 1000:.1f} ms")
    print_target("added CPU time, between processes", (ratio - 1) * 100, TARGET, "%")
    print_target("added CPU time, within one process", added / setup * 100, TARGET, "%")


def seconds(cost: Cost) -> list[float]:
    """Return the seconds that a process has printed."""
    return [float(word) for word in cost.output.split()]


def write_bare_settings(path: Path) -> None:
    """Write the example project's settings without this package."""
    lines = (PROJECT / "example/settings.py").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not any(word in line for word in ADDED)]
    if len(lines) - len(kept) != ADDED_LINES:
        raise SystemExit("The settings of the example project name this package elsewhere than in its four lines.")
    path.write_text("\n".join([*kept, 'SECRET_KEY = "' + "k" * 50 + '"', 'ALLOWED_HOSTS = ["localhost"]', ""]))


if __name__ == "__main__":
    main()
