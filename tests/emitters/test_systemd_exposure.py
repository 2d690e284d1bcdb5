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

from tests.emitters.conftest import GOLDEN

pytestmark = pytest.mark.servers

#: systemd's scale ends at 10. Above this a unit must be answered for here; none is.
MOST = 3.0
UNITS = sorted((GOLDEN / "systemd").glob("*/systemd/*.service"))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: f"{path.parts[-3]}/{path.name}")
def test_exposure_of_each_unit_is_low(unit: Path) -> None:
    """The overall level, which is printed, is at most 3.0."""
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--no-pager", unit], capture_output=True, text=True, check=True
    )
    (level,) = re.findall(r"exposure level for \S+: ([0-9.]+)", done.stdout)
    print(f"{unit.parts[-3]}/{unit.name}: {level}")
    assert float(level) <= MOST, done.stdout
