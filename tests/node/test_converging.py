"""What an agent makes of what it knows, without a database."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.node.machine import Machine
from wagtail_multihost.node.conditions import Conditions
from wagtail_multihost.node.converging import NODE_WAITS, Convergence
from wagtail_multihost.node.fronts import FrontApplied
from wagtail_multihost.node.reading import Known
from wagtail_multihost.nodeapi.node_states import APPLIED, FRONT
from wagtail_multihost.registry import postgres


@pytest.fixture(name="convergence")
def _convergence(tmp_path: Path) -> Convergence:
    """Return that of a node that has applied the revision 1."""
    machine = Machine(tmp_path, "aurora")
    convergence = Convergence(machine.applier.options, machine.environ, Conditions(), lambda: False)
    convergence.planner.owed.settle()
    convergence.planner.applied = 1
    return convergence


def test_front_server_has_a_revision_that_changes_nothing_for_it(convergence: Convergence) -> None:
    """Whoever waits for that revision on all nodes would else wait for ever."""
    convergence.planner.known = Known("i", 2, 0, {"id": "front1", "holds": FRONT, "nodes": []}, {"name": "aviary"}, {})
    convergence.planner.front.applied = FrontApplied({}, {})
    convergence.converge(is_new=True)
    assert (convergence.planner.applied, convergence.conditions.holds(APPLIED)) == (2, True)


def test_site_that_is_read_again_while_all_is_held_is_not_applied(convergence: Convergence) -> None:
    convergence.planner.known = Known("i", 1, 0, {"id": "web1", "holds": "all"}, {"name": "aviary"}, {})
    hold = {"site": None, "until": "2026-12-01", "actor": "user:1", "reason": "disk", "seconds": 60}
    convergence.planner.holds.take([hold])
    convergence.converge(is_new=True)
    assert convergence.problem == ""
    convergence.planner.owed.add_sites({"aurora"})
    convergence.converge(is_new=True)
    assert convergence.problem == NODE_WAITS


def test_node_file_is_read_again_only_when_it_is_another_one(
    convergence: Convergence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have a table for each of many sites, and bells ring often."""
    reads, read = [], postgres.read_node_file
    monkeypatch.setattr(postgres, "read_node_file", lambda environ: reads.append(1) or read(environ))
    assert [convergence.read_node() for _ in range(3)] == [False, False, False]
    assert len(reads) == 1
    path = convergence.planner.node.path
    assert path is not None
    path.chmod(0o644 if path.stat().st_mode & 0o777 == 0o600 else 0o600)
    assert not convergence.read_node()
    other = path.with_name("other.toml")
    other.write_text(path.read_text().replace("[agent]", 'user = "site-{site}"\n[agent]'))
    other.replace(path)
    assert convergence.read_node()
    assert len(reads) == 3
