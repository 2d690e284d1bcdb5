"""Alerts: who is told what of an incident, and that each arrives; with a real courier and a real receiver."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.db.models.functions import Now

from tests.control.fleet import OPERATOR, Fleet
from tests.control.roles import PASSWORD, Roles
from tests.control.seen import age_incidents, execute, prepare_monitors, speak
from tests.control.test_incidents import concern, keep
from tests.operations.json_receiver import running_receiver
from tests.servers.postgres import HOST, Postgres
from tests.servers.processes import running, wait_for
from wagtail_multihost.control.models import Alert, Heartbeat, Incident, Node, NodeGroup, Recipient
from wagtail_multihost.control.recipients import save_recipient, want_test
from wagtail_multihost.control.roles import COURIER
from wagtail_multihost.control.silences import end_silence, silence
from wagtail_multihost.nodeapi import alerts_v1
from wagtail_multihost.nodeapi.incident_words import (
    CHANGED,
    CLOSED,
    FLAPPING,
    NODE,
    NODE_SILENT,
    OPENED,
    OPERATOR_SILENT,
    SITE_DOWN,
    TEST,
)
from wagtail_multihost.nodeapi.probe_states import OUTSIDE
from wagtail_multihost.operations.courier.alert_texts import Alert as TakenAlert
from wagtail_multihost.operations.courier.alert_texts import describe

Courier = psycopg.Connection[Any]


@pytest.fixture(name="courier")
def _courier(live_fleet: Fleet, postgres: Postgres) -> Iterator[Courier]:
    prepare_monitors()
    roles = Roles(postgres)
    roles.make()
    with roles.connect(COURIER) as opened:
        opened.autocommit = True
        yield opened


def site_incident(fleet: Fleet, name: str = "aurora", **more: Any) -> Incident:
    site = fleet.site(name)
    values = {"kind": SITE_DOWN, "cause": "site", "subject": name, "site": site, "phase": 1, "word": OPENED, "count": 1}
    made = keep(**{**values, **more})
    concern(made, fleet, name)
    return made


def tell(incident: Incident, word: str, **more: Any) -> None:
    """Let people be told something else of an incident."""
    values = {"word": word, "phase": Incident.objects.get(pk=incident.pk).phase + 1, "told_at": Now(), **more}
    Incident.objects.filter(pk=incident.pk).update(**values)


def take(courier: Courier, *labels: str, most: int = 10) -> list[TakenAlert]:
    courier.execute(alerts_v1.QUEUE)
    rows = courier.execute(alerts_v1.TAKE, (most, list(labels or ["on-call"]))).fetchall()
    return [TakenAlert(*row) for row in rows]


def report(courier: Courier, alert: TakenAlert, problem: str = "") -> bool:
    found = courier.execute(alerts_v1.REPORT, (alert.id, alert.lease, not problem, problem)).fetchone()
    return bool(found and found[0])


def deliver(courier: Courier, *labels: str) -> list[tuple[str, str]]:
    """Send all that is to be sent; return to whom, and what."""
    told = []
    while found := take(courier, *labels):
        for alert in found:
            assert report(courier, alert)
            told.append((alert.recipient, alert.word))
    return told


def test_incident_is_told_once_and_its_end_once(live_fleet: Fleet, courier: Courier) -> None:
    live_fleet.add("aurora")
    save_recipient(OPERATOR, "on-call")
    incident = site_incident(live_fleet)
    assert deliver(courier) == [("on-call", OPENED)]
    assert deliver(courier) == []
    tell(incident, CHANGED, kind=FLAPPING)
    assert deliver(courier) == [("on-call", CHANGED)]
    tell(incident, CLOSED, till=Now())
    assert deliver(courier) == [("on-call", CLOSED)]
    assert deliver(courier) == []


def test_alert_that_waits_says_what_is_so_when_it_is_sent(live_fleet: Fleet, courier: Courier) -> None:
    """A provider that was away gets one message of an incident, and not its story."""
    live_fleet.add("aurora")
    save_recipient(OPERATOR, "on-call")
    incident = site_incident(live_fleet)
    (first,) = take(courier)
    assert report(courier, first, "It was\x1b away.")
    assert Alert.objects.get().problem == "It was  away."
    assert Recipient.objects.get().problem == "It was  away."
    assert take(courier) == []
    tell(incident, CHANGED, kind=FLAPPING)
    tell(incident, CLOSED, till=Now())
    Alert.objects.update(due_at=Now())
    assert deliver(courier) == [("on-call", CLOSED)]
    assert Recipient.objects.get().problem == ""


def test_alert_of_a_courier_that_died_is_sent_by_the_next(
    live_fleet: Fleet, courier: Courier, postgres: Postgres
) -> None:
    """The first cannot report it any more: only the attempt that is being made marks an alert."""
    live_fleet.add("aurora")
    save_recipient(OPERATOR, "on-call")
    site_incident(live_fleet)
    (alert,) = take(courier)
    with Roles(postgres).connect(COURIER) as other:
        other.autocommit = True
        assert take(other) == []
        execute("UPDATE control_alert SET lease_until = clock_timestamp() - interval '1 s'")
        (again,) = take(other)
        assert again.id == alert.id
        assert again.lease != alert.lease
        assert not report(courier, alert)
        assert report(other, again)
    assert not report(courier, again)


def test_attempts_are_bounded_and_pause_ever_longer(live_fleet: Fleet, courier: Courier) -> None:
    live_fleet.add("aurora")
    save_recipient(OPERATOR, "on-call")
    site_incident(live_fleet)
    pauses = []
    for _ in range(alerts_v1.MOST_ATTEMPTS):
        (alert,) = take(courier)
        assert report(courier, alert, "no")
        row = Alert.objects.get()
        pauses.append((row.due_at - (row.ended_at or connection_time())).total_seconds())
        Alert.objects.update(due_at=Now())
    assert [round(pause / 5) for pause in pauses[:4]] == [1, 3, 9, 27]
    assert 80_000 < sum(pauses[:-1]) < 90_000
    row = Alert.objects.get()
    assert (row.sent_at, row.ended_at is None) == (None, False)
    assert take(courier) == []


def connection_time() -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]


def test_slow_recipient_holds_up_no_other(live_fleet: Fleet, courier: Courier) -> None:
    """One alert of each at a time, and first those that have not failed."""
    live_fleet.add("aurora")
    live_fleet.add("borealis")
    for label in ("on-call", "slow"):
        save_recipient(OPERATOR, label)
    site_incident(live_fleet)
    site_incident(live_fleet, "borealis")
    taken = take(courier, "on-call", "slow")
    assert sorted(alert.recipient for alert in taken) == ["on-call", "slow"]
    (mine,) = (alert for alert in taken if alert.recipient == "on-call")
    assert report(courier, mine)
    assert [alert.recipient for alert in take(courier, "on-call", "slow")] == ["on-call"]


def test_recipients_are_told_of_their_own_sites_alone(live_fleet: Fleet, courier: Courier) -> None:
    """Of what sites share, without the others' names, the server and the nodes; of nodes nothing."""
    for name in ("aurora", "borealis", "corona"):
        live_fleet.add(name)
    save_recipient(OPERATOR, "on-call")
    save_recipient(OPERATOR, "north", sites=["aurora"])
    save_recipient(OPERATOR, "elsewhere", sites=["corona"])
    shared = keep(phase=1, word=OPENED, count=2)
    concern(shared, live_fleet, "aurora", "borealis")
    concern(shared, live_fleet, "aurora", place="web1")
    keep(kind=NODE_SILENT, cause=NODE, subject="web1", phase=1, word=OPENED)
    found: dict[str, list[TakenAlert]] = {"on-call": [], "north": [], "elsewhere": []}
    while taken := take(courier, *found):
        for alert in taken:
            found[alert.recipient].append(alert)
            assert report(courier, alert)
    assert {label: len(alerts) for label, alerts in found.items()} == {"on-call": 2, "north": 1, "elsewhere": 0}
    (own,) = found["north"]
    assert (own.sites, own.names, own.subject, own.is_all) == (1, ["aurora"], "", False)
    text = " ".join(describe(own))
    assert "aurora.example.com" in text
    assert not any(word in text for word in ("borealis", "db.internal", "web1"))
    whole = next(alert for alert in found["on-call"] if alert.cause == "database")
    text = " ".join(describe(whole))
    assert all(word in text for word in ("2 sites are down", "db.internal:5432", "aurora", "borealis", "web1"))


