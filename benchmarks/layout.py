"""
What nginx takes for the layout that is emitted, one server for all sites and a map, beside one server block per
site: its test, a reload until the old workers are gone, and memory (PSS: what is shared counts once).
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.measuring import print_machine, print_target, workshop
from benchmarks.registries import write_registry
from wagtail_multihost.emitters import Plan, emit
from wagtail_multihost.registry import open_registry
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.options import Overrides

PROGRAM = "/usr/sbin/nginx"
MIME_TYPES = Path("/etc/nginx/mime.types")
BASELINE, OWN = "a server block per site", "one server and a map"
#: An option that nginx takes no variable for gives a site a server block.
LAYOUTS: dict[str, Overrides] = {BASELINE: (("body_size", "21m"),), OWN: ()}
PATIENCE = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds of ``nginx -t`` and of a reload, and MiB of memory before and at most during the reload."""

    test: float
    reload: float
    memory: float
    peak: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sites", type=int, nargs="+", default=[100, 1_000, 10_000], help="100 1000 10000")
    options = parser.parse_args()
    print_machine()
    with workshop() as folder:
        for sites in options.sites:
            report(sites, measured(folder, sites, options.rounds))


def measured(folder: Path, sites: int, rounds: int) -> dict[str, Figures]:
    """Return the medians of both layouts, whose rounds alternate."""
    registry = write_registry(folder / f"{sites}.toml", sites)
    configs = {
        layout: written(folder / f"{sites}-{number}", registry, own)
        for number, (layout, own) in enumerate(LAYOUTS.items())
    }
    found: dict[str, list[Figures]] = {layout: [] for layout in configs}
    for _ in range(rounds):
        for layout, config in configs.items():
            found[layout].append(run(config))
    return {layout: middle(figures) for layout, figures in found.items()}


def middle(figures: list[Figures]) -> Figures:
    return Figures(*(statistics.median(getattr(one, name) for one in figures) for name in Figures.__slots__))


def written(folder: Path, registry: Path, own: Overrides) -> Path:
    """Write the emitted files, every site with the options ``own``; return the main file."""
    for name in ("out", "logs", "temp"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    contents = open_registry(registry, {}).load()
    platform = contents.platform.with_options(nginx_options(folder))
    codebase = Codebase(
        directory=folder, virtualenv=folder, wsgi="a.b:c", settings_module="a.settings", static_root=folder / "static"
    )
    sites = tuple(replace(site, options=(("nginx", own),)) for site in contents.enabled)
    for file in emit("nginx", Plan(platform, sites, codebase, str(registry), folder / "out")):
        path = folder / "out" / file.path
        path.parent.mkdir(exist_ok=True)
        path.write_text(file.text, encoding="utf-8")
    return folder / "out" / "nginx" / "nginx.conf"


def nginx_options(folder: Path) -> NginxOptions:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    return NginxOptions(
        http=(address,), https=(), pid=folder / "pid", logs=folder / "logs", temp=folder / "temp", mime_types=MIME_TYPES
    )


def run(config: Path) -> Figures:
    start = time.perf_counter()
    command = [PROGRAM, "-e", "stderr", "-c", str(config)]
    subprocess.run([*command, "-t", "-q"], check=True)
    tested = time.perf_counter() - start
    with running([*command, "-g", "daemon off;"]) as master:
        workers = wait_for_workers(master, set())
        memory = pss(master)
        start = time.perf_counter()
        os.kill(master, signal.SIGHUP)
        peak = memory
        while workers & children(master) or not children(master):
            peak = max(peak, pss(master))
            refuse_late(start)
        reloaded = time.perf_counter() - start
    return Figures(tested, reloaded, memory, peak)


@contextmanager
def running(command: list[str]) -> Iterator[int]:
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(PATIENCE)


def wait_for_workers(master: int, before: set[int]) -> set[int]:
    start = time.perf_counter()
    while not (found := children(master) - before):
        time.sleep(0.05)
        refuse_late(start)
    time.sleep(0.5)  # until the last of them is there
    return found | children(master)


def refuse_late(start: float) -> None:
    if time.perf_counter() - start > PATIENCE:
        raise TimeoutError(f"nginx was not ready within {PATIENCE:g} s.")


def children(pid: int) -> set[int]:
    return {int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def pss(master: int) -> float:
    """Return the memory of nginx's processes together, in MiB."""
    total = 0
    for pid in (master, *children(master)):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def report(sites: int, figures: dict[str, Figures]) -> None:
    print(f"\n{sites} sites, two hostnames each")
    print(f"{'':<24}  {'test s':>7}  {'reload s':>8}  {'PSS MiB':>8}  {'peak MiB':>8}")
    for layout, one in figures.items():
        print(f"{layout:<24}  {one.test:>7.3f}  {one.reload:>8.3f}  {one.memory:>8.1f}  {one.peak:>8.1f}")
    own, base = figures[OWN], figures[BASELINE]
    for name in ("reload", "memory"):
        print(f"ratio: {sites} sites, {OWN} / {BASELINE} = {getattr(own, name) / getattr(base, name):.3f} of {name}")
    print_target(f"reload of {sites} sites in one server, times the baseline's", own.reload / base.reload, 1.0, "times")


if __name__ == "__main__":
    if shutil.which(PROGRAM) is None:
        raise SystemExit(f"{PROGRAM} is not installed.")
    main()
