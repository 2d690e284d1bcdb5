"""Webhooks: what becomes a message, in which order, and to whom; with a real courier and a real receiver."""

from __future__ import annotations

import http.client
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from tests.control.clients import client_of, operator_client
from tests.control.fleet import OPERATOR, Fleet
from tests.control.roles import PASSWORD, Roles
from tests.servers.postgres import HOST, Postgres
from tests.servers.processes import free_port, running, wait_for
from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import EditSite, NotAllowedError
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.control.models import CourierKey, Webhook, WebhookDelivery
from wagtail_multihost.control.roles import COURIER, WEB
from wagtail_multihost.control.webhooks import UnknownWebhookError, delete_webhook, save_webhook, send_test
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.nodeapi import webhooks_v1
from wagtail_multihost.nodeapi.event_types import EVENT_TYPES

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "receive-webhook.py"
URL = "https://hooks.example.org/multihost?for=dns"


@pytest.fixture(name="courier")
def _courier(live_fleet: Fleet, postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    roles = Roles(postgres)
    roles.make()
    with roles.connect(COURIER) as opened:
        opened.autocommit = True
        yield opened


def change(fleet: Fleet, site: str, number: int) -> int:
    fleet.apply(EditSite(fleet.site(site).uid, set_value(("labels", "n"), str(number))))
    return fleet.revision


def take(courier: psycopg.Connection[Any], most: int = 10) -> list[tuple[Any, ...]]:
    courier.execute(webhooks_v1.QUEUE)
    return courier.execute(webhooks_v1.TAKE, (most,)).fetchall()


def report(courier: psycopg.Connection[Any], row: tuple[Any, ...], *, arrived: bool) -> bool:
    found = courier.execute(
        webhooks_v1.REPORT, (row[0], row[1], arrived, "" if arrived else "It was\x1b away.")
    ).fetchone()
    return bool(found and found[0])


def test_events_of_a_site_are_told_one_after_the_other(live_fleet: Fleet, courier: psycopg.Connection[Any]) -> None:
    """A later event waits for the earlier one of the same site, and not for those of others."""
    for name in ("aurora", "borealis"):
        live_fleet.add(name)
    hook = save_webhook(OPERATOR, URL, ["site.changed"])
    first, other, second = (change(live_fleet, site, n) for n, site in enumerate(("aurora", "borealis", "aurora")))
    live_fleet.add("corona")
    taken = {row[3]: row for row in take(courier)}
    assert set(taken) == {first, other}
    assert {row[5] for row in taken.values()} == {hook.pk}
    assert take(courier) == []
    assert report(courier, taken[first], arrived=False)
    assert report(courier, taken[other], arrived=True)
    assert not report(courier, taken[other], arrived=True)
    assert take(courier) == []  # the first is tried again in some seconds, and the second waits for it
    WebhookDelivery.objects.filter(revision=first).update(due_at=timezone.now())
    (again,) = take(courier)
    assert (again[3], again[2], again[4]) == (first, URL, taken[first][4])
    assert report(courier, again, arrived=True)
    assert [row[3] for row in take(courier)] == [second]
    assert WebhookDelivery.objects.get(revision=first).attempts == 2
    hook.refresh_from_db()
    assert (hook.queued, WebhookDelivery.objects.count()) == (live_fleet.revision, 3)


def test_message_has_no_secret_and_no_name(live_fleet: Fleet, courier: psycopg.Connection[Any]) -> None:
    """Who needs more reads it by the API, with a token that says what it may."""
    save_webhook(OPERATOR, URL)
    live_fleet.apply(
        EditSite(live_fleet.add("aurora", "secret-name.example.org").uid, set_value(("admins",), ["a@example.org"])),
        reason="because of the boss",
    )
    rows: list[tuple[Any, ...]] = []
    while found := take(courier):
        rows += found
        assert all(report(courier, row, arrived=True) for row in found)
    body = WebhookDelivery.objects.order_by("-revision")[0].body
    assert set(body) == {"v", "incarnation", "revision", "type", "at", "site", "uid", "generation", "changed"}
    assert (body["type"], body["site"], body["changed"]) == ("site.changed", "aurora", ["admins"])
    text = "".join(row[4] for row in rows)
    assert not any(word in text for word in ("secret-name", "a@example.org", "boss", "root"))


def test_receiver_that_accepts_nothing_is_paused(live_fleet: Fleet, courier: psycopg.Connection[Any]) -> None:
    """After more than a day of attempts, with a sentence; resumed, it is told of everything since."""
    hook = save_webhook(OPERATOR, URL)
    live_fleet.add("aurora")
    pauses = []
    for attempt in range(webhooks_v1.MOST_ATTEMPTS):
        (row,) = take(courier)
        assert report(courier, row, arrived=False)
        delivery = WebhookDelivery.objects.get()
        assert (delivery.attempts, delivery.problem) == (attempt + 1, "It was  away.")
        pauses.append((delivery.due_at - timezone.now()).total_seconds())
        WebhookDelivery.objects.update(due_at=timezone.now())
    assert [round(pause / 5) for pause in pauses[:4]] == [1, 4, 16, 64]
    assert 86_400 < sum(pauses) < 3 * 86_400
    hook.refresh_from_db()
    assert (hook.is_active, hook.problem) == (False, webhooks_v1.GAVE_UP)
    assert hook.generation == 2, "who has read it before would resume it unknowingly"
    live_fleet.add("borealis")
    assert take(courier) == []
    save_webhook(OPERATOR, URL, webhook=hook)
    hook.refresh_from_db()
    assert (hook.is_active, hook.problem) == (True, "")
    assert len(take(courier)) == 2


def test_two_couriers_send_nothing_twice(
    live_fleet: Fleet, courier: psycopg.Connection[Any], postgres: Postgres
) -> None:
    """And a message whose courier died is sent by the next one; the first cannot report it any more."""
    save_webhook(OPERATOR, URL)
    live_fleet.add("aurora")
    (row,) = take(courier)
    with Roles(postgres).connect(COURIER) as other:
        other.autocommit = True
        assert take(other) == []
        with connection.cursor() as cursor:
            cursor.execute("UPDATE control_webhook_delivery SET lease_until = clock_timestamp() - interval '1 s'")
        (again,) = take(other)
        assert again[0] == row[0]
        assert not report(courier, row, arrived=True)
        assert report(other, again, arrived=True)


def test_courier_says_by_which_key_it_is_known(
    live_fleet: Fleet, courier: psycopg.Connection[Any], postgres: Postgres
) -> None:
    """Written down once an hour, few and for some days; nothing but a key, and not by the web process."""

    def show(key: str) -> bool:
        found = courier.execute(webhooks_v1.SHOW_KEY, (key,)).fetchone()
        return bool(found and found[0])

    key = f"whpk_{'A' * 43}="
    assert (show(key), show(key)) == (True, False)
    first = CourierKey.objects.get().seen_at
    CourierKey.objects.update(seen_at=first - timedelta(hours=2))
    assert show(key)
    assert CourierKey.objects.get().seen_at > first
    for odd in ("", "whpk_x", f"{key}\n", f"\n{key}", key.replace("A", "<"), f"{key}{'A' * 10_000}"):
        assert not show(odd)
    for number in range(20):
        assert show(f"whpk_{number:043}=")
    kept = set(CourierKey.objects.values_list("public_key", flat=True))
    assert kept == {f"whpk_{number:043}=" for number in range(20 - webhooks_v1.MOST_KEYS, 20)}
    CourierKey.objects.update(seen_at=timezone.now() - timedelta(days=webhooks_v1.KEY_DAYS + 1))
    assert show(key)
    assert CourierKey.objects.get().public_key == key
    refused = "42501"  # insufficient_privilege
    for statement in (
        f"INSERT INTO control_courier_key VALUES ('{key}', now())",
        "UPDATE control_courier_key SET public_key = 'whpk_other'",
        "DELETE FROM control_courier_key",
        f"SELECT courier_v1.show_key('{key}')",
    ):
        assert Roles(postgres).refusal(WEB, statement) == refused
    assert Roles(postgres).refusal(WEB, "SELECT public_key FROM control_courier_key") == ""


def test_slow_receiver_holds_up_nobody(live_fleet: Fleet, courier: psycopg.Connection[Any]) -> None:
    slow, quick = save_webhook(OPERATOR, URL), save_webhook(OPERATOR, "https://quick.example.org/")
    for number in range(6):
        live_fleet.add(f"site{number}")
    found = [row[2] for row in take(courier)]
    assert sorted(found) == sorted([slow.url] * 2 + [quick.url] * 2)


@pytest.mark.parametrize("change_it", [send_test, delete_webhook])
def test_webhook_is_changed_while_a_delivery_of_it_is_made(
    live_fleet: Fleet, postgres: Postgres, change_it: Callable[[Authority, Webhook], object]
) -> None:
    """By the courier, or by somebody else who sends a test: both are seen, and neither fails."""
    hook = save_webhook(OPERATOR, URL)

    def change_in_thread() -> None:
        try:
            change_it(OPERATOR, hook)
        finally:
            connection.close()

    # In this order, so that a change that waits can go on, whatever has failed here.
    with ThreadPoolExecutor(1) as pool, postgres.connect("test_control") as other:
        other.autocommit = False
        other.execute("SELECT FROM control_webhook FOR UPDATE")
        other.execute(
            "INSERT INTO control_webhook_delivery (id, webhook_id, revision, body, attempts, due_at, problem) "
            "VALUES (gen_random_uuid(), %s, 0, '{}', 0, now(), '')",
            (hook.pk,),
        )
        changing = pool.submit(change_in_thread)
        waits = "SELECT pid FROM pg_locks WHERE NOT granted"
        wait_for(lambda: bool(postgres.execute("test_control", waits)), "the change to wait")
        other.commit()
        changing.result(30)
    assert WebhookDelivery.objects.count() == (1 if change_it is send_test else 0)


def test_webhook_that_was_deleted_meanwhile_is_unknown(fleet: Fleet) -> None:
    hook = save_webhook(OPERATOR, URL)
    delete_webhook(OPERATOR, Webhook.objects.get(pk=hook.pk))
    for change_it in (send_test, delete_webhook, lambda by, one: save_webhook(by, URL, webhook=one)):
        with pytest.raises(UnknownWebhookError):
            change_it(OPERATOR, hook)


@pytest.mark.parametrize(
    "url",
    [
        "unix:/run/docker.sock",
        "uwsgi:/run/aurora.sock",
        "uwsgi://127.0.0.1:3031",
        "ftp://example.org/",
        "https://user@example.org/",
        "https://example.org/#x",
        "https://example.org/\nHost: evil",
        "https://" + "x" * 500,
        "",
    ],
)
def test_address_that_is_none_is_refused(fleet: Fleet, url: str) -> None:
    with pytest.raises(ConfigurationError):
        save_webhook(OPERATOR, url)
    assert not Webhook.objects.exists()


def test_webhooks_are_for_operators(fleet: Fleet) -> None:
    fleet.add("aurora")
    admin = fleet.authority("ada", aurora="admin")
    with pytest.raises(NotAllowedError):
        save_webhook(admin, URL)
    hook = save_webhook(OPERATOR, URL)
    with pytest.raises(NotAllowedError):
        send_test(OPERATOR.narrowed("change", None), hook)
    client = operator_client(fleet)
    shown = client.get("/webhooks").body["webhooks"]
    assert [(one["url"], one["waiting"], one["arrived_at"]) for one in shown] == [(URL, 0, None)]
    address = f"/webhooks/{hook.pk}"
    changed = client.put(address, {"url": URL, "types": ["site.changed"], "is_active": False}, if_match="*")
    assert changed.body["webhook"]["types"] == ["site.changed"]
    assert client.post("/webhooks", {"url": "unix:/x", "types": [""]}).status == 422
    for ask, path in ((client.post, "/webhooks"), (client.put, address)):
        body = {"url": URL, "types": ["site.changed", "site.chnaged", "moon\x1b.risen"]}
        refused = ask(path, body, if_match="*")
        (error,) = refused.errors
        assert (refused.status, error["key"]) == (422, "types")
        found, accepted = r"'site.chnaged', 'moon\x1b.risen'", ", ".join(EVENT_TYPES)
        assert error["message"] == f"There are no events of the type {found}; accepted: {accepted}."
    assert client.post(f"{address}/test").status == 202
    assert [one["revision"] for one in client.get(f"{address}/deliveries").body["deliveries"]] == [0]
    assert client_of(fleet.user("nils", aurora="admin")).get("/webhooks").status == 404
    assert client.delete(address, if_match="*").status == 200
    assert client.get(address).status == 404
    actions = [entry["action"] for entry in client.get("/audit").body["entries"]]
    assert [action for action in actions if action.startswith("webhook")] == [
        "webhook.deleted",
        "webhook.saved",
        "webhook.saved",
    ]


def test_nobody_overwrites_a_webhook_that_they_have_not_read(fleet: Fleet) -> None:
    """As for sites: a change states the ETag of what was read; the same again needs none, and changes nothing."""
    client = operator_client(fleet)
    body = {"url": URL, "types": ["site.changed"], "is_active": True}
    added = client.post("/webhooks", body)
    address = f"/webhooks/{added.body['webhook']['id']}"
    assert (added.etag, added.body["webhook"]["generation"]) == ('"1"', 1)
    assert (client.get(address).etag, client.put(address, body).etag) == ('"1"', '"1"')
    paused = {**body, "is_active": False}
    assert client.put(address, paused).status == 428
    assert client.put(address, paused, if_match='W/"1"').status == 412
    assert client.put(address, paused, if_match="1").status == 400
    changed = client.put(address, paused, if_match='"1"')
    assert (changed.etag, changed.body["webhook"]["generation"]) == ('"2"', 2)
    assert client.put(address, body, if_match='"1"').status == 412
    assert [client.delete(address).status, client.delete(address, if_match='"1"').status] == [428, 412]
    assert not Webhook.objects.get().is_active
    assert client.delete(address, if_match='"2"').status == 200


@pytest.mark.parametrize("method", ["put", "put the same", "delete"])
def test_webhook_that_is_changed_between_reading_and_writing_is_not_overwritten(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    hook = save_webhook(OPERATOR, URL)
    client = operator_client(fleet)

    def change_meanwhile(authority: Authority, identifier: Any) -> Webhook:
        found = Webhook.objects.get(pk=identifier)
        save_webhook(OPERATOR, "https://new.example.org/", webhook=found)
        return found

    monkeypatch.setattr("wagtail_multihost.control.api.webhooks.get_webhook", change_meanwhile)
    address, other = f"/webhooks/{hook.pk}", {"url": "https://other.example.org/"}
    replies = {
        "put": lambda: client.put(address, other, if_match='"1"'),
        "put the same": lambda: client.put(address, {"url": URL}),
        "delete": lambda: client.delete(address, if_match='"1"'),
    }
    reply = replies[method]()
    assert (reply.status, reply.errors[0]["key"]) == (412, "generation")
    assert Webhook.objects.get().url == "https://new.example.org/"


def test_api_shows_the_keys_of_couriers_to_operators(fleet: Fleet) -> None:
    """The latest first, also to a token that may only read."""
    fleet.add("aurora")
    now = timezone.now()
    old, new = (f"whpk_{letter * 43}=" for letter in "AB")
    CourierKey.objects.create(public_key=old, seen_at=now - timedelta(days=2))
    CourierKey.objects.create(public_key=new, seen_at=now)
    user = fleet.user("olga", operator=True)
    shown = client_of(user, "read").get("/webhook-keys")
    assert [one["public_key"] for one in shown.body["keys"]] == [new, old]
    assert set(shown.body["keys"][0]) == {"public_key", "seen_at"}
    for client in (client_of(fleet.user("ada", aurora="admin")), client_of(user, "read", [fleet.site("aurora")])):
        assert client.get("/webhook-keys").status == 404


def test_courier_tells_a_receiver(live_fleet: Fleet, postgres: Postgres, tmp_path: Path) -> None:
    """As processes: the example receiver takes what is signed, and nothing else; a test comes to a paused one too."""
    Roles(postgres).make()
    courier = [sys.executable, "-P", "-m", "wagtail_multihost.operations.courier"]
    state = tmp_path / "courier"
    key = subprocess.run(
        [*courier, "key", "--state", state, "--development"], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()
    assert key.startswith("whpk_")
    assert (state.stat().st_mode & 0o777, (state / "webhook.key").stat().st_mode & 0o777) == (0o700, 0o600)
    (tmp_path / "pgpass").write_text(f"*:*:*:*:{PASSWORD}\n")
    (tmp_path / "pgpass").chmod(0o600)
    database = f"postgresql://{COURIER}@{HOST}:{postgres.port}/{connection.settings_dict['NAME']}"
    port = free_port()
    hook = save_webhook(OPERATOR, f"http://127.0.0.1:{port}/hook")
    send_test(OPERATOR, save_webhook(OPERATOR, f"http://127.0.0.1:{port}/paused", is_active=False))
    private = save_webhook(OPERATOR, f"http://127.0.0.2:{port}/")
    live_fleet.add("aurora")
    last = change(live_fleet, "aurora", 1)
    words = ["--database", f"{database}?passfile={tmp_path}/pgpass", "--state", state, "--allow", "127.0.0.1"]
    words += ["--development", "--resolver", "127.0.0.1", "--poll", "1"]
    log = tmp_path / "received"
    with running([sys.executable, EXAMPLE, "--key", key, "--port", str(port)], log):
        wait_for(lambda: status_of(port, b"{}") == 401, "the receiver")
        with running([*courier, *words], tmp_path / "log") as process:
            wait_for(lambda: not hook.deliveries.filter(delivered_at=None).exists() and hook.deliveries.exists(), "it")
            wait_for(lambda: f"{last} site.changed aurora" in log.read_text(), "the last event")
            process.terminate()
            assert process.wait(30) == 0
    lines = log.read_text().split("\n")
    assert "0 webhook.test -" in lines
    assert lines.index(f"{last - 1} site.created aurora") < lines.index(f"{last} site.changed aurora")
    assert [*CourierKey.objects.values_list("public_key", flat=True)] == [key]
    assert "not public" in private.deliveries.get(revision=last - 1).problem
    assert private.deliveries.get(revision=last).attempts == 0


def status_of(port: int, body: bytes) -> int:
    """Return how the receiver answers a message that somebody else has signed."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as asked:
        try:
            headers = {"webhook-id": "1", "webhook-timestamp": str(int(time.time())), "webhook-signature": "v1a,AAAA"}
            asked.request("POST", "/", body, headers)
            return asked.getresponse().status
        except OSError:
            return 0
