"""What a front server reads, as its own role, on the real server."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection, transaction

from tests.control.fleet import OPERATOR, Fleet
from tests.control.node_roles import FIELDS, NodeLogin, node_login
from tests.control.roles import PASSWORD, Roles
from tests.servers.postgres import HOST, Postgres
from tests.servers.processes import wait_for
from wagtail_multihost.control.changes import EditPlatform, EditSite, RetireSite
from wagtail_multihost.control.edits import merge_patch, set_value
from wagtail_multihost.control.holds import hold
from wagtail_multihost.control.models import ManagedSite, Node, Placement, Report, Wave, WaveItem
from wagtail_multihost.control.nodes import displace_sites, place_sites, save_group, save_node
from wagtail_multihost.control.registration import lock_head
from wagtail_multihost.node.database import NodeDatabase
from wagtail_multihost.node.draining import POLL_SECONDS, leave
from wagtail_multihost.nodeapi import front_v1
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL, AWAY, DONE, DRAINING, FRONT, JOINING, PLACED, RUNNING

#: References of all kinds, and settings that are nobody's but the site's.
PRIVATE = {
    "database": {"engine": "postgresql", "host": "db.internal", "password": "env:DATABASE_PASSWORD_OF_AURORA"},
    "cache": {"backend": "redis", "host": "redis.internal", "password": "env:REDIS_PASSWORD_OF_AURORA"},
    "storage": {
        "backend": "s3",
        "bucket": "a-private-bucket",
        "domain": "media.example.com",
        "access_key": "env:S3_ID_OF_AURORA",
        "secret_key": "env:S3_KEY_OF_AURORA",
    },
    "mail": {"host": "smtp.internal", "username": "aurora", "password": "env:MAIL_PASSWORD_OF_AURORA"},
    "secret_key": "env:SECRET_KEY_OF_AURORA",
    "admins": ["editor@example.com"],
    "settings": {"WAGTAIL_SITE_NAME": "The museum's site"},
    "labels": {"team": "red"},
    "uwsgi": {"harakiri": 300, "processes": 7},
    "nginx": {"cache": 30},
    "tls": {"pending": ["aurora.example.com"]},
}


class FrontLogin:
    """A front server's role."""

    def __init__(self, login: NodeLogin) -> None:
        self.login = login

    def read(self, since: int | None = None, also: list[str] | None = None) -> dict[str, Any]:
        with self.login.connect() as opened:
            row = opened.execute(front_v1.READ, {"since": since, "also": also or []}).fetchone()
        assert row is not None
        return dict(zip((*FIELDS, "nodes"), row, strict=True))


@pytest.fixture(name="stack")
def _stack(live_fleet: Fleet, postgres: Postgres) -> Iterator[ExitStack]:
    Roles(postgres).make()
    save_group(OPERATOR, "fronts", FRONT)
    save_group(OPERATOR, "every", ALL)
    save_group(OPERATOR, "few", PLACED)
    save_node(OPERATOR, "front1", "fronts", state=ACTIVE)
    with ExitStack() as stack:
        yield stack


@pytest.fixture(name="front")
def _front(stack: ExitStack, postgres: Postgres) -> FrontLogin:
    return FrontLogin(stack.enter_context(node_login(postgres, "front1")))


def test_front_sees_no_secret_and_no_reference(live_fleet: Fleet, front: FrontLogin) -> None:
    """Of a record that has a reference in each place that takes one, all that is left is what nginx is made of."""
    live_fleet.add("aurora", "aurora.example.com", **PRIVATE)
    live_fleet.apply(
        EditPlatform(merge_patch({"mail": {"host": "smtp.internal", "username": "all", "password": "env:MAIL_OF_ALL"}}))
    )
    with front.login.connect() as opened:
        seen = [
            opened.execute(f"SELECT to_jsonb(view) FROM node_api_v1.{name} AS view").fetchall()
            for name in front_v1.VIEW_NAMES
        ]
    text = json.dumps([front.read(), seen], default=str)
    for word in ("env:", "internal", "password", "secret_key", "access_key", "private", "editor@", "museum", "team"):
        assert word not in text
    assert front.read()["sites"]["aurora"]["record"] == {
        "hostnames": ["aurora.example.com"],
        "storage": {"backend": "s3", "domain": "media.example.com"},
        "uwsgi": {"harakiri": 300},
        "nginx": {"cache": 30},
        "tls": {"pending": ["aurora.example.com"]},
    }


