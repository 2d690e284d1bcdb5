"""Each managed site has a probe key, whose public part only the operator process states."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from django.db import connection

from tests.control.fleet import OPERATOR, Fleet
from tests.control.operators import OperatorHere
from tests.control.roles import Roles
from tests.control.test_joining import joining_agent
from tests.control.test_sealing import opened
from tests.servers.postgres import Postgres
from wagtail_multihost.control.changes import CreateSite, EditSite, RetireSite
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import Event, ManagedSite, SealedSecret
from wagtail_multihost.control.nodes import save_group
from wagtail_multihost.control.probe_key_triggers import COLUMNS
from wagtail_multihost.control.roles import OPERATOR as ROLE
from wagtail_multihost.control.roles import WEB
from wagtail_multihost.exceptions import ConfigurationError, MultihostError
from wagtail_multihost.nodeapi.node_states import ALL
from wagtail_multihost.operations.operator import probe_keys
from wagtail_multihost.operations.operator.probe_keys import ProbeKeys
from wagtail_multihost.spec.names import derive_names
from wagtail_multihost.spec.proofs import make_probe_key, public_probe_key
from wagtail_multihost.spec.secret import Secret

DENIED = "42501"
TELL = "SELECT operator_v1.tell_probe_key(%s, %s)"


@pytest.fixture(name="operator")
def _operator(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> Iterator[OperatorHere]:
    roles = Roles(postgres)
    roles.make()
    save_group(OPERATOR, "web", ALL)
    operator = OperatorHere(roles, tmp_path)
    yield operator
    operator.close()
    operator.drop("web1")


class Clock:
    """A clock that goes when it is told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def public_keys() -> dict[str, bytes | None]:
    rows = ManagedSite.objects.order_by("identifier").values_list("identifier", "probe_key")
    return {site: key if key is None else bytes(key) for site, key in rows}


def test_each_site_gets_a_key_whose_public_part_is_told(live_fleet: Fleet, operator: OperatorHere) -> None:
    """Also an imported one, of which no other key is made: nothing depends on a former one."""
    sites = [live_fleet.add("aurora"), live_fleet.add("borealis")]
    derived = derive_names("aviary", "corona")
    names = {key: getattr(derived, key) for key in ("bucket", "database", "key_prefix", "role", "socket")}
    live_fleet.apply(CreateSite("corona", {"hostnames": ["corona.example.com"]}, uid=uuid4(), names=names))
    operator.join("web1", operator.mint().text)
    operator.work()
    told = public_keys()
    assert len({*told.values()}) == 3 and None not in told.values()
    for site in sites:
        found = opened(operator, "web1", site)
        assert public_probe_key(Secret(found["probe_key"])) == told[site.identifier]
        assert found.keys() == {"secret_key", "probe_key"}
    assert opened(operator, "web1", live_fleet.site("corona")).keys() == {"probe_key"}
    serials = list(SealedSecret.objects.values_list("serial", flat=True))
    operator.work()
    assert (public_keys(), list(SealedSecret.objects.values_list("serial", flat=True))) == (told, serials)


def test_key_is_no_change_of_the_registry(live_fleet: Fleet, operator: OperatorHere) -> None:
    """It takes no revision, and no event."""
    site = live_fleet.add("aurora")
    before = (live_fleet.revision, Event.objects.count(), site.generation)
    operator.work()
    assert public_keys()["aurora"]
    assert (live_fleet.revision, Event.objects.count(), live_fleet.site("aurora").generation) == before
    live_fleet.apply(EditSite(site.uid, set_value(("enabled",), False)))
    assert public_keys()["aurora"], "A change by registration leaves it alone."


