"""
How much systemd's own analysis finds open in each emitted unit.

systemd does not run here as the first process, so that what a unit closes is not tried; that uWSGI's emperor does its
work without the capabilities that it loses is (tests/attacks/test_emperor_capabilities.py).
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.emitters.test_systemd import CASES
from wagtail_multihost.emitters import Plan, emit

pytestmark = pytest.mark.servers

#: systemd's scale ends at 10. Above this a unit must be answered for here; none is.
MOST = 3.0


def exposures(plan: Plan, folder: Path) -> dict[str, float]:
    """Return the overall level of each service of a plan."""
    found = {}
    for file in emit("systemd", plan):
        if file.path.suffix == ".service":
            unit = folder / file.path.name
            unit.write_text(file.text)
            words = ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit]
            done = subprocess.run(words, capture_output=True, text=True, check=True)
            (level,) = re.findall(r"exposure level for \S+: ([0-9.]+)", done.stdout)
            found[unit.name] = float(level)
    return found


@pytest.mark.parametrize("case", CASES)
def test_exposure_of_each_unit_is_low(case: str, tmp_path: Path) -> None:
    """The overall level, which is printed, is at most 3.0."""
    found = exposures(CASES[case], tmp_path)
    print(case, found)
    assert found
    assert {name: level for name, level in found.items() if level > MOST} == {}
