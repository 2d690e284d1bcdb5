"""What a newcomer waits for: the first and the second start of the example project, and each of their steps."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import (
    KEPT,
    ROOT,
    Cost,
    Costs,
    medians,
    print_machine,
    print_table,
    print_target,
    workshop,
)

FIRST, SECOND = "first start", "second start"
TARGETS = {FIRST: 90, SECOND: 10}  # seconds, on two idle cores
SERVED = "Stop with Ctrl-C."
STEP = re.compile(r"^ *(\d+\.\d) s  (\S.*) …$", re.MULTILINE)
LEFT_OUT = shutil.ignore_patterns(".*", "data", "_build", "__pycache__", "tests")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--installed", action="store_true", help="leave out the installation: use the packages of this Python"
    )
    options = parser.parse_args()
    with workshop() as folder:
        variables = {name: os.environ[name] for name in KEPT if name in os.environ}
        if not options.installed:
            variables |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(download(folder / "wheels"))}
        costs: Costs = {FIRST: [], SECOND: []}
        for number in range(options.rounds):
            project = copy_checkout(folder / f"round-{number}")
            words = command(project, options.installed)
            for side in costs.values():
                side.append(start(words, variables, folder))
            shutil.rmtree(project.parent)
    print_machine()
    print_table(costs, FIRST)
    for name, side in costs.items():
        print_steps(name, side)
    wall = {name: medians(side).wall for name, side in costs.items()}
    print(f"\nratio: {SECOND} / {FIRST} = {wall[SECOND] / wall[FIRST]:.3f} of time")
    for name, seconds in TARGETS.items():
        print_target(name, wall[name], seconds, "s")


def download(folder: Path) -> Path:
    """Fetch all that the first start installs, so that no network is measured."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    # What hatchling asks for besides, to build an editable wheel.
    requirements = [f"{ROOT}[postgres]", "pyuwsgi", *build, "editables"]
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder), *requirements]
    subprocess.run(words, check=True, stderr=subprocess.DEVNULL)
    return folder


def copy_checkout(folder: Path) -> Path:
    """Return the example project of a fresh copy."""
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    return folder / "example_project"


def command(project: Path, is_installed: bool) -> list[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    program = [sys.executable, str(project / "serve.py")] if is_installed else [str(project / "run")]
    return [*program, "--port", port]


def start(words: Sequence[str], variables: dict[str, str], folder: Path) -> Cost:
    """
    Run the command until its sites are served, and stop it. Its ``wall`` time ends when they are; ``cpu`` is that of
    all its programs, their end included, and ``output`` is all that it said.
    """
    log = folder / "output"
    with open(log, "wb") as output:
        begin = time.perf_counter()
        process = subprocess.Popen(words, env=variables, stdout=output, stderr=subprocess.STDOUT)
        while SERVED not in (text := log.read_text(encoding="utf-8")):
            if process.poll() is not None:
                raise SystemExit(f"The example project does not start:\n{text}")
            time.sleep(0.02)
        wall = time.perf_counter() - begin
        process.send_signal(signal.SIGINT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text)


def print_steps(name: str, costs: Sequence[Cost]) -> None:
    """Print the median of what each step of a start took."""
    steps: dict[str, list[float]] = {}
    for cost in costs:
        found = [(float(seconds), words) for seconds, words in STEP.findall(cost.output)]
        ends = [*(seconds for seconds, _ in found[1:]), cost.wall]
        for (seconds, words), end in zip(found, ends, strict=True):
            steps.setdefault(words, []).append(end - seconds)
    print(f"\n{name}:")
    for words, seconds in steps.items():
        print(f"{statistics.median(seconds):>7.1f} s  {words}")


if __name__ == "__main__":
    main()