def test_recipients_choose_kinds(live_fleet: Fleet, courier: Courier) -> None:
    """And are told how an incident ends that they were told of, whatever it has become."""
    live_fleet.add("aurora")
    save_recipient(OPERATOR, "on-call", kinds=[SITE_DOWN])
    keep(kind=NODE_SILENT, cause=NODE, subject="web1", phase=1, word=OPENED)
    incident = site_incident(live_fleet)
    assert deliver(courier) == [("on-call", OPENED)]
    tell(incident, CLOSED, kind=FLAPPING, till=Now())
    assert deliver(courier) == [("on-call", CLOSED)]


def test_recipient_that_is_paused_or_new_is_told_nothing_of_before(live_fleet: Fleet, courier: Courier) -> None:
    live_fleet.add("aurora")
    incident = site_incident(live_fleet)
    age_incidents(60)
    save_recipient(OPERATOR, "on-call")
    save_recipient(OPERATOR, "paused", is_active=False)
    assert deliver(courier, "on-call", "paused") == []
    tell(incident, CHANGED, kind=FLAPPING)
    assert deliver(courier, "on-call", "paused") == [("on-call", CHANGED)]


def test_what_is_folded_is_told_no_more(live_fleet: Fleet, courier: Courier) -> None:
    """Neither that it begins, if that waited, nor that it ends."""
    for name in ("aurora", "borealis"):
        live_fleet.add(name)
    save_recipient(OPERATOR, "on-call")
    incident = site_incident(live_fleet)
    courier.execute(alerts_v1.QUEUE)
    whole = keep(phase=1, word=OPENED, count=2)
    concern(whole, live_fleet, "aurora", "borealis")
    Incident.objects.filter(pk=incident.pk).update(till=Now(), folded=whole)
    assert [alert.cause for alert in take(courier)] == ["database"]


