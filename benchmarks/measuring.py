"""Fresh processes, what each one cost, and the tables of it."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "example_project"
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV")
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cost:
    """What one process took: ``wall`` and ``cpu`` (user and system) seconds, ``peak`` resident MiB, and its output."""

    wall: float
    cpu: float
    peak: float
    output: str = ""


Side = Callable[[], Cost]
Costs = dict[str, list[Cost]]


@contextmanager
def workshop() -> Iterator[Path]:
    """Yield a folder that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="multihost-benchmark-") as name:
        yield Path(name)


def environment(folder: Path, **variables: str) -> dict[str, str]:
    """
    Return the variables of a measured process: none that configure Python or Django but ``variables``.
    Bytecode is kept in ``folder``, so that a run neither depends on caches in the sources nor leaves any.
    """
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    path = os.pathsep.join([str(PROJECT), str(ROOT)])
    return {**kept, "PYTHONPATH": path, "PYTHONPYCACHEPREFIX": str(folder / "bytecode"), **variables}


def python(*arguments: str, variables: Mapping[str, str], directory: Path) -> Cost:
    """Run Python with ``arguments`` and return its cost; raises CalledProcessError when it fails."""
    command = [sys.executable, *arguments]
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=directory, env=dict(variables), stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read().decode()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text)


def interleaved(sides: Mapping[str, Side], rounds: int) -> Costs:
    """
    Return the costs of every side. A round runs all sides, and each round starts with another one: what else
    the machine does falls on all of them. Before several rounds each side runs once without being counted.
    """
    names = list(sides)
    if rounds > 1:
        for name in names:
            sides[name]()
    costs: Costs = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in [*names[first:], *names[:first]]:
            costs[name].append(sides[name]())
    return costs


def medians(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "peak")))


def spread(values: Sequence[float]) -> float:
    """Return the distance between the quartiles; 0 for a single value."""
    if len(values) < 2:
        return 0.0
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    return quartiles[2] - quartiles[0]


def print_machine() -> None:
    """Print what the figures depend on."""
    optimized = "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS"))
    versions = ", ".join(f"{name} {version(name)}" for name in ("Django", "Wagtail", "wagtail-multihost"))
    build = "profile-guided build" if optimized else "no profile-guided build known"
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"Python {platform.python_version()} ({build}), {versions}")
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, load {load}")


def print_table(costs: Costs, baseline: str) -> None:
    """Print one line per side: median ± half of the quartile distance, and the ratio of CPU time to the baseline's."""
    width = max(map(len, costs))
    print(f"\n{'':<{width}}  {'wall ms':>15}  {'CPU ms':>15}  {'least CPU':>9}  {'peak MiB':>8}  {'ratio':>6}")
    base = medians(costs[baseline])
    for name, side in costs.items():
        middle = medians(side)
        wall = f"{middle.wall * 1000:.1f} ± {spread([cost.wall for cost in side]) * 500:.1f}"
        cpu = f"{middle.cpu * 1000:.1f} ± {spread([cost.cpu for cost in side]) * 500:.1f}"
        least = min(cost.cpu for cost in side) * 1000
        ratio = middle.cpu / base.cpu
        print(f"{name:<{width}}  {wall:>15}  {cpu:>15}  {least:>9.1f}  {middle.peak:>8.1f}  {ratio:>6.3f}")


def print_target(name: str, value: float, limit: float, unit: str) -> None:
    """Print whether a figure is below its target."""
    print(f"target: {name} {value:.2f} {unit}, below {limit:g} {unit}: {'held' if value < limit else 'MISSED'}")
