"""What integrity finds, puts right and leaves alone, without a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.node.machine import Machine
from wagtail_multihost.node.comparing import find_drift
from wagtail_multihost.node.conditions import MESSAGE_BYTES, Conditions
from wagtail_multihost.node.integrity import HEALED, IN_PART, NOT_HEALED, Integrity
from wagtail_multihost.nodeapi.drift_kinds import MISSING, MODE, UNLISTED
from wagtail_multihost.nodeapi.node_states import DRIFT


@pytest.fixture(name="machine")
def _machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path, "aurora", "borealis")
    machine.apply()
    return machine


def look(machine: Machine, *held: str) -> dict[str, str]:
    conditions = Conditions()
    Integrity(machine.applier, 300).look(machine.specs, conditions, held, ())
    return conditions.found[DRIFT]


def test_file_that_all_sites_share_is_written_again(machine: Machine) -> None:
    emperor = machine.folder / "etc" / "uwsgi-emperor" / "emperor.ini"
    before = emperor.read_text()
    emperor.write_text(before.replace("master = true", "master = false"))
    assert look(machine)["reason"] == HEALED
    assert emperor.read_text() == before
    emperor.unlink()
    assert look(machine, "aurora", "borealis")["reason"] == NOT_HEALED  # it is written with a site
    assert look(machine)["reason"] == HEALED


def test_what_is_left_of_a_disabled_site_goes_and_what_no_record_has_stays(machine: Machine) -> None:
    vassal = machine.folder / "etc" / "uwsgi" / "aurora.ini"
    text = vassal.read_text()
    machine.sites["aurora"]["enabled"] = False
    stranger = vassal.with_name("stranger.ini")
    machine.apply("aurora")
    assert not vassal.exists()
    vassal.write_text(text)
    stranger.write_text(text)
    found = {(Path(one.where).name, one.kind, one.site) for one in find_drift(machine.applier, machine.specs)}
    assert found == {("aurora.ini", UNLISTED, "aurora"), ("stranger.ini", UNLISTED, "")}
    assert look(machine)["reason"] == IN_PART
    assert (vassal.exists(), stranger.exists()) == (False, True)


def test_folder_that_others_can_change_is_named_and_nothing_is_written_there(machine: Machine) -> None:
    output = machine.folder / "etc"
    (output / "uwsgi" / "aurora.ini").unlink()
    output.chmod(0o777)
    kinds = sorted(one.kind for one in find_drift(machine.applier, machine.specs))
    assert kinds == [MISSING, MODE]
    said = look(machine)
    assert said["reason"] == NOT_HEALED
    assert "It has the mode 0777" in said["message"]
    output.chmod(0o755)
    assert look(machine)["reason"] == HEALED


def test_condition_is_bounded_however_much_differs(tmp_path: Path) -> None:
    machine = Machine(tmp_path, *(f"site{number}" for number in range(40)))
    machine.apply()
    for path in (tmp_path / "etc" / "uwsgi").iterdir():
        path.unlink()
    said = look(machine)
    assert said["message"].startswith("40 found, 40 since the start: ")
    assert "and 32 more" in said["message"]
    assert len(said["message"]) <= MESSAGE_BYTES
    assert said["reason"] == HEALED
