"""Recipients of alerts in the dashboard: for operators alone, with the messages to each."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from wagtail.models import ModelLogEntry

from tests.control.dashboard.hostile import HOSTILE, shown_hostility
from tests.control.dashboard.looks import fall
from tests.control.dashboard.pages import words
from tests.control.dashboard.visits import RECIPIENTS, signed_in, text_of
from tests.control.fleet import OPERATOR, Fleet
from tests.servers.workshop import CHECKOUT
from wagtail_multihost.control.models import Alert, Incident, Recipient
from wagtail_multihost.control.recipients import save_recipient
from wagtail_multihost.nodeapi.incident_words import CLOSED, OPENED, SITE_DOWN, TEST, WRONG_SITE


def address(recipient: Recipient) -> str:
    return f"{RECIPIENTS}{recipient.pk}/"


def alert(recipient: Recipient, incident: Incident | None = None, **values: Any) -> Alert:
    now = timezone.now()
    stated = {"word": OPENED if incident else TEST, "made_at": now, "due_at": now, "phase": 1}
    return Alert.objects.create(recipient=recipient, incident=incident, **{**stated, **values})


def test_recipient_is_added_changed_tested_and_removed(fleet: Fleet) -> None:
    site = fleet.add("aurora")
    client = signed_in(fleet.user("olga", operator=True))
    assert "Nobody is told yet." in words(client.get(RECIPIENTS))
    asked = {"label": "night", "sites": "aurora", "kinds": [SITE_DOWN], "is_active": "on", "generation": "0"}
    answer = client.post(RECIPIENTS, asked)
    assert answer.status_code == 302, words(answer)
    made = Recipient.objects.get()
    assert (made.pk, made.sites, made.kinds, made.is_active) == ("night", [str(site.uid)], [SITE_DOWN], True)
    page = words(client.get(RECIPIENTS))
    assert "night aurora Site down Active 0 never never" in page
    page = client.get(address(made))
    assert "No courier has said yet that its file has this label." in words(page)
    assert page.context["form"].initial["sites"] == "aurora"
    changed = {"action": "save", "sites": " ", "kinds": [SITE_DOWN, WRONG_SITE], "generation": str(made.generation)}
    assert client.post(address(made), changed).status_code == 302
    made.refresh_from_db()
    assert (made.sites, made.kinds, made.is_active) == (None, [SITE_DOWN, WRONG_SITE], False)
    page = words(client.get(RECIPIENTS))
    assert "all sites, nodes and processes Site down, Another site answers Paused" in page
    assert client.post(address(made), {"action": "test"}).status_code == 302
    made.refresh_from_db()
    assert made.test_wanted_at is not None
    assert client.post(address(made), {"action": "remove", "reason": "left"}).status_code == 302
    assert not Recipient.objects.exists()
    log = ModelLogEntry.objects.filter(action__startswith="multihost.recipient").order_by("pk")
    assert len(log) == 3


def test_what_is_not_accepted_is_told(fleet: Fleet) -> None:
    made = save_recipient(OPERATOR, "night")
    client = signed_in(fleet.user("olga", operator=True))
    for data, told in (
        ({"label": "Night Shift", "generation": "0"}, "The label"),
        ({"label": "day", "sites": "borealis", "generation": "0"}, "There is no site"),
        ({"label": "day", "kinds": ["moon"], "generation": "0"}, "'moon'; accepted:"),
        ({"label": "", "generation": "0"}, "This field is required."),
        ({"label": "night", "generation": "0"}, "changed"),
    ):
        answer = client.post(RECIPIENTS, data)
        assert answer.status_code == 200, data
        assert told in words(answer), data
    stale = {"action": "save", "kinds": [SITE_DOWN], "generation": str(made.generation + 7)}
    assert client.post(address(made), stale).status_code == 200
    made.refresh_from_db()
    assert [*Recipient.objects.values_list("pk", flat=True)] == ["night"] and made.kinds == []


@pytest.mark.parametrize("right", ["view", "change", "operate", "admin"])
def test_recipients_are_for_operators(fleet: Fleet, right: str) -> None:
    fleet.add("aurora")
    made = save_recipient(OPERATOR, "night")
    client = signed_in(fleet.user("ada", aurora=right))
    for path in (RECIPIENTS, address(made)):
        assert client.get(path).status_code == 404
        for data in ({"label": "mine", "generation": "0"}, {"action": "remove"}, {"action": "test"}):
            assert client.post(path, data).status_code == 404
    assert [*Recipient.objects.values_list("pk", flat=True)] == ["night"]
    assert Recipient.objects.get().test_wanted_at is None
    assert "recipients" not in text_of(client, "/admin/")


def test_what_is_not_known_is_not_there(fleet: Fleet) -> None:
    made = save_recipient(OPERATOR, "night")
    client = signed_in(fleet.user("olga", operator=True))
    assert client.get(f"{RECIPIENTS}day/").status_code == 404
    assert client.post(address(made), {"action": "rm"}).status_code == 404


def test_messages_say_how_far_they_are(fleet: Fleet) -> None:
    now, made = timezone.now(), save_recipient(OPERATOR, "night")
    incidents = [fall(now, fleet.add(name)) for name in ("aurora", "borealis", "corona", "dione")]
    later = now + timedelta(minutes=5)
    sent = {"sent_at": now, "ended_at": now, "attempts": 1, "word": CLOSED}
    alert(made, incidents[0], made_at=now - timedelta(seconds=1), **sent)
    alert(made, incidents[1], made_at=now - timedelta(seconds=2), attempts=3, due_at=later, problem="It was away.")
    alert(made, incidents[2], made_at=now - timedelta(seconds=3), lease_until=later)
    alert(made, incidents[3], made_at=now - timedelta(seconds=4), ended_at=now, attempts=30)
    alert(made, made_at=now - timedelta(seconds=5))
    client = signed_in(fleet.user("olga", operator=True))
    answer = client.get(address(made))
    states = [one.state for one in answer.context["alerts"]]
    assert states == ["Sent", "Tried again from", "Being sent", "Given up", "Waiting"]
    text = (CHECKOUT / "docs" / "reference" / "control-availability.md").read_text(encoding="utf-8")
    assert [state for state in states if f"| {state} |" not in text] == []
    page = words(answer)
    assert "Site down: Over" in page and "Site down: Opened" in page and "It was away." in page
    assert "3 messages waiting." in page


def test_words_in_rows_are_text(fleet: Fleet) -> None:
    made = save_recipient(OPERATOR, "night")
    Recipient.objects.update(kinds=[HOSTILE], problem=HOSTILE[:300])
    alert(made, fall(timezone.now(), fleet.add("aurora"), kind=HOSTILE[:20]), word=HOSTILE[:10], problem=HOSTILE[:300])
    client = signed_in(fleet.user("olga", operator=True))
    for path in (RECIPIENTS, address(made)):
        assert shown_hostility(text_of(client, path)) == [], path


def test_pages_ask_as_often_for_many(fleet: Fleet) -> None:
    def count(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(client, path)
        return len(queries)

    now, site, made = timezone.now(), fleet.add("aurora"), save_recipient(OPERATOR, "night", sites=["aurora"])
    alert(made, fall(now, site, lasted=timedelta(minutes=1)), ended_at=now)
    client = signed_in(fleet.user("olga", operator=True))
    paths = (RECIPIENTS, address(made))
    for path in paths:
        text_of(client, path)
    before = [count(path) for path in paths]
    for number in range(20):
        save_recipient(OPERATOR, f"crew-{number}", sites=["aurora"])
        alert(made, fall(now, site, lasted=timedelta(minutes=1)), ended_at=now)
    assert [count(path) for path in paths] == before