def test_front_is_told_of_all_that_is_held(live_fleet: Fleet, front: FrontLogin) -> None:
    """It would close a site that its nodes still serve. Holds of other nodes are not its own."""
    save_node(OPERATOR, "web1", "every")
    hold(OPERATOR, live_fleet.add("aurora"), seconds=60, reason="restore")
    hold(OPERATOR, node=Node.objects.get(pk="web1"), seconds=60, reason="disk")
    assert [(one["site"], one["node"]) for one in front.read()["holds"]] == [("aurora", None)]


FORBIDDEN = (
    "SELECT record FROM public.control_site",
    "SELECT sealed FROM public.control_sealed_secret",
    "SELECT record FROM node_api_v1.site",
    "SELECT public.control_fronts_passed(1)",
)


def test_front_has_no_other_rights(live_fleet: Fleet, front: FrontLogin) -> None:
    """Neither on tables, nor to what only nodes with sites are given."""
    live_fleet.add("aurora")
    for statement in FORBIDDEN:
        with front.login.connect() as opened, pytest.raises(psycopg.errors.InsufficientPrivilege):
            opened.execute(statement)
    read = front.login.read()
    assert (read["platform"], read["sites"], read["count"]) == (None, {}, 0)


def test_nodes_see_nothing_of_fronts(live_fleet: Fleet, stack: ExitStack, postgres: Postgres) -> None:
    """A node is told of no other site and no other node, by these views either; a login of no node of nothing."""
    live_fleet.add("aurora")
    for number in (1, 2):
        save_node(OPERATOR, f"web{number}", "few", address=f"10.0.0.{number}:8080", state=ACTIVE)
    login = stack.enter_context(node_login(postgres, "web1"))
    nothing = (None, {}, 0, [], [])
    read = FrontLogin(login).read()
    assert tuple(read[key] for key in ("platform", "sites", "count", "nodes", "gone")) == nothing
    with postgres.connect(login.database) as opened:
        opened.execute("DELETE FROM control_node_identity WHERE node_id = 'web1'")
    read = FrontLogin(login).read()
    assert tuple(read[key] for key in ("platform", "sites", "count", "nodes", "gone")) == nothing
    assert not passed(login)


def test_nodes_are_listed_while_they_can_be_asked(live_fleet: Fleet, front: FrontLogin) -> None:
    """A node is asked once it is active, or while it drains, for a placed site once it serves that."""
    aurora = live_fleet.add("aurora")
    save_node(OPERATOR, "web1", "few", address="10.0.0.1:8080", state=ACTIVE)
    save_node(OPERATOR, "web2", "every", address="10.0.0.2:8080", state=JOINING)
    save_node(OPERATOR, "web3", "every", address="10.0.0.3:8080", state=DRAINING)
    save_node(OPERATOR, "web4", "every", state=ACTIVE)
    place_sites(OPERATOR, "web1", [aurora])
    read = front.read()
    assert [(one["id"], one["state"], one["holds_all"]) for one in read["nodes"]] == [
        ("web1", ACTIVE, False),
        ("web3", DRAINING, True),
    ]
    assert read["sites"]["aurora"]["nodes"] == []
    revision = read["revision"]
    lift_head(lambda: Placement.objects.update(is_serving=True, front_revision=revision + 1))
    assert front.read(revision)["sites"]["aurora"]["nodes"] == ["web1"]
    displace_sites(OPERATOR, "web1", [aurora])
    assert front.read(revision)["sites"]["aurora"]["nodes"] == []


def test_front_reads_what_has_changed_alone(live_fleet: Fleet, front: FrontLogin) -> None:
    aurora, borealis = live_fleet.add("aurora"), live_fleet.add("borealis")
    revision = live_fleet.revision
    live_fleet.apply(EditSite(aurora.uid, set_value(("state",), "maintenance")))
    live_fleet.apply(RetireSite(borealis.uid))
    read = front.read(revision)
    assert (list(read["sites"]), read["count"], read["platform"]) == (["aurora"], 1, None)
    assert [one["id"] for one in read["gone"]] == ["borealis"]
    assert list(front.read(live_fleet.revision, also=["aurora"])["sites"]) == ["aurora"]


def test_fronts_get_the_new_records_when_a_wave_is_done(live_fleet: Fleet, front: FrontLogin) -> None:
    """Until then some nodes do not know a new hostname, and a front that asks them would be told that there is none."""
    aurora = live_fleet.add("aurora")
    former = dict(aurora.record)
    revision = live_fleet.revision
    live_fleet.apply(EditSite(aurora.uid, set_value(("hostnames",), ["new.example.com"])))
    wave = lift_head(lambda: start_wave(aurora, former, revision + 1))
    assert front.read()["sites"]["aurora"]["record"]["hostnames"] == former["hostnames"]
    lift_head(lambda: Wave.objects.filter(pk=wave.pk).update(state=DONE, stage_revision=revision + 5))
    assert front.read(revision + 4)["sites"]["aurora"]["record"]["hostnames"] == ["new.example.com"]


