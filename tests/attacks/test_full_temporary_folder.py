"""A site that fills the folder of temporary files, which the emperor and all sites have: its neighbours start again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.accounts import needs_root, passable_folder
from tests.attacks.emperor import HOSTILE, NEIGHBOUR, opened_house
from tests.servers.processes import wait_for

pytestmark = [pytest.mark.servers, needs_root]

ATTACKS = """
import os, uuid

def fill():
    made = 0
    try:
        while True:
            open(f"/tmp/{uuid.uuid4()}", "x").close()
            made += 1
    except OSError:
        return made

ATTACKS = {"fill": fill}
"""
#: A small /tmp for the emperor and its sites, in which the test's own folder is still to be seen.
SMALL = """
mount --bind "$1" /mnt && mount -t tmpfs -o size=64k,nr_inodes=20,mode=1777 small /tmp || exit 1
mkdir "$1" && mount --bind /mnt "$1" || exit 1
shift
exec "$@"
"""


def test_a_full_temporary_folder_keeps_no_neighbour_from_starting(tmp_path: Path) -> None:
    """The neighbour that is taken away and comes back is served, though not one file can be made in /tmp."""
    with passable_folder() as folder, open(tmp_path / "emperor.log", "wb") as log:
        within = ("unshare", "--mount", "sh", "-c", SMALL, "sh", folder)
        with opened_house(folder, ATTACKS, log, within) as house:
            assert house.let(HOSTILE, "fill") > 0
            assert house.let(NEIGHBOUR, "fill") == 0
            ini = house.plan.directory / f"uwsgi/{NEIGHBOUR}.ini"
            away = ini.rename(folder / "away")
            wait_for(lambda: not house.answers(NEIGHBOUR), "the end of the neighbour")
            house.let(HOSTILE, "fill")  # what the neighbour has left free
            away.rename(ini)
            wait_for(lambda: house.answers(NEIGHBOUR), "the neighbour")