def test_sites_that_are_served_get_theirs_a_few_at_a_time(
    live_fleet: Fleet, operator: OperatorHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each starts again with its key. A new site waits for nobody."""
    monkeypatch.setattr(probe_keys, "MOST_RESTARTS", 2)
    for name in ("a", "b", "c", "d", "e"):
        live_fleet.add(name)
    operator.operator.site_keys.make_missing()
    clock = Clock()
    own = ProbeKeys(operator.operator.site_keys, clock)
    assert [own.make_missing(), own.make_missing()] == [2, 0]
    live_fleet.add("z")
    assert own.make_missing() == 1
    assert sorted(site for site, key in public_keys().items() if key) == ["a", "b", "z"]
    clock.now += probe_keys.PAUSE
    assert [own.make_missing(), own.make_missing()] == [2, 0]
    clock.now += probe_keys.PAUSE
    assert [own.make_missing(), own.make_missing()] == [1, 0]
    assert None not in public_keys().values()


def test_new_site_starts_once(live_fleet: Fleet, operator: OperatorHere) -> None:
    """Nothing is sealed to a node before all of a site's own keys are there."""
    names = [tick.name for tick in operator.rounds.ticks]
    assert names.index("probe keys") < names.index("keys of new sites") < names.index("sealing")
    live_fleet.add("aurora")
    operator.join("web1", operator.mint().text)
    operator.rounds.turn()
    assert set(SealedSecret.objects.filter(node="web1").values_list("field", flat=True)) == {"secret_key", "probe_key"}


def test_key_and_its_public_part_are_seen_together(
    live_fleet: Fleet, operator: OperatorHere, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator that is ended between the two leaves neither."""
    live_fleet.add("aurora")

    def end(key: Secret) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr("wagtail_multihost.operations.operator.site_keys.public_probe_key", end)
    with pytest.raises(KeyboardInterrupt):
        operator.operator.probe_keys.make_missing()
    monkeypatch.undo()
    assert not SealedSecret.objects.filter(field="probe_key").exists()
    assert operator.operator.probe_keys.make_missing() == 1
    assert public_keys()["aurora"]


def test_another_key_takes_the_place_of_the_former_one(live_fleet: Fleet, operator: OperatorHere) -> None:
    """By its own command; one that rotates the other keys leaves it."""
    aurora = live_fleet.add("aurora")
    operator.join("web1", operator.mint().text)
    operator.work()
    first = public_keys()["aurora"]
    assert operator.command("rotate", "aurora").returncode == 0
    assert public_keys()["aurora"] == first
    done = operator.command("rotate-probe-keys", "aurora")
    assert (done.returncode, done.stderr) == (0, "Sites that have another probe key now: 1.\n")
    operator.work()
    second = public_keys()["aurora"]
    assert second != first
    assert public_probe_key(Secret(opened(operator, "web1", aurora)["probe_key"])) == second


def test_key_that_a_person_hands_over_is_told_too(live_fleet: Fleet, operator: OperatorHere) -> None:
    aurora, key = live_fleet.add("aurora"), make_probe_key()
    for text in ("hunter2", key.reveal()[:-1]):
        done = operator.command("seal", "aurora", "probe_key", stdin=text)
        assert done.returncode == 2
        assert "no probe key" in done.stderr and text not in done.stderr
    assert operator.command("seal", "aurora", "probe_key", stdin=f"{key.reveal()}\n").returncode == 0
    operator.work()
    assert public_keys()["aurora"] == public_probe_key(key)
    assert operator.operator.site_keys.read(aurora.uid)["probe_key"].text == key.reveal()
    with pytest.raises(MultihostError, match="no secret"):
        operator.operator.site_keys.hand_over(aurora.uid, {"probe_key": "env:HOME"})


def test_status_says_who_has_none(live_fleet: Fleet, operator: OperatorHere) -> None:
    live_fleet.add("aurora")
    assert json.loads(operator.command("status", "--json").stdout)["sites_without_probe_key"] == ["aurora"]
    operator.work()
    assert json.loads(operator.command("status", "--json").stdout)["sites_without_probe_key"] == []


# Somebody else than the operator.


@pytest.mark.parametrize("key", [b"k" * 32, None], ids=["another", "none"])
def test_web_process_states_no_probe_key(live_fleet: Fleet, operator: OperatorHere, key: bytes | None) -> None:
    """Nor with the head taken: one that was taken over could hide that a hostname leads to the wrong site."""
    live_fleet.add("aurora")
    operator.work()
    before = public_keys()
    for head in ("", "UPDATE control_head SET revision = revision"):
        with operator.roles.connect(WEB) as opened, pytest.raises(psycopg.Error) as error:
            opened.execute(f"BEGIN; {head}")
            opened.execute("UPDATE control_site SET probe_key = %s", (key,))
        assert error.value.sqlstate == DENIED
    with operator.roles.connect(WEB) as opened, pytest.raises(psycopg.Error) as error:
        opened.execute(TELL, (live_fleet.site("aurora").uid, b"k" * 32))
    assert error.value.sqlstate == DENIED
    assert public_keys() == before


def test_web_process_makes_no_site_with_a_probe_key(live_fleet: Fleet, operator: OperatorHere) -> None:
    insert = (
        "INSERT INTO control_site (uid, id, enabled, state, generation, record, labels, created, probe_key)"
        " VALUES (gen_random_uuid(), 'evil', true, 'active', 1, '{}', '{}', now(), decode(repeat('6b', 32), 'hex'))"
    )
    assert operator.roles.refusal(WEB, "BEGIN", "UPDATE control_head SET revision = revision", insert) == DENIED


def test_web_process_writes_sites_that_have_one(live_fleet: Fleet, operator: OperatorHere) -> None:
    """As it did before."""
    site = live_fleet.add("aurora")
    operator.work()
    with operator.roles.acting(WEB):
        live_fleet.apply(EditSite(site.uid, set_value(("enabled",), False)))
        live_fleet.apply(CreateSite("borealis", {"hostnames": ["borealis.example.com"]}))
    assert public_keys()["aurora"] and public_keys()["borealis"] is None


def test_registry_is_written_with_its_head_as_before(live_fleet: Fleet) -> None:
    """Each column but that one: a new column is one of the registry, or is listed with it."""
    columns = {field.column for field in ManagedSite._meta.concrete_fields}
    assert columns - {"probe_key"} == set(COLUMNS)
    live_fleet.add("aurora")
    for column in COLUMNS:
        with pytest.raises(Exception, match="registration alone"), connection.cursor() as cursor:
            cursor.execute(f"UPDATE control_site SET {column} = {column}")


@pytest.mark.parametrize("key", [b"", b"k" * 31, b"k" * 33, b"k" * 64, None])
def test_what_is_no_key_is_not_kept(live_fleet: Fleet, operator: OperatorHere, key: Any) -> None:
    site = live_fleet.add("aurora")
    with operator.roles.connect(ROLE) as opened, pytest.raises(psycopg.Error) as error:
        opened.execute(TELL, (site.uid, key))
    assert error.value.sqlstate == "22023"


def test_retired_site_gets_none(live_fleet: Fleet, operator: OperatorHere) -> None:
    site = live_fleet.add("aurora")
    live_fleet.apply(RetireSite(site.uid))
    operator.work()
    with operator.roles.connect(ROLE) as opened:
        assert opened.execute(TELL, (site.uid, b"k" * 32)).fetchone() == (False,)
    assert public_keys() == {"aurora": None}


def test_operator_reads_no_more_than_who_has_a_key(operator: OperatorHere) -> None:
    assert operator.roles.refusal(ROLE, "SELECT probe_key FROM public.control_site") == DENIED
    assert operator.roles.refusal(ROLE, "UPDATE public.control_site SET probe_key = NULL") == DENIED


def test_no_record_states_a_probe_key(live_fleet: Fleet) -> None:
    """It is sealed, or stands in a file of the node's own."""
    for stated in (make_probe_key().reveal(), "env:X", "sealed:"):
        with pytest.raises(ConfigurationError, match="probe_key"):
            live_fleet.add("aurora", probe_key=stated)


def test_agent_writes_it_into_the_snapshot_of_its_site(live_fleet: Fleet, operator: OperatorHere) -> None:
    """And the key there is the one that monitors know, after a rotation too."""
    live_fleet.add("aurora")
    agent = joining_agent(operator, operator.mint().text)
    agent.once()
    for _ in range(2):
        operator.work()
        done = agent.once()
        assert done.returncode == 0, done.stderr
        key = json.loads((agent.snapshots / "aurora.json").read_text())["site"]["probe_key"]
        assert public_probe_key(Secret(key)) == public_keys()["aurora"]
        written = [path for path in agent.output.rglob("*") if path.is_file() and key in path.read_text()]
        assert not written and key not in done.stderr
        assert operator.operator.probe_keys.rotate(["aurora"]) == 1