def test_silence_of_a_site(live_fleet: Fleet, courier: Courier) -> None:
    """It is told of others, and what lasts when it ends is told then."""
    for name in ("aurora", "borealis"):
        live_fleet.add(name)
    save_recipient(OPERATOR, "on-call")
    made = silence(OPERATOR, live_fleet.site("aurora"), seconds=600, reason="an upgrade")
    site_incident(live_fleet)
    assert deliver(courier) == []
    site_incident(live_fleet, "borealis")
    shared = keep(phase=1, word=OPENED, count=2)
    concern(shared, live_fleet, "aurora", "borealis")
    assert deliver(courier) == [("on-call", OPENED)] * 2
    end_silence(OPERATOR, made.pk)
    assert deliver(courier) == [("on-call", OPENED)]


def test_what_was_over_under_a_silence_is_told_never(live_fleet: Fleet, courier: Courier) -> None:
    """And what was over before a courier came is told once."""
    live_fleet.add("aurora")
    live_fleet.add("borealis")
    save_recipient(OPERATOR, "on-call")
    made = silence(OPERATOR, live_fleet.site("aurora"), seconds=600, reason="an upgrade")
    for name in ("aurora", "borealis"):
        tell(site_incident(live_fleet, name), CLOSED, till=Now())
    end_silence(OPERATOR, made.pk)
    told = take(courier)
    assert [(alert.word, alert.subject) for alert in told] == [(CLOSED, "borealis")]
    assert describe(told[0]).title == "Over: borealis is down"


