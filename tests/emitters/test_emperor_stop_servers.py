"""How systemd stops the emperor: by the signal that the emitted unit names, sent to a real one."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.accounts import needs_root, passable_folder
from tests.attacks.emperor import HOSTILE, NEIGHBOUR, House, opened_house
from tests.emitters.conftest import texts
from tests.emitters.units import last, read_unit, values
from tests.servers.processes import children, is_running

pytestmark = [pytest.mark.servers, needs_root]


@pytest.fixture
def house() -> Iterator[House]:
    with passable_folder() as folder, opened_house(folder, "ATTACKS = {}", subprocess.DEVNULL) as opened:
        yield opened


def stop_signal(house: House) -> signal.Signals:
    """Return the signal of the unit; SIGTERM where it names none (systemd.kill(5))."""
    unit = read_unit(texts("systemd", house.plan)["systemd/multihost-emperor.service"])
    return signal.Signals[(values(unit, "Service", "KillSignal") or ["SIGTERM"])[0]]


def test_the_units_signal_ends_the_emperor_and_all_sites_in_time(house: House) -> None:
    """Every process is gone well before TimeoutStopSec, after which systemd would kill."""
    unit = read_unit(texts("systemd", house.plan)["systemd/multihost-emperor.service"])
    running = children(house.emperor.pid)
    assert len(running) > 4 and all(house.answers(site) for site in (HOSTILE, NEIGHBOUR))
    started = time.monotonic()
    house.emperor.send_signal(stop_signal(house))
    assert house.emperor.wait(int(last(unit, "Service", "TimeoutStopSec"))) == 0
    assert time.monotonic() - started < 15
    assert not [pid for pid in running if is_running(pid)]
    assert not Path(f"/proc/{house.emperor.pid}").exists()
