"""The benchmarks run. What they measure depends on the machine and is not looked at."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.projects

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "arguments", "ratios"),
    [
        ("startup", ["--sites", "2"], [r"with resolve\(\)\.apply\(\) / django\.setup\(\)"]),
        ("imports", [], [r"import wagtail_multihost\.resolver / pass"]),
        (
            "resolve",
            ["--sites", "2", "4"],
            [r"snapshot of 4 sites / django-environ, variables", r"snapshot of 4 sites / snapshot of 2 sites"],
        ),
        (
            "emit",
            ["--sites", "2", "4"],
            [
                rf"{sites} {kind} / django\.setup\(\)"
                for sites in (2, 4)
                for kind in ("first", "unchanged", "one changed")
            ],
        ),
        (
            "emit",
            ["--sites", "2", "--against", str(ROOT)],
            [rf"2 {kind} / other 2 {kind}" for kind in ("first", "unchanged", "one changed")],
        ),
        pytest.param(
            "monitor",
            ["--sites", "20", "--period", "5", "--seconds", "6"],
            ["multihost-monitor / http_client in threads"],
            marks=pytest.mark.servers,
        ),
        pytest.param(
            "fuse",
            [],
            ["a connection with the comparison / a connection without the comparison"],
            marks=pytest.mark.servers,
        ),
        pytest.param(
            "health",
            [],
            ["ready, cached / live", "live, WSGI wrapper / live", "ready, cached, WSGI wrapper / live"],
            marks=pytest.mark.servers,
        ),
        pytest.param(
            "apply",
            ["--sites", "2", "--queued", "5"],
            [rf"2 {kind} / 2 django\.setup\(\) and registry" for kind in ("first", "unchanged", "one changed")],
            marks=pytest.mark.servers,
        ),
        pytest.param(
            "layout",
            ["--sites", "2"],
            ["2 sites, one server and a map / a server block per site"],
            marks=pytest.mark.servers,
        ),
        pytest.param(
            "control",
            ["--sites", "20"],
            [
                "importing the file / reading the file",
                "registering a site / saving one row",
                "one site of the database / one site of the file",
                "the dashboard's list / Wagtail's own list",
            ],
            marks=pytest.mark.servers,
        ),
        pytest.param(
            "availability",
            ["--sites", "20", "--days", "2"],
            ["a page of 50 sites / one site"],
            marks=pytest.mark.servers,
        ),
        pytest.param(
            "agent",
            [word for name in ("nodes", "sites", "seconds", "burst", "fresh", "idle") for word in (f"--{name}", "1")],
            ["specs of touched sites / all sites at each bell", "applied of touched sites / all sites at each bell"],
            marks=pytest.mark.servers,
        ),
        pytest.param(
            "first_run",
            ["--installed"],
            ["second start with control / first start with control"],
            marks=pytest.mark.servers,
        ),
    ],
)
def test_benchmark_prints_its_ratios(name: str, arguments: list[str], ratios: list[str]) -> None:
    """The command does its rounds, exits 0 and names every ratio with its baseline."""
    command = [sys.executable, "-m", f"benchmarks.{name}", "--rounds", "1", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for ratio in ratios:
        assert re.search(rf"^ratio: {ratio} = \d+\.\d+ of (CPU time|reload|time)", done.stdout, re.MULTILINE), (
            done.stdout
        )


@pytest.mark.servers
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("fleet", ["--nodes", "4", "--sites", "5", "--at-once", "2"]),
        ("sites", ["--nodes", "2", "--sites", "4", "--served", "1", "--wagtails", "0", "--changes", "1"]),
    ],
)
def test_small_fleet_holds_what_a_large_one_must(name: str, arguments: list[str]) -> None:
    """Two nodes become four and two again, and sites are changed on two, without a failed request."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    targets = [line for line in done.stdout.splitlines() if line.startswith("target: ")]
    assert targets
    assert all(line.endswith(": held") for line in targets), done.stdout
