"""Silences and recipients: who may make them, for how long, and what the API shows of them."""

from __future__ import annotations

from typing import Any

import pytest
from django.db.models.functions import Now
from wagtail.models import ModelLogEntry

from tests.control.clients import client_of, operator_client
from tests.control.fleet import OPERATOR, Fleet
from tests.control.roles import Roles
from tests.servers.postgres import Postgres
from wagtail_multihost.control.changes import NotAllowedError, NotNowError, UnknownSiteError
from wagtail_multihost.control.models import Alert, Hold, Recipient, Silence
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.control.recipients import (
    StaleRecipientError,
    delete_recipient,
    list_recipients,
    save_recipient,
    want_test,
)
from wagtail_multihost.control.roles import WEB
from wagtail_multihost.control.silences import (
    LONGEST,
    LONGEST_OF_SITE,
    MOST,
    current_silences,
    end_silence,
    may_end,
    silence,
    visible_silences,
)
from wagtail_multihost.exceptions import ConfigurationError


def test_silence_ends_by_itself_or_by_hand(fleet: Fleet) -> None:
    """It is in the audit log, and holds nothing."""
    site = fleet.add("aurora")
    made = silence(OPERATOR, site, seconds=600, reason="an upgrade")
    assert [one.pk for one in current_silences()] == [made.pk]
    assert 599 < (made.until - made.since).total_seconds() < 601
    assert not Hold.objects.exists()
    end_silence(OPERATOR, made.pk, reason="done")
    assert not current_silences().exists()
    actions = [*ModelLogEntry.objects.filter(action__contains="silence").values_list("action", "label")]
    assert sorted(actions) == [("multihost.silence.ended", "aurora"), ("multihost.silence.made", "aurora")]
    with pytest.raises(UnknownSiteError):
        end_silence(OPERATOR, made.pk)


@pytest.mark.parametrize(("action", "may"), [("view", False), ("change", False), ("operate", True), ("admin", True)])
def test_people_silence_what_they_operate(fleet: Fleet, action: str, may: bool) -> None:
    site = fleet.add("aurora")
    ada = fleet.authority("ada", aurora=action)
    if not may:
        with pytest.raises(NotAllowedError):
            silence(ada, site, seconds=60, reason="x")
        return
    made = silence(ada, site, seconds=LONGEST_OF_SITE, reason="x")
    assert may_end(ada, made)
    with pytest.raises(ConfigurationError):
        silence(ada, site, seconds=LONGEST_OF_SITE + 1, reason="x")
    silence(OPERATOR, site, seconds=LONGEST, reason="x")