def start_wave(site: ManagedSite, former: dict[str, Any], revision: int) -> Wave:
    values = {"revision": revision, "stage_revision": revision, "stage_at": lock_head().now, "bake_seconds": 60}
    wave = Wave.objects.create(state=RUNNING, **values)
    WaveItem.objects.create(wave=wave, site=site, revision=revision, former=former)
    return wave


def lift_head(change: Any) -> Any:
    """Change rows of the registry, with the head taken as its writers take it."""
    with transaction.atomic():
        lock_head()
        return change()


def test_node_goes_only_when_all_fronts_have_dropped_it(
    live_fleet: Fleet, front: FrontLogin, stack: ExitStack, postgres: Postgres
) -> None:
    """Each active front has applied its departure, and still speaks; those that are not active yet do not count."""
    save_node(OPERATOR, "front2", "fronts", state=ACTIVE)
    save_node(OPERATOR, "front3", "fronts", state=JOINING)
    save_node(OPERATOR, "web1", "every", address="10.0.0.1:8080", state=ACTIVE)
    node = stack.enter_context(node_login(postgres, "web1"))
    other = stack.enter_context(node_login(postgres, "front2"))
    applied = live_fleet.revision
    assert node.enter(DRAINING)
    front.login.report(applied)
    other.report(live_fleet.revision)
    assert not passed(node)
    front.login.report(live_fleet.revision)
    assert passed(node)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE control_report SET seen_at = now() - interval '91 seconds' WHERE node_id = 'front2'")
    assert not passed(node)
    Report.objects.filter(pk="front2").delete()
    assert not passed(node)
    for name in ("front1", "front2"):
        save_node(OPERATOR, name, "fronts", state=DRAINING)
    assert passed(node)


def test_leaving_node_waits_for_the_fronts(
    live_fleet: Fleet, front: FrontLogin, stack: ExitStack, postgres: Postgres, tmp_path: Path
) -> None:
    """It is away only when they have dropped it, or have had the time to. Where none asks it, it goes at once."""
    for number in (1, 2):
        save_node(OPERATOR, f"web{number}", "every", address=f"10.0.0.{number}:8080", state=ACTIVE)
    save_node(OPERATOR, "web3", "every", state=ACTIVE)
    node, hurried, direct = (database_of(stack, postgres, tmp_path, name) for name in ("web1", "web2", "web3"))
    front.login.report(live_fleet.revision)
    silent, signals = os.pipe2(os.O_NONBLOCK)
    stack.callback(os.close, silent)
    stack.callback(os.close, signals)
    with ThreadPoolExecutor(1) as pool:
        leaving = pool.submit(leave, node, 60.0, silent)
        wait_for(lambda: state_of("web1") in (DRAINING, AWAY), "the beginning")
        time.sleep(4 * POLL_SECONDS)
        assert not leaving.done()
        assert state_of("web1") == DRAINING
        front.login.report(live_fleet.revision)
        assert leaving.result(60)
    assert state_of("web1") == AWAY
    assert not leave(hurried, 2 * POLL_SECONDS, silent)
    assert state_of("web2") == AWAY
    assert leave(direct, 60.0, silent)
    save_node(OPERATOR, "web1", "every", state=ACTIVE, address="10.0.0.1:8080")
    with ThreadPoolExecutor(1) as pool:
        leaving = pool.submit(leave, node, 60.0, silent)
        wait_for(lambda: state_of("web1") == DRAINING, "the beginning")
        os.write(signals, b"x")
        assert not leaving.result(30)


def database_of(stack: ExitStack, postgres: Postgres, folder: Path, name: str) -> NodeDatabase:
    login = stack.enter_context(node_login(postgres, name))
    (folder / "pgpass").write_text(f"*:*:*:*:{PASSWORD}\n")
    (folder / "pgpass").chmod(0o600)
    url = f"postgres://{login.role}@{HOST}:{postgres.port}/{login.database}?passfile={folder}/pgpass"
    database = NodeDatabase(url)
    stack.callback(database.close)
    return database


def state_of(node: str) -> str:
    return str(Node.objects.get(pk=node).state)


def passed(node: NodeLogin) -> bool:
    with node.connect() as opened:
        row = opened.execute(front_v1.FRONTS_PASSED).fetchone()
    assert row is not None and isinstance(row[0], bool)
    return row[0]
