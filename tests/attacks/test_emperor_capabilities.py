"""
The emperor starts and ends sites with the capabilities that its emitted unit leaves it, and no other.

systemd does not run here as the first process: setpriv bounds the emperor as the unit's line does.
"""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

import pytest

from tests.accounts import needs_root, passable_folder
from tests.attacks.emperor import HOSTILE, NEIGHBOUR, opened_house
from tests.emitters.conftest import make_plan, make_platform, make_site, texts
from tests.emitters.units import last, read_unit
from tests.servers.processes import children, wait_for

pytestmark = [pytest.mark.servers, needs_root]

ATTACKS = """
import pathlib

ATTACKS = {"status": lambda: pathlib.Path("/proc/self/status").read_text()}
"""


def bounded(words: str) -> list[str]:
    """Return the words that start a program with these capabilities, named as units name them, in its bounding set."""
    kept = ",".join(f"+{word.removeprefix('CAP_').lower()}" for word in words.split())
    return ["setpriv", "--inh-caps", "-all", "--bounding-set", f"-all,{kept}"]


def bounds(status: str) -> int:
    (line,) = [line for line in status.splitlines() if line.startswith("CapBnd:")]
    return int(line.split()[1], 16)


def stopped(pids: list[int]) -> bool:
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_emperor_needs_no_capability_that_its_unit_takes(tmp_path: Path) -> None:
    """Two sites with accounts answer, as such; one whose file goes is stopped, and all with the emperor."""
    unit = texts("systemd", make_plan(make_site("aurora"), platform=make_platform(user="site-{site}")))
    found = read_unit(unit["systemd/multihost-emperor.service"])
    capabilities = last(found, "Service", "CapabilityBoundingSet")
    with (
        passable_folder() as folder,
        open(tmp_path / "log", "wb") as log,
        opened_house(folder, ATTACKS, log, bounded(capabilities)) as house,
    ):
        status = Path(f"/proc/{house.emperor.pid}/status").read_text()
        assert bounds(status).bit_count() == len(capabilities.split())
        uids = [house.let(site, "status").split("Uid:\t")[1].split()[0] for site in (HOSTILE, NEIGHBOUR)]
        assert uids == ["5", "9"]
        gone = [pid for pid in children(house.emperor.pid) if Path(f"/proc/{pid}").owner() == HOSTILE]
        assert gone
        (house.plan.directory / f"uwsgi/{HOSTILE}.ini").unlink()
        wait_for(partial(stopped, gone), "the end of the site whose file is gone", 20)
        assert house.answers(NEIGHBOUR)
        rest = children(house.emperor.pid)
        assert rest
        subprocess.run(["kill", "-TERM", str(house.emperor.pid)], check=True)
        house.emperor.wait(30)
        wait_for(partial(stopped, rest), "the end of all sites", 20)