def test_silence_of_operators_is_ended_by_operators(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    ada = fleet.authority("ada", aurora="admin")
    made = silence(OPERATOR, site, seconds=60, reason="x")
    assert not may_end(ada, made)
    with pytest.raises(NotAllowedError):
        end_silence(ada, made.pk)
    assert current_silences().count() == 1


def test_nodes_and_everything_are_for_operators(fleet: Fleet) -> None:
    fleet.add("aurora")
    ada = fleet.authority("ada", aurora="admin")
    save_group(OPERATOR, "web")
    node = save_node(OPERATOR, "web1", "web")
    for target in ({"node": node}, {}):
        with pytest.raises(NotAllowedError):
            silence(ada, **target, seconds=60, reason="x")  # type: ignore[arg-type]
        silence(OPERATOR, **target, seconds=60, reason="x")  # type: ignore[arg-type]
    assert [(one.site, one.node) for one in visible_silences(ada)] == [(None, "")]
    assert visible_silences(OPERATOR).count() == 2


def test_silence_of_others_is_as_none(fleet: Fleet) -> None:
    fleet.add("aurora")
    other = fleet.add("borealis")
    ada = fleet.authority("ada", aurora="admin")
    made = silence(OPERATOR, other, seconds=60, reason="x")
    for attempt in (lambda: silence(ada, other, seconds=60, reason="x"), lambda: end_silence(ada, made.pk)):
        with pytest.raises(UnknownSiteError):
            attempt()


@pytest.mark.parametrize(
    ("seconds", "reason"), [(0, "x"), (LONGEST + 1, "x"), (60, " "), (60, "x" * 501), (60, "zero \x00")]
)
def test_length_and_reason_are_bounded(fleet: Fleet, seconds: int, reason: str) -> None:
    with pytest.raises(ConfigurationError):
        silence(OPERATOR, seconds=seconds, reason=reason)


def test_silences_at_a_time_are_bounded(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    for _ in range(MOST):
        silence(OPERATOR, site, seconds=60, reason="x")
    with pytest.raises(NotNowError):
        silence(OPERATOR, site, seconds=60, reason="x")
    silence(OPERATOR, seconds=60, reason="x")


def test_api_makes_lists_and_ends_silences(fleet: Fleet) -> None:
    fleet.add("aurora")
    fleet.add("borealis")
    save_group(OPERATOR, "web")
    save_node(OPERATOR, "web1", "web")
    operator = operator_client(fleet)
    ada = client_of(fleet.user("ada", aurora="operate"))
    made = ada.post("/silences", {"site": "aurora", "seconds": 60, "reason": "mine"})
    assert (made.status, made.body["silence"]["site"], made.body["revision"]) == (201, "aurora", fleet.revision)
    assert operator.post("/silences", {"node": "web1", "seconds": 60, "reason": "x"}).status == 201
    assert operator.post("/silences", {"everything": True, "seconds": 60, "reason": "why"}).status == 201
    assert operator.post("/silences", {"node": "web2", "seconds": 60, "reason": "x"}).status == 404
    assert operator.post("/silences", {"seconds": 60, "reason": "x"}).status == 422
    both: dict[str, Any] = {"site": "aurora", "node": "web1", "seconds": 60, "reason": "x"}
    assert operator.post("/silences", both).status == 422
    listed = ada.get("/silences").body["silences"]
    assert [(one["site"], one["node"], one["reason"]) for one in listed] == [("aurora", None, "mine"), (None, None, "")]
    assert ada.post("/silences", {"node": "web1", "seconds": 60, "reason": "x"}).status == 403
    assert ada.post("/silences", {"site": "borealis", "seconds": 60, "reason": "x"}).status == 404
    assert ada.delete(f"/silences/{made.body['silence']['id']}").status == 200
    assert ada.delete(f"/silences/{made.body['silence']['id']}").status == 404
    assert len(operator.get("/silences").body["silences"]) == 2


def test_recipients_are_for_operators(fleet: Fleet) -> None:
    fleet.add("aurora")
    ada = fleet.authority("ada", aurora="admin")
    save_recipient(OPERATOR, "on-call")
    for attempt in (
        lambda: list_recipients(ada),
        lambda: save_recipient(ada, "mine", sites=["aurora"]),
        lambda: delete_recipient(ada, "on-call"),
        lambda: want_test(ada, "on-call"),
    ):
        with pytest.raises(NotAllowedError):
            attempt()
    assert Recipient.objects.get().test_wanted_at is None


@pytest.mark.parametrize(
    ("label", "values"),
    [
        ("On Call", {}),
        ("x" * 41, {}),
        ("on-call", {"sites": []}),
        ("on-call", {"sites": ["nowhere"]}),
        ("on-call", {"kinds": ["nothing"]}),
    ],
)
def test_values_of_recipients_are_checked(fleet: Fleet, label: str, values: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        save_recipient(OPERATOR, label, **values)
    assert not Recipient.objects.exists()


def test_recipient_is_changed_by_who_has_read_it(fleet: Fleet) -> None:
    fleet.add("aurora")
    made = save_recipient(OPERATOR, "on-call", sites=["aurora"])
    assert (made.generation, made.sites) == (1, [str(fleet.site("aurora").uid)])
    same = save_recipient(OPERATOR, "on-call", sites=["aurora"], expected=1)
    assert same.generation == 1
    changed = save_recipient(OPERATOR, "on-call", expected=1)
    assert (changed.generation, changed.sites) == (2, None)
    for expected in (0, 1):
        with pytest.raises(StaleRecipientError):
            save_recipient(OPERATOR, "on-call", is_active=False, expected=expected)
        with pytest.raises(StaleRecipientError):
            delete_recipient(OPERATOR, "on-call", expected=expected)
    logged = ModelLogEntry.objects.filter(action="multihost.recipient.saved")
    assert logged.count() == 2


def test_api_makes_changes_and_deletes_recipients(fleet: Fleet) -> None:
    fleet.add("aurora")
    client = operator_client(fleet)
    made = client.put("/recipients/on-call", {"sites": ["aurora"], "kinds": ["site-down"]})
    assert (made.status, made.body["recipient"]["sites"], made.etag) == (200, ["aurora"], '"1"')
    assert client.put("/recipients/on-call", {"sites": ["aurora"], "kinds": ["site-down"]}).etag == '"1"'
    assert client.put("/recipients/on-call", {"sites": None}).status == 428
    assert client.put("/recipients/on-call", {"sites": None}, if_match='"7"').status == 412
    assert client.put("/recipients/on-call", {"sites": None}, if_match='"1"').etag == '"2"'
    assert client.put("/recipients/other", {"sites": ["nowhere"]}).errors[0]["key"] == "sites"
    assert client.put("/recipients/other", {"address": "json://secret/"}).status == 422
    assert client.post("/recipients/on-call/test").status == 202
    assert Recipient.objects.get().test_wanted_at is not None
    Alert.objects.create(recipient_id="on-call", word="test", made_at=Now(), due_at=Now())
    assert [one["word"] for one in client.get("/recipients/on-call/alerts").body["alerts"]] == ["test"]
    assert client.get("/recipients").body["recipients"][0]["waiting"] == 1
    assert client.delete("/recipients/on-call").status == 428
    assert client.delete("/recipients/on-call", if_match='"2"').status == 200
    assert client.get("/recipients/on-call").status == 404
    assert not Alert.objects.exists()


def test_web_process_may_do_what_it_does(live_fleet: Fleet, postgres: Postgres) -> None:
    """With its own rights in the database: silences and recipients, and what waits for one that goes."""
    roles = Roles(postgres)
    roles.make()
    site = live_fleet.add("aurora")
    save_recipient(OPERATOR, "on-call")
    Alert.objects.create(recipient_id="on-call", word="test", made_at=Now(), due_at=Now())
    with roles.acting(WEB):
        made = silence(OPERATOR, site, seconds=60, reason="x")
        end_silence(OPERATOR, made.pk)
        save_recipient(OPERATOR, "north", sites=["aurora"])
        want_test(OPERATOR, "on-call")
        delete_recipient(OPERATOR, "on-call")
    assert [*Recipient.objects.values_list("pk", flat=True)] == ["north"]
    assert Silence.objects.count() == 1
