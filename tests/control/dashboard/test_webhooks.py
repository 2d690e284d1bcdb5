"""Webhooks in the dashboard: for operators alone, with the messages to each, and with hostile receivers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from wagtail.models import ModelLogEntry

from tests.control.dashboard.hostile import HOSTILE, TERMINAL, shown_hostility
from tests.control.dashboard.pages import words
from tests.control.dashboard.visits import WEBHOOKS, signed_in, text_of
from tests.control.fleet import OPERATOR, Fleet
from tests.servers.workshop import CHECKOUT
from wagtail_multihost.control.dashboard.event_words import title_of_type
from wagtail_multihost.control.models import CourierKey, Webhook, WebhookDelivery
from wagtail_multihost.control.webhooks import MOST, save_webhook
from wagtail_multihost.nodeapi.event_types import EVENT_TYPES
from wagtail_multihost.nodeapi.webhooks_v1 import TEST_TYPE

URL = "https://hooks.example.org/multihost?for=dns"
KEY = f"whpk_{'A' * 43}="


def address(hook: Webhook) -> str:
    return f"{WEBHOOKS}{hook.pk}/"


def deliver(hook: Webhook, revision: int, **values: Any) -> WebhookDelivery:
    body = {"type": "site.changed", "site": "aurora"}
    return WebhookDelivery.objects.create(**{"webhook": hook, "revision": revision, "body": body, **values})


def actions() -> list[str]:
    found = ModelLogEntry.objects.filter(action__startswith="multihost.webhook").order_by("pk")
    return [entry.action.rpartition(".")[2] for entry in found]


def test_webhook_is_added_changed_paused_tested_and_removed(fleet: Fleet) -> None:
    client = signed_in(fleet.user("olga", operator=True))
    assert "There is no webhook yet." in words(client.get(WEBHOOKS))
    added = client.post(WEBHOOKS, {"url": f" {URL} ", "types": ["site.created"], "is_active": "on", "reason": "dns"})
    hook = Webhook.objects.get()
    assert added.headers["Location"] == address(hook)
    assert (hook.url, hook.types, hook.is_active, hook.queued) == (URL, ["site.created"], True, fleet.revision)
    page = words(client.get(WEBHOOKS))
    assert URL in page and "Site created" in page and "Active" in page and "never" in page
    changed = {"action": "save", "url": URL, "types": ["site.created", "site.retired"]}
    assert client.post(address(hook), changed).status_code == 302
    hook.refresh_from_db()
    assert (hook.types, hook.is_active) == (["site.created", "site.retired"], False)
    assert "Paused" in words(client.get(WEBHOOKS))
    assert client.post(address(hook), {"action": "test"}).status_code == 302
    assert "Test" in words(client.get(address(hook)))
    assert [*hook.deliveries.values_list("revision", flat=True)] == [0]
    assert client.post(address(hook), {"action": "remove", "reason": "old"}).headers["Location"] == WEBHOOKS
    assert not Webhook.objects.exists()
    assert actions() == ["saved", "saved", "deleted"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({"url": "unix:/run/docker.sock"}, "It must be an address"),
        ({"url": "https://user@example.org/"}, "It must be an address"),
        ({"url": ""}, "This field is required."),
        ({"url": "https://" + "x" * 600}, "at most 500 characters"),
        ({"url": URL, "types": ["rm"]}, f"There are no events of the type 'rm'; accepted: {', '.join(EVENT_TYPES)}."),
        ({"url": URL, "types": ["site.changed", "\0"]}, "They must be at most 50 types of events"),
        ({"url": URL, "reason": "\0"}, "Null characters are not allowed."),
    ],
)
def test_what_is_no_webhook_is_refused(fleet: Fleet, data: dict[str, Any], told: str) -> None:
    client = signed_in(fleet.user("olga", operator=True))
    hook = save_webhook(OPERATOR, "https://old.example.org/")
    for path, more in ((WEBHOOKS, {}), (address(hook), {"action": "save"})):
        answer = client.post(path, {**data, **more})
        assert answer.status_code == 200
        assert told in words(answer)
    assert [*Webhook.objects.values_list("url", flat=True)] == ["https://old.example.org/"]
    assert client.post(address(hook), {"action": "remove", "reason": "\0"}).status_code == 200
    assert Webhook.objects.exists()


def test_webhooks_are_few(fleet: Fleet) -> None:
    client = signed_in(fleet.user("olga", operator=True))
    for number in range(MOST):
        save_webhook(OPERATOR, f"https://hooks.example.org/{number}")
    assert "which is the most" in words(client.post(WEBHOOKS, {"url": URL, "is_active": "on"}))
    assert Webhook.objects.count() == MOST


@pytest.mark.parametrize("right", ["view", "change", "operate", "admin"])
def test_webhooks_are_for_operators(fleet: Fleet, right: str) -> None:
    """To others there are none, whatever they may do with sites."""
    fleet.add("aurora")
    hook = save_webhook(OPERATOR, URL)
    client = signed_in(fleet.user("ada", aurora=right))
    for path in (WEBHOOKS, address(hook)):
        assert client.get(path).status_code == 404
        for data in ({"url": "https://evil.example/"}, {"action": "remove"}, {"action": "test"}):
            assert client.post(path, data).status_code == 404
    assert [*Webhook.objects.values_list("url", flat=True)] == [URL]
    assert not WebhookDelivery.objects.exists()
    assert "webhooks" not in text_of(client, "/admin/")


def test_other_pages_cannot_send_forms(fleet: Fleet) -> None:
    hook = save_webhook(OPERATOR, URL)
    client = signed_in(fleet.user("olga", operator=True), enforce_csrf_checks=True)
    assert client.post(WEBHOOKS, {"url": "https://evil.example/"}).status_code == 403
    assert client.post(address(hook), {"action": "remove"}).status_code == 403
    assert [*Webhook.objects.values_list("url", flat=True)] == [URL]


def test_what_is_not_known_is_not_there(fleet: Fleet) -> None:
    hook = save_webhook(OPERATOR, URL)
    client = signed_in(fleet.user("olga", operator=True))
    assert client.get(f"{WEBHOOKS}{uuid4()}/").status_code == 404
    assert client.post(f"{WEBHOOKS}{uuid4()}/", {"action": "remove"}).status_code == 404
    assert client.post(address(hook), {"action": "rm"}).status_code == 404


def test_webhook_that_is_removed_meanwhile_is_not_there(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    hook = save_webhook(OPERATOR, URL)
    client = signed_in(fleet.user("olga", operator=True))
    Webhook.objects.all().delete()
    monkeypatch.setattr("wagtail_multihost.control.dashboard.webhooks.get_webhook", lambda *words: hook)
    for action in ("save", "test", "remove"):
        assert client.post(address(hook), {"action": action, "url": URL}).status_code == 404
    assert not Webhook.objects.exists()


def test_types_that_only_programs_know_stay(fleet: Fleet) -> None:
    """The form of a webhook has what it is told of, also types of a later version."""
    hook = save_webhook(OPERATOR, URL)
    Webhook.objects.update(types=["site.changed", "moon.risen"])
    client = signed_in(fleet.user("olga", operator=True))
    form = client.get(address(hook)).context["form"]
    assert form.initial["types"] == ["site.changed", "moon.risen"]
    asked = {"action": "save", "url": URL, "types": form.initial["types"]}
    assert client.post(address(hook), asked).status_code == 302
    assert not Webhook.objects.get().is_active
    assert "'sun.set'; accepted:" in words(client.post(address(hook), {**asked, "types": ["moon.risen", "sun.set"]}))
    assert Webhook.objects.get().types == ["site.changed", "moon.risen"]
    assert actions() == ["saved", "saved"]


def test_messages_say_how_far_they_are(fleet: Fleet) -> None:
    """With the last error, and when they are tried again; what was pruned or given up is said of the webhook."""
    site, now = fleet.add("aurora"), timezone.now()
    hook = save_webhook(OPERATOR, URL)
    deliver(hook, 9, site=site.uid, delivered_at=now, attempts=2)
    deliver(hook, 8, attempts=3, due_at=now + timedelta(hours=6), problem="The server answered with the status 500.")
    deliver(hook, 7, lease_until=now + timedelta(minutes=1))
    deliver(hook, 6, site=uuid4(), body={"type": "site.retired", "site": "gone"})
    deliver(hook, 0, attempts=1, problem="It was away.", body={"type": TEST_TYPE, "site": None})
    client = signed_in(fleet.user("olga", operator=True))
    answer = client.get(address(hook))
    states = {one.delivery.revision: one.state for one in answer.context["deliveries"]}
    assert states == {
        9: "Arrived",
        8: "Tried again from",
        7: "Being sent",
        6: "Waiting",
        0: "Not accepted; a test is sent once",
    }
    text = (CHECKOUT / "docs" / "reference" / "control-work.md").read_text(encoding="utf-8")
    assert [state for state in [*states.values(), "Paused"] if f"| {state} |" not in text] == []
    page = words(answer)
    assert "The server answered with the status 500." in page and "Test" in page and "Site retired gone" in page
    assert "3 events waiting." in page
    assert f"/sites/{site.uid}/" in answer.text
    assert [one.url != "" for one in answer.context["deliveries"]] == [True, False, False, False, False]
    Webhook.objects.update(is_active=False, problem="It did not accept an event in 11 attempts.")
    answer = client.get(address(hook))
    assert {one.state for one in answer.context["deliveries"][1:4]} == {"Paused", "Being sent"}
    for path in (WEBHOOKS, address(hook)):
        assert "It did not accept an event in 11 attempts." in words(client.get(path))


def test_key_of_the_courier_is_shown(fleet: Fleet) -> None:
    client = signed_in(fleet.user("olga", operator=True))
    assert "No courier that tells webhooks has run within the last days." in words(client.get(WEBHOOKS))
    CourierKey.objects.create(public_key=KEY, seen_at=timezone.now())
    page = words(client.get(WEBHOOKS))
    assert KEY in page and "multihost-courier key" in page


def test_what_receivers_and_people_write_is_text(fleet: Fleet) -> None:
    """And what a web process that was taken over puts into a row."""
    hook = save_webhook(OPERATOR, URL)
    Webhook.objects.update(url=f"https://x/{HOSTILE}", types=[HOSTILE, 7], problem=HOSTILE[:300])
    odd: list[Any] = [{"type": HOSTILE, "site": HOSTILE}, {"type": 7, "site": [TERMINAL]}, [HOSTILE], HOSTILE]
    for number, body in enumerate(odd):
        deliver(hook, number, body=body, problem=HOSTILE[:300], attempts=1)
    CourierKey.objects.create(public_key=TERMINAL[:49], seen_at=timezone.now())
    client = signed_in(fleet.user("olga", operator=True))
    for path in (WEBHOOKS, address(hook)):
        assert shown_hostility(text_of(client, path)) == [], path
    assert "onerror" in text_of(client, WEBHOOKS)


def test_pages_ask_as_often_for_many_messages(fleet: Fleet) -> None:
    def count(client: Client, path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            text_of(client, path)
        return len(queries)

    site = fleet.add("aurora")
    hook = save_webhook(OPERATOR, URL)
    deliver(hook, 1, site=site.uid)
    client = signed_in(fleet.user("olga", operator=True))
    paths = (WEBHOOKS, address(hook))
    for path in paths:
        text_of(client, path)
    before = [count(client, path) for path in paths]
    for number in range(2, 122):
        deliver(hook, number, site=site.uid if number % 2 else uuid4())
    for number in range(10):
        save_webhook(OPERATOR, f"https://hooks.example.org/{number}")
    assert [count(client, path) for path in paths] == before
    pages = [client.get(address(hook), {"p": number}).context["deliveries"] for number in (1, 2, 3)]
    assert [len(page) for page in pages] == [50, 50, 21]


def test_titles_are_there_for_every_type() -> None:
    assert [title_of_type(name) for name in ("site.moved", TEST_TYPE, "moon.risen")] == [
        "Site moved",
        "Test",
        "moon.risen",
    ]
    assert TEST_TYPE not in EVENT_TYPES, "the list of events would offer what is none"
