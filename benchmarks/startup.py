"""What ``resolve().apply(globals())`` adds to ``django.setup()`` of the same Wagtail project without it."""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from benchmarks.measuring import (
    PROJECT,
    Cost,
    environment,
    interleaved,
    print_machine,
    print_table,
    print_target,
    python,
    workshop,
)
from benchmarks.registries import write_registry

SETUP = "import django; django.setup()"
OWN = ("wagtail_multihost", "resolve().apply(")
OWN_LINES = 4  # the import, the app, the middleware and the call
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
        own = {
            **variables,
            "DJANGO_SETTINGS_MODULE": "example.settings",
            "MULTIHOST_REGISTRY": str(registry),
            "MULTIHOST_SITE": "site-00001",
        }
        costs = interleaved(
            {
                "django.setup()": lambda: python("-c", SETUP, variables=bare, directory=folder),
                "with resolve().apply()": lambda: python("-c", SETUP, variables=own, directory=folder),
            },
            options.rounds,
        )
    print_machine()
    print_table(costs, "django.setup()")
    added = added_percent(costs["django.setup()"], costs["with resolve().apply()"])
    print(f"\nratio: with resolve().apply() / django.setup() = {1 + added / 100:.4f} of CPU time, median over rounds")
    print_target("added CPU time", added, TARGET, "%")


def added_percent(bare: list[Cost], own: list[Cost]) -> float:
    """Return the median over rounds of what a round's second process took over its first, in percent of CPU time."""
    return statistics.median((second.cpu / first.cpu - 1) * 100 for first, second in zip(bare, own, strict=True))


def write_bare_settings(path: Path) -> None:
    """Write the example project's settings without this package."""
    lines = (PROJECT / "example/settings.py").read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if not any(word in line for word in OWN)]
    if len(lines) - len(kept) != OWN_LINES:
        raise SystemExit("The settings of the example project name this package elsewhere than in its four lines.")
    path.write_text("\n".join([*kept, 'SECRET_KEY = "' + "k" * 50 + '"', 'ALLOWED_HOSTS = ["localhost"]', ""]))


if __name__ == "__main__":
    main()