def test_silence_of_a_node_and_of_everything(live_fleet: Fleet, courier: Courier) -> None:
    group = NodeGroup(pk="web")
    node = Node(pk="web1", group=group)
    save_recipient(OPERATOR, "on-call")
    made = silence(OPERATOR, node=node, seconds=600, reason="a new disk")
    keep(kind=NODE_SILENT, cause=NODE, subject="web1", phase=1, word=OPENED)
    assert deliver(courier) == []
    other = keep(kind=NODE_SILENT, cause=NODE, subject="web2", phase=1, word=OPENED)
    assert deliver(courier) == [("on-call", OPENED)]
    silence(OPERATOR, seconds=600, reason="a move")
    tell(other, CLOSED, till=Now())
    end_silence(OPERATOR, made.pk)
    assert deliver(courier) == []


def test_label_that_the_courier_does_not_know_waits_and_is_shown(live_fleet: Fleet, courier: Courier) -> None:
    live_fleet.add("aurora")
    save_recipient(OPERATOR, "on-call")
    site_incident(live_fleet)
    assert take(courier, "other") == []
    courier.execute(alerts_v1.SHOW_LABELS, (["other"],))
    assert Recipient.objects.get().known_at is None
    courier.execute(alerts_v1.SHOW_LABELS, (["on-call"],))
    assert Recipient.objects.get().known_at is not None


def beat(courier: Courier, *, watches: bool = True) -> bool:
    found = courier.execute(alerts_v1.BEAT, (10, watches)).fetchone()
    return bool(found and found[0])


def live(process: str, seconds: float = 0) -> None:
    Heartbeat.objects.update_or_create(process=process, defaults={"seen_at": Now(), "period": 10})
    execute(
        "UPDATE control_heartbeat SET seen_at = seen_at - make_interval(secs => %s) WHERE process = %s",
        [seconds, process],
    )


def test_switch_knows_who_lives(live_fleet: Fleet, courier: Courier) -> None:
    """The operator process and a monitor: the one outside if there is one."""
    assert not beat(courier), "nobody has ever lived"
    live("operator")
    assert beat(courier)
    assert Heartbeat.objects.filter(process="courier").exists()
    speak(OUTSIDE, 500)
    assert not beat(courier)
    speak(OUTSIDE)
    live("operator", 500)
    assert not beat(courier)


def test_courier_opens_the_operators_incident_and_ends_it(live_fleet: Fleet, courier: Courier) -> None:
    """Only once it has heard the database for a while itself; and people are told."""
    save_recipient(OPERATOR, "on-call")
    live("operator", 500)
    beat(courier, watches=False)
    assert not Incident.objects.exists()
    beat(courier)
    beat(courier)
    found = Incident.objects.get()
    assert (found.kind, found.till, found.phase) == (OPERATOR_SILENT, None, 1)
    assert deliver(courier) == [("on-call", OPENED)]
    live("operator")
    beat(courier)
    found.refresh_from_db()
    assert found.till is not None
    assert deliver(courier) == [("on-call", CLOSED)]


@contextmanager
def courier_process(
    postgres: Postgres, folder: Path, recipients: dict[str, list[str]], more: str = ""
) -> Iterator[Any]:
    """Run a courier that tells recipients at some addresses."""
    file = folder / "alerts.toml"
    lines = [f"{label} = {json.dumps(urls)}" for label, urls in recipients.items()]
    file.write_text("\n".join(["[recipients]", *lines, more]))
    file.chmod(0o600)
    (folder / "pgpass").write_text(f"*:*:*:*:{PASSWORD}\n")
    (folder / "pgpass").chmod(0o600)
    database = f"postgresql://{COURIER}@{HOST}:{postgres.port}/{connection.settings_dict['NAME']}"
    words = ["--database", f"{database}?passfile={folder}/pgpass", "--alerts", file, "--development"]
    words += ["--resolver", "127.0.0.1", "--poll", "1"]
    with running([sys.executable, "-P", "-m", "wagtail_multihost.operations.courier", *words], folder / "log") as made:
        yield made


