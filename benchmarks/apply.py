"""
What ``multihost_apply nginx`` costs at several sizes: for the first time, with nothing to change, with one site
changed; and how many reloads changes that are queued during an apply need.
"""

from __future__ import annotations

import argparse
from functools import partial
from itertools import count
from pathlib import Path, PurePosixPath
from threading import Thread

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
from wagtail_multihost.emitters import Emitter, Plan
from wagtail_multihost.emitters.apply import ApplyRequest, apply
from wagtail_multihost.emitters.files import EmittedFile
from wagtail_multihost.emitters.rendering import OWNERSHIP_LINE
from wagtail_multihost.registry import open_registry
from wagtail_multihost.spec.codebase import Codebase

KINDS = ("first", "unchanged", "one changed")
SITE = "site-00001"
#: Starts Django and reads the registry, and no more.
LOAD = """
import sys
import django

django.setup()
from wagtail_multihost.registry import open_registry

open_registry(sys.argv[1], {}).load()
"""
TARGET_SITES = 10_000
SECONDS = 0.5  # of a change at 10,000 sites, beyond the baseline
QUEUED, RELOADS = 200, 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sites", type=int, nargs="+", default=[100, 1_000, TARGET_SITES], help="100 1000 10000")
    parser.add_argument("--queued", type=int, default=QUEUED, help=f"changes during an apply (default: {QUEUED})")
    options = parser.parse_args()
    with workshop() as folder:
        variables = {**environment(folder), "DJANGO_SETTINGS_MODULE": "example.settings"}
        sides: dict[str, Side] = {}
        for sites in options.sites:
            registry = write_registry(folder / f"{sites}.toml", sites)
            sides[baseline(sites)] = partial(python, "-c", LOAD, str(registry), variables=variables, directory=PROJECT)
            for kind in KINDS:
                sides[f"{sites} {kind}"] = Application(registry, variables, kind)
        costs = interleaved(sides, options.rounds)
        reloads = reloads_of(folder / "queue", options.queued)
    print_machine()
    for sites in options.sites:
        print_table({name: costs[name] for name in (baseline(sites), *sides_of(sites))}, baseline(sites))
    print()
    report({name: medians(side) for name, side in costs.items()}, options.sites)
    print(f"ratio: {options.queued} queued changes / 1 running apply = {reloads:.1f} further reloads")
    print_target(f"reloads for {options.queued} changes queued during an apply", reloads, RELOADS + 1, "reloads")


def baseline(sites: int) -> str:
    return f"{sites} django.setup() and registry"


def sides_of(sites: int) -> list[str]:
    return [f"{sites} {kind}" for kind in KINDS]


def report(middle: dict[str, Cost], sizes: list[int]) -> None:
    for sites in sizes:
        base = middle[baseline(sites)]
        for name in sides_of(sites):
            cost = middle[name]
            own = cost.wall - base.wall
            print(f"ratio: {name} / {baseline(sites)} = {cost.cpu / base.cpu:.3f} of CPU time; {own:.2f} s more")
    if TARGET_SITES in sizes:
        own = middle[f"{TARGET_SITES} one changed"].wall - middle[baseline(TARGET_SITES)].wall
        print_target(f"a change of one of {TARGET_SITES} sites, wall time beyond the baseline", own, SECONDS, "s")


class Application:
    """One run of the command; ``first`` into a new folder each time, the others into one that is up to date."""

    def __init__(self, registry: Path, variables: dict[str, str], kind: str) -> None:
        self.source = registry
        self.registry = registry.with_suffix(f".{kind.replace(' ', '-')}.toml")
        self.registry.write_text(registry.read_text())
        self.variables = variables
        self.kind = kind
        self.number = count()
        if kind != "first":
            self.run(self.output)

    def __call__(self) -> Cost:
        number = next(self.number)
        if self.kind == "first":
            return self.run(self.output.with_name(f"{self.output.name}-{number}"))
        if self.kind == "one changed":
            alias = f'hostnames = ["{SITE}.example.org", "v{number}.example.net"'
            text = self.source.read_text()
            self.registry.write_text(text.replace(f'hostnames = ["{SITE}.example.org"', alias))
            return self.run(self.output, "--site", SITE)
        return self.run(self.output)

    @property
    def output(self) -> Path:
        return self.registry.with_suffix(".out")

    def run(self, output: Path, *words: str) -> Cost:
        command = ["manage.py", "multihost_apply", "nginx", "--registry", str(self.registry), "--reload", "/bin/true"]
        return python(
            *command, "--verbosity", "0", "--output", str(output), *words, variables=self.variables, directory=PROJECT
        )


def reloads_of(folder: Path, queued: int) -> float:
    """Return how many reloads ``queued`` changes need that are asked for while an apply reloads."""
    folder.mkdir()
    log = folder / "log"
    hook = folder / "hook"
    hook.write_text(f"#!/bin/sh\necho reloaded >> {log}\nsleep 1\n")
    hook.chmod(0o755)
    texts = count()
    registry = write_registry(folder / "sites.toml", 1)

    def load() -> Plan:
        contents = open_registry(registry, {}).load()
        codebase = Codebase(
            directory=folder, virtualenv=folder, wsgi="a.b:c", settings_module="a.settings", static_root=None
        )
        return Plan(contents.platform, contents.enabled, codebase, str(registry), folder / "out")

    def emit(plan: Plan) -> list[EmittedFile]:
        return [EmittedFile(PurePosixPath("counted/file.conf"), f"{OWNERSHIP_LINE}\n{next(texts)}\n")]

    emitter = Emitter(name="counted", summary="a number", folders=("counted",), emit=lambda plan: iter(emit(plan)))
    request = ApplyRequest(emitters=(emitter,), directory=folder / "out", load=load, reload=(str(hook),))
    threads = [Thread(target=apply, args=(request,)) for _ in range(queued + 1)]
    threads[0].start()
    while not log.exists():
        pass
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join()
    return float(log.read_text().count("reloaded") - 1)


if __name__ == "__main__":
    main()
