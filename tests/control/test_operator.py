"""The operator's command as a process, on the real server."""

from __future__ import annotations

import base64
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.control.fleet import OPERATOR, Fleet
from tests.control.operators import OperatorHere
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from tests.servers.processes import running, wait_for
from wagtail_multihost.control.models import SealedSecret
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.control.roles import OPERATOR as ROLE
from wagtail_multihost.control.roles import WEB
from wagtail_multihost.nodeapi.connection import RefusedError
from wagtail_multihost.nodeapi.node_states import ALL
from wagtail_multihost.nodeapi.v1 import CHANNEL
from wagtail_multihost.operations.operator import database
from wagtail_multihost.operations.operator.ticks import Rounds, Tick, sql_tick
from wagtail_multihost.sealing import IN_TRANSIT, SEALED_FORMAT, fingerprint_of, public_bytes, purpose_of, seal_text


@pytest.fixture(name="operator")
def _operator(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> Iterator[OperatorHere]:
    roles = Roles(postgres)
    roles.make()
    save_group(OPERATOR, "web", ALL)
    operator = OperatorHere(roles, tmp_path)
    yield operator
    operator.close()
    operator.drop("web1", "web2")


def test_running_operator_seals_at_once_and_ends_when_told(live_fleet: Fleet, operator: OperatorHere) -> None:
    """For a node that joins and for a new site, also after its connection was ended; its log has no secret."""
    minted = operator.command("mint", "web", "--for", "10m")
    assert minted.returncode == 0, minted.stderr
    token = minted.stdout.removesuffix("\n")
    assert token not in minted.stderr
    assert "20 nodes may join the group web" in minted.stderr
    live_fleet.add("aurora")
    words = ["--development", "--folder", str(operator.folder.path), "--database", operator.url(ROLE), "--poll", "60"]
    command = [sys.executable, "-P", "-m", "wagtail_multihost.operations.operator", "run", *words]
    log = operator.root / "operator.log"
    sealed = SealedSecret.objects.exclude(node=None).values("site").distinct()
    with running(command, log) as process:
        wait_for(lambda: SealedSecret.objects.filter(node=None).exists(), "the key of aurora")
        operator.join("web1", token)
        wait_for(lambda: sealed.count() == 1, "aurora for web1")
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
        operator.roles.server.execute(operator.roles.database, ended, parameters=(ROLE,))
        live_fleet.add("borealis")
        wait_for(lambda: sealed.count() == 2, "borealis for web1")
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0, log.read_text()
    assert token not in log.read_text()


def test_bell_that_came_with_an_answer_is_heard(operator: OperatorHere, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not there to be read any more when the operator begins to wait."""
    operator.database.ask("SELECT pg_notify(%s, '')", (CHANNEL,))
    bounds = []

    def look(*words: Any) -> tuple[list[int], list[int], list[int]]:
        bounds.append(words[-1])
        return [], [], []

    monkeypatch.setattr(database.select, "select", look)
    operator.database.wait(60, 0)
    operator.database.wait(60, 0)
    assert (bounds[0], bounds[-1]) == (0, 60)


def test_status_says_what_waits_for_a_person(live_fleet: Fleet, operator: OperatorHere) -> None:
    """And what is not known, by its fingerprint; nothing is minted for a group that there is not."""
    live_fleet.add("aurora")
    save_node(OPERATOR, "web2", "web")
    operator.join("web1", operator.mint().text)
    assert operator.command("run", "--once").returncode == 0
    done = operator.command("status", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, [node["is_known"] for node in found["nodes"]]) == (0, [True])
    assert (found["sites_without_key"], found["nodes"][0]["unsealed"]) == ([], 0)
    (operator.folder.path / "nodes.json").unlink()
    (operator.folder.path / "tokens.json").unlink()
    live_fleet.add("borealis")
    said = operator.command("status")
    assert said.returncode == 1
    assert "web1 (web, joining, never seen) is NOT known" in said.stdout
    assert "borealis" in said.stdout
    assert operator.command("mint", "nowhere").returncode == 2
    assert not (operator.folder.path / "tokens.json").exists()


def test_status_steers_no_terminal_and_forges_no_line(live_fleet: Fleet, operator: OperatorHere) -> None:
    """The web process writes rows of nodes, and whoever has the operator's folder reads them."""
    operator.join("web1", operator.mint().text)
    with operator.roles.connect(WEB) as opened:
        opened.execute("BEGIN; UPDATE control_head SET revision = revision + 1")
        opened.execute(
            "INSERT INTO control_event (revision, type, at, site, actor, request, metadata)"
            " SELECT revision, 'node.changed', now(), '', '', gen_random_uuid(), '{}' FROM control_head"
        )
        opened.execute("UPDATE control_node SET state = E'\x1b[2J\nweb9'; COMMIT")
    said = operator.command("status").stdout
    assert "web1" in said and "\x1b" not in said
    assert not any(line.startswith("web9") for line in said.splitlines())


def test_no_answer_of_the_database_steers_a_terminal(live_fleet: Fleet, operator: OperatorHere) -> None:
    """Not that of a command that does something either: the group of a node, and the ids of sites, are the web's."""
    site = live_fleet.add("aurora")
    operator.join("web1", operator.mint().text)
    operator.work()
    wanted = operator.root / "keys.json"
    recovery = public_bytes(operator.folder.recovery_key())
    sealed = seal_text("another-key-of-aurora", recovery, purpose_of(str(site.uid), "secret_key", IN_TRANSIT))
    fields = {str(site.uid): {"secret_key": base64.b64encode(sealed).decode()}}
    wanted.write_text(json.dumps({"format": SEALED_FORMAT, "recovery": fingerprint_of(recovery), "sites": fields}))
    wanted.chmod(0o600)
    with operator.roles.connect(WEB) as opened:
        opened.execute("BEGIN; UPDATE control_head SET revision = revision + 1")
        opened.execute("INSERT INTO control_node_group VALUES (E'x\x1b[2J\nweb9 is known', 'all', 2, false, 0)")
        opened.execute("UPDATE control_node SET group_id = E'x\x1b[2J\nweb9 is known'")
        opened.execute("UPDATE control_site SET id = E'y\x1b[2J\nweb9 is known', generation = generation + 1")
        opened.execute(
            "INSERT INTO control_event (revision, type, at, site, uid, generation, actor, request, metadata)"
            " SELECT head.revision, 'site.changed', now(), '', site.uid, site.generation, '', gen_random_uuid(), '{}'"
            " FROM control_head AS head, control_site AS site"
        )
        opened.execute("COMMIT")
    fingerprint = fingerprint_of(public_bytes(operator.key_of("web1")))
    for words in (["confirm", "web1", fingerprint], ["take", str(wanted)]):
        done = operator.command(*words)
        said = done.stdout + done.stderr
        assert "web9" in said and "\x1b" not in said, said
        assert not any(line.startswith("web9") for line in said.splitlines())


def test_tick_that_fails_keeps_no_other_from_its_work(operator: OperatorHere) -> None:
    """As where the database is of an older version, and has no such function."""
    done = []

    def work(_: object) -> int:
        done.append(1)
        return 0

    def stumble(_: object) -> int:
        raise ValueError("a row that nobody thought of")

    ticks = (sql_tick("advance_nothing"), Tick("stumble", stumble), Tick("work", work))
    rounds = Rounds(operator.operator, ticks)
    assert rounds.turn() == 0
    assert done == [1]
    assert "nobody thought of" in rounds.failed["stumble"]
    assert "advance_nothing" in rounds.failed["advance_nothing"]
    with pytest.raises(RefusedError):
        operator.database.ask("SELECT record FROM public.control_site")
