"""The commands that wait for a change, and steer a wave."""

from __future__ import annotations

import io
import json
import threading
import time
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import node_login
from tests.control.roles import Roles
from tests.control.waves import WaveFleet
from tests.servers.postgres import Postgres
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.control.wave_plans import BAKE_SETTING
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, DONE

NEW = {"uwsgi": {"processes": 7}}


def call(*words: Any, **options: Any) -> tuple[str, str, int]:
    """Return what a command prints, what it says, and its exit code."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    try:
        call_command(*map(str, words), stdout=out, stderr=err, **options)
    except CommandError as error:
        code = error.returncode
        err.write(str(error))
    return out.getvalue(), err.getvalue(), code


def test_wait_ends_when_all_have_it(waves: WaveFleet) -> None:
    waves.add_sites(1)
    waves.report_all()
    assert call("multihost_wait") == (f"Revision {waves.fleet.revision} is on all nodes (3).\n", "", 0)
    assert call("multihost_wait", "--site", "site0")[2] == 0


def test_wait_names_the_nodes_that_lag_and_why(waves: WaveFleet) -> None:
    sites = waves.add_sites(3)
    waves.report("web1")
    waves.silence("web2")
    out, err, code = call("multihost_wait", "--timeout", 0)
    assert (out, code) == ("", 1)
    assert "web2: It has said nothing for more than 90 seconds." in err
    assert "web3: It has applied" in err
    assert "web1" not in err
    waves.change(*sites, **NEW)
    waves.report_all()
    out, err, code = call("multihost_wait", "--site", "site1", "--timeout", 0, "--json")
    shown = json.loads(out)
    assert (code, shown["synced"]) == (1, False)
    assert sorted(node["id"] for node in shown["nodes"] if node["held_back"]) == sorted(
        node for node in ("web1", "web2", "web3") if node != waves.first()
    )
    assert "A wave has not reached it yet." in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--revision", "999999"], "only, so no node can have 999999"),
        (["--revision", "-1"], "It must be 0 or more"),
        (["--timeout", "-1"], "from 0 to"),
        (["--site", "nowhere"], "There is no such site"),
    ],
)
def test_wait_refuses_what_cannot_come(waves: WaveFleet, words: list[str], said: str) -> None:
    _, err, code = call("multihost_wait", *words)
    assert code == 2
    assert said in err


def test_wait_says_for_whom_it_waits_and_ends_with_the_report(live_fleet: Fleet, postgres: Postgres) -> None:
    Roles(postgres).make()
    save_group(OPERATOR, "web", ALL)
    save_node(OPERATOR, "web1", "web", state=ACTIVE)
    revision = live_fleet.revision
    with node_login(postgres, "web1") as login:
        reports = threading.Timer(3, lambda: login.report(revision))
        reports.start()
        start = time.monotonic()
        out, err, code = call("multihost_wait", "--timeout", 30)
        reports.join()
    assert (code, out) == (0, f"Revision {revision} is on all nodes (1).\n")
    assert err == "Waiting for web1.\n"
    assert 2 < time.monotonic() - start < 20


def test_wave_is_shown_and_steered(waves: WaveFleet) -> None:
    sites = waves.add_sites(3)
    assert call("multihost_wave") == ("No wave runs, and none has stopped.\n", "", 0)
    with override_settings(**{BAKE_SETTING: 30}):
        waves.change(*sites, **NEW)
    out, _, _ = call("multihost_wave")
    assert str(waves.wave.pk) in out
    assert "stage 1 of 3: one node" in out
    assert "site0, site1, site2" in out
    [shown] = json.loads(call("multihost_wave", "--json")[0])["waves"]
    assert (shown["state"], shown["bake_seconds"], shown["admitted"]) == ("running", 30, [waves.first()])
    _, err, code = call("multihost_wave", "resume")
    assert code == 2
    assert "It has not stopped" in err
    other = "00000000-0000-4000-8000-000000000000"
    assert call("multihost_wave", "finish", "--wave", other)[2] == 2
    out, _, code = call("multihost_wave", "abandon", "--reason", "it was wrong")
    assert code == 0
    assert "3 changes." in out
    assert waves.wave.state == DONE
    assert waves.wave.items.filter(is_current=True).count() == 0
    waves.change(*sites, **NEW)
    assert json.loads(call("multihost_wave", "finish", "--json")[0]) == {"revision": waves.fleet.revision}
    assert "done (finished at once)" in call("multihost_wave", "list", "--all")[0]