def test_courier_tells_real_receivers(live_fleet: Fleet, courier: Courier, postgres: Postgres, tmp_path: Path) -> None:
    """As a process, by Apprise: an incident, a test, its end; a provider that hangs keeps none of them."""
    live_fleet.add("aurora")
    save_recipient(OPERATOR, "on-call")
    save_recipient(OPERATOR, "hanging")
    live("operator")
    with running_receiver() as receiver, running_receiver(hangs=True) as hanging, running_receiver() as pinged:
        ping = f'[dead_man]\nurl = "http://127.0.0.1:{pinged.port}/ping/secret"\nseconds = 10'
        urls = {
            "on-call": [f"json://127.0.0.1:{receiver.port}/alerts"],
            "hanging": [f"json://127.0.0.1:{hanging.port}/?rto=60"],
        }
        with courier_process(postgres, tmp_path, urls, ping) as process:
            incident = site_incident(live_fleet)
            wait_for(lambda: receiver.bodies, "the alert")
            wait_for(lambda: pinged.paths == ["/ping/secret"], "the ping")
            want_test(OPERATOR, "on-call")
            tell(incident, CLOSED, till=Now())
            wait_for(lambda: len(receiver.bodies) == 3, "the test, and the end")
            assert hanging.connections >= 1
            process.terminate()
            assert process.wait(60) == 0
    titles = sorted(body["title"] for body in receiver.bodies)
    assert titles == ["A test of alerts", "Over: aurora is down", "aurora is down"]
    log = (tmp_path / "log").read_text()
    assert "/ping/secret" not in log
    assert "json://" not in log
    sent = Alert.objects.filter(recipient="on-call", sent_at__isnull=False)
    assert sorted(sent.values_list("word", flat=True)) == sorted([CLOSED, OPENED, TEST])


def test_courier_that_is_killed_between_sending_and_marking_sends_again(
    live_fleet: Fleet, courier: Courier, postgres: Postgres, tmp_path: Path
) -> None:
    """With SIGKILL, while the receiver has the message and the courier does not know that yet."""
    live_fleet.add("aurora")
    save_recipient(OPERATOR, "on-call")
    site_incident(live_fleet)
    with running_receiver(holds=True) as receiver:
        urls = {"on-call": [f"json://127.0.0.1:{receiver.port}/?rto=60"]}
        with courier_process(postgres, tmp_path, urls) as process:
            wait_for(lambda: receiver.bodies, "the message")
            os.kill(process.pid, signal.SIGKILL)
            process.wait(30)
            receiver.release()
        alert = Alert.objects.get()
        assert (alert.sent_at, alert.lease is None) == (None, False)
        execute("UPDATE control_alert SET lease_until = clock_timestamp()")
        with courier_process(postgres, tmp_path, urls):
            wait_for(lambda: Alert.objects.get().sent_at is not None, "the mark")
    first, second = receiver.bodies
    assert first["title"] == second["title"] == "aurora is down"
    footer = f"Alert {str(alert.pk)[:8]}"
    assert footer in first["message"] and footer in second["message"]


def test_file_that_others_can_read_is_refused(live_fleet: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "alerts.toml"
    file.write_text('[recipients]\non-call = ["json://secret-host/"]\n')
    file.chmod(0o644)
    words = ["--database", "postgresql://127.0.0.1/none", "--alerts", str(file), "--development", "--once"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "wagtail_multihost.operations.courier", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "0644" in done.stderr
    assert "secret-host" not in done.stderr
