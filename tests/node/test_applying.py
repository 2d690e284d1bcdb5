"""What is refused leaves snapshots as they were, too: they are written before servers' files are tried."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.node.machine import Machine
from wagtail_multihost.exceptions import ApplyError
from wagtail_multihost.node.applying import Work

#: The processes of a site that the servers here do not take.
TOO_MANY = 7


@pytest.fixture(name="machine")
def _machine(tmp_path: Path) -> Machine:
    """Return a node with two sites in use, and a key for a third one, whose servers refuse some files."""
    script = tmp_path / "reload.sh"
    script.write_text(f"! grep -q 'processes = {TOO_MANY}' {tmp_path}/etc/uwsgi/*.ini\n")
    machine = Machine(tmp_path, "aurora", "borealis", "corona", agent=f'reload = ["sh", "{script}"]')
    machine.sites.pop("corona")
    machine.apply()
    machine.revision = 2
    return machine


def contents(machine: Machine) -> dict[str, bytes]:
    """Return the snapshots and the vassals."""
    paths = [*(machine.folder / "sites").iterdir(), *(machine.folder / "etc" / "uwsgi").iterdir()]
    return {path.name: path.read_bytes() for path in paths}


def change(machine: Machine, *sites: str, refused: str) -> Work:
    """Change records in what only snapshots have, one of them also in what the servers refuse."""
    before = machine.specs.sites
    for site in sites:
        record = machine.sites.setdefault(site, {"hostnames": [f"{site}.example.com"]})
        record["admins"] = ["a@example.com"]
    machine.sites[refused] |= {"uwsgi": {"processes": TOO_MANY}}
    return Work(machine.specs, frozenset(sites), frozenset(), before)


@pytest.mark.parametrize("refused", ["aurora", "corona"])
def test_site_that_is_refused_has_its_former_snapshot_again(machine: Machine, refused: str) -> None:
    """A new one has none. Else the next process of the site would start with what was refused."""
    before = contents(machine)
    with pytest.raises(ApplyError):
        machine.applier.apply(change(machine, refused, refused=refused))
    assert contents(machine) == before


def test_site_that_is_refused_among_others_has_its_former_snapshot_again(machine: Machine) -> None:
    before = contents(machine)
    work = change(machine, "aurora", "borealis", "corona", refused="borealis")
    applied = machine.applier.apply(work)
    assert list(applied.refused) == ["borealis"]
    after = contents(machine)
    assert sorted(after) == ["aurora.ini", "aurora.json", "borealis.ini", "borealis.json", "corona.ini", "corona.json"]
    # Nor is its process restarted: the vassal has the digest of the snapshot.
    assert {name for name in before if after[name] == before[name]} == {"borealis.ini", "borealis.json"}
    assert b"a@example.com" in after["aurora.json"]
    assert b"a@example.com" in after["corona.json"]
