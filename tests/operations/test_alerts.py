"""What the courier sends to people, by Apprise to a real receiver, and the file that says where."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.operations.json_receiver import running_receiver
from wagtail_multihost.exceptions import ConfigurationError, MultihostError
from wagtail_multihost.nodeapi import alerts_v1
from wagtail_multihost.nodeapi.incident_words import CAUSES, CLOSED, KINDS, OPENED, SITE_DOWN, SITES_DOWN, TEST, WORDS
from wagtail_multihost.nodeapi.probe_states import DOWN, OUTSIDE, TIMEOUT
from wagtail_multihost.operations.courier import sending
from wagtail_multihost.operations.courier.alert_texts import Alert, Message, describe
from wagtail_multihost.operations.courier.alerts import Alerts, AlertToSend
from wagtail_multihost.operations.courier.alerts_file import MOST_ADDRESSES, AlertsFile, read_destinations
from wagtail_multihost.operations.courier.dead_man import AWAKE, DeadMan
from wagtail_multihost.operations.courier.rounds import Rounds
from wagtail_multihost.operations.courier.sending import NOT_SENT, NOT_UNDERSTOOD, PROBLEMS, send_in_process
from wagtail_multihost.spec.secret import Secret

ID = UUID("1f3c9e21-0000-4000-8000-000000000001")
#: What a hostile site would like people to read, or their terminal to do.
HOSTILE = "Call\x1b[2J 0900\nOver: all is well\u202e"


def alert(**more: Any) -> Alert:
    values: dict[str, Any] = {
        "id": ID,
        "lease": UUID(int=2),
        "recipient": "on-call",
        "word": OPENED,
        "kind": SITE_DOWN,
        "cause": "site",
        "subject": "aurora",
        "began": 130.0,
        "lasted": None,
        "sites": 1,
        "names": ["aurora"],
        "hostnames": [["www.aurora.example", OUTSIDE, DOWN, TIMEOUT, 0]],
        "is_all": True,
    }
    return Alert(**{**values, **more})


def test_message_says_what_where_why_and_since_when() -> None:
    assert describe(alert()) == Message(
        "aurora is down",
        "A site does not answer as it should.\n"
        "Sites: aurora.\n"
        "- www.aurora.example, seen from outside: down. There was no whole answer in time.\n"
        "It began 2 minutes ago.\n"
        "Alert 1f3c9e21, to on-call.",
        "failure",
    )


def test_end_is_told_with_how_long_it_was() -> None:
    message = describe(alert(word=CLOSED, lasted=7_300.0))
    assert message.title == "Over: aurora is down"
    assert "It lasted 2 hours." in message.body
    assert message.mark == "success"


def test_shared_cause_is_named_with_the_count() -> None:
    names = [f"site-{number}" for number in range(20)]
    message = describe(
        alert(kind=SITES_DOWN, cause="database", subject="db.internal:5432", sites=300, names=names, hostnames=[])
    )
    assert message.title == "300 sites are down"
    assert "The cause: a database server that sites share (db.internal:5432)." in message.body
    assert "site-19 and 280 more." in message.body


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("word", [*WORDS, TEST])
def test_every_kind_has_a_message(kind: str, word: str) -> None:
    for cause in CAUSES:
        message = describe(alert(kind=kind, word=word, cause=cause, subject="", sites=0, names=[], hostnames=[]))
        assert message.title and not message.title.endswith(".")
        assert message.body.endswith("Alert 1f3c9e21, to on-call.")


@pytest.mark.parametrize("cause", [HOSTILE, "site"])
def test_no_text_of_a_site_is_in_a_message(cause: str) -> None:
    """Whatever stands in a row: words of closed lists are said, and names on one line without control characters."""
    rows = [[HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE]]
    message = describe(alert(kind=HOSTILE, cause=cause, names=[HOSTILE], hostnames=rows, word=CLOSED))
    whole = f"{message.title}\n{message.body}"
    assert "\x1b" not in whole
    assert "\u202e" not in whole
    assert not any(line.startswith("Over: all") for line in whole.splitlines())
    said = message.body.splitlines()[1]
    assert said.endswith(": bad.")
    assert len(said) < 400


def test_apprise_sends_to_a_real_receiver() -> None:
    with running_receiver() as receiver:
        url = Secret(f"json://127.0.0.1:{receiver.port}/alerts")
        assert send_in_process(url, Message("aurora is down", "It began.\n<b>a line</b>", "failure")) == ""
    (body,) = receiver.bodies
    assert (body["title"], body["message"], body["type"]) == ("aurora is down", "It began.\n<b>a line</b>", "failure")


def test_provider_that_refuses_or_hangs_is_a_sentence() -> None:
    """And the process of one that hangs is ended."""
    message = Message("t", "b", "info")
    with running_receiver(status=500) as receiver:
        assert send_in_process(Secret(f"json://127.0.0.1:{receiver.port}/"), message) == PROBLEMS[NOT_SENT]
    with running_receiver(hangs=True) as receiver:
        problem = send_in_process(Secret(f"json://127.0.0.1:{receiver.port}/?rto=60"), message, 3)
    assert problem == "The provider did not answer within 3 seconds."
    assert send_in_process(Secret("nothing://x"), message) == PROBLEMS[NOT_UNDERSTOOD]


def test_address_is_in_no_list_of_processes_and_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every account of a machine can read the words of a process."""
    seen: list[Any] = []

    def run(program: list[str], **options: Any) -> Any:
        seen.append((program, options))
        raise OSError

    monkeypatch.setattr(sending.subprocess, "run", run)
    send_in_process(Secret("json://secret-token/"), Message("t", "b", "info"))
    ((program, options),) = seen
    assert "secret-token" not in " ".join(program)
    assert "env" not in options
    assert json.loads(options["input"])["url"] == "json://secret-token/"
    assert program[0] == sys.executable


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_file_names_recipients_and_what_to_ping(tmp_path: Path) -> None:
    text = '[recipients]\non-call = ["json://a/", "json://b/"]\n[dead_man]\nurl = "https://hc-ping.com/x"\n'
    found = read_destinations(write(tmp_path / "alerts.toml", text))
    assert [url.reveal() for url in found.recipients["on-call"]] == ["json://a/", "json://b/"]
    assert found.ping is not None
    assert (found.ping.url.reveal(), found.ping.seconds) == ("https://hc-ping.com/x", 60)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recipient = 1", "accepted: recipients, dead_man"),
        ("recipients = 1", "a table"),
        ('[recipients]\n"On Call" = ["json://SECRET/"]', "label"),
        ('[recipients]\non-call = "json://SECRET/"', "a list"),
        ('[recipients]\non-call = ["SECRET"]', "://"),
        ("[recipients]\non-call = []", "1 to"),
        (f"[recipients]\non-call = {['json://SECRET/'] * (MOST_ADDRESSES + 1)}", f"1 to {MOST_ADDRESSES}"),
        ('[dead_man]\nurl = "ftp://SECRET/"', "https://hc-ping.com"),
        ('[dead_man]\nurl = "https://SECRET/"\nseconds = 1', "10 to 3600"),
        ('[dead_man]\nurl = "https://SECRET/"\nsecond = 60', "a table with url"),
        ("[recipients]\non-call = [json://SECRET/]", "no TOML"),
    ],
)
def test_mistakes_in_the_file_are_named_without_a_secret(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises((ConfigurationError, MultihostError)) as raised:
        read_destinations(write(tmp_path / "alerts.toml", text))
    assert said in str(raised.value)
    assert "SECRET" not in str(raised.value)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_file_that_others_can_read_is_not_read(tmp_path: Path, mode: int) -> None:
    path = write(tmp_path / "alerts.toml", '[recipients]\non-call = ["json://a/"]', mode)
    with pytest.raises(MultihostError, match=f"{mode:04o}"):
        read_destinations(path)
    path.chmod(0o600)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(MultihostError):
        read_destinations(link)


class Asked:
    """Answers the courier's statements as a database would, and keeps what it was asked."""

    worker = "here"

    def __init__(self, **answers: list[tuple[Any, ...]]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, tuple[object, ...]]] = []

    def ask_newer(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        self.asked.append((statement, values))
        names = {alerts_v1.BEAT: "beat", alerts_v1.TAKE: "take", alerts_v1.REPORT: "report"}
        return self.answers.get(names.get(statement, ""), [])


def test_spoilt_file_counts_as_it_was(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """One that is changed counts at once; what is wrong is said once."""
    path = write(tmp_path / "alerts.toml", '[recipients]\none = ["json://a/"]')
    alerts: Any = Alerts(Asked(), AlertsFile(path))  # type: ignore[arg-type]
    assert set(alerts.destinations().recipients) == {"one"}
    write(path, '[recipients]\none = ["json://a/"]\ntwo = ["json://SECRET/"]')
    assert set(alerts.destinations().recipients) == {"one", "two"}
    path.write_text("[recipients")
    with caplog.at_level(logging.ERROR):
        assert {frozenset(alerts.destinations().recipients) for _ in range(3)} == {frozenset({"one", "two"})}
    assert len(caplog.records) == 1
    assert "SECRET" not in caplog.text


def test_address_that_has_it_is_not_told_again_when_another_failed(tmp_path: Path) -> None:
    """But is when there is something else to tell."""
    sent: list[str] = []
    broken = {"json://b/"}

    def send(url: Secret, message: Message) -> str:
        sent.append(f"{url.reveal()} {message.title}")
        return "It was away." if url.reveal() in broken else ""

    alerts: Any = Alerts(Asked(report=[(True,)]), AlertsFile(tmp_path / "none"), send=send)  # type: ignore[arg-type]
    addresses = (Secret("json://a/"), Secret("json://b/"))
    problem = alerts.carry_out(AlertToSend(alert(), addresses))
    assert problem == "It was away. It has not arrived at 1 of 2 addresses."
    alerts.report(AlertToSend(alert(), addresses), problem)
    assert alerts.carry_out(AlertToSend(alert(began=600.0), addresses)) == problem
    broken.clear()
    assert alerts.carry_out(AlertToSend(alert(word=CLOSED, lasted=1.0), addresses)) == ""
    assert sent == [
        "json://a/ aurora is down",
        "json://b/ aurora is down",
        "json://b/ aurora is down",
        "json://a/ Over: aurora is down",
        "json://b/ Over: aurora is down",
    ]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def dead_man(tmp_path: Path, asked: Asked, clock: Clock, port: int = 1) -> Any:
    text = f'[dead_man]\nurl = "http://127.0.0.1:{port}/ping/SECRET?a=b"\nseconds = 60\n'
    return DeadMan(asked, AlertsFile(write(tmp_path / "alerts.toml", text)), 10, clock)  # type: ignore[arg-type]


def test_ping_is_sent_as_long_as_everything_lives(tmp_path: Path) -> None:
    asked, clock = Asked(beat=[(True,)]), Clock()
    with running_receiver() as receiver:
        switch = dead_man(tmp_path, asked, clock, receiver.port)
        (ping,) = switch.take(1)
        assert switch.carry_out(ping) == ""
        assert switch.take(1) == []
        clock.now = 60
        assert len(switch.take(1)) == 1
        asked.answers["beat"] = [(False,)]
        clock.now = 600
        assert switch.take(1) == []
    assert receiver.paths == ["/ping/SECRET?a=b"]


def test_ping_that_fails_is_said_without_the_address(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running_receiver(status=404) as receiver:
        switch = dead_man(tmp_path, Asked(beat=[(True,)]), Clock(), receiver.port)
        (ping,) = switch.take(1)
        problems = {switch.carry_out(ping)}
    problems.add(switch.carry_out(ping))
    assert problems == {
        "The address of dead_man answered with the status 404.",
        "The address of dead_man did not answer.",
    }
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            switch.report(ping, "The address of dead_man did not answer.")
    assert len(caplog.records) == 1
    assert "SECRET" not in caplog.text


def test_courier_that_was_away_says_of_nobody_that_they_were_silent(tmp_path: Path) -> None:
    """It watches once it has heard the database for a while, without a gap."""
    asked, clock = Asked(beat=[(True,)]), Clock()
    switch = dead_man(tmp_path, asked, clock)
    watched = []
    for now in (0, AWAKE - 1, AWAKE - 0.5, AWAKE + 40, AWAKE + 400, AWAKE + 401):
        clock.now = now
        switch.take(1)
        watched.append(asked.asked[-1][1][1])
    assert watched == [False, False, False, False, False, False]
    for now in range(int(AWAKE) + 401, 2 * int(AWAKE) + 402, 10):
        clock.now = now
        switch.take(1)
    assert asked.asked[-1][1][1] is True


class Kind:
    """Work that is never done."""

    def __init__(self, most: int) -> None:
        self.most, self.rooms = most, list[int]()


def test_work_apart_waits_for_no_other() -> None:
    """Checks that strangers make last keep no worker from alerts, nor alerts one from checks."""
    checks, alerts = Kind(8), Kind(4)
    rounds: Any = Rounds([checks], None, workers=8, apart=[alerts])  # type: ignore[arg-type, list-item]
    rounds.running = {object(): (checks, None) for _ in range(8)}
    assert (rounds.room_for(checks), rounds.room_for(alerts)) == (0, 4)
    rounds.running = {object(): (alerts, None) for _ in range(4)}
    assert (rounds.room_for(checks), rounds.room_for(alerts)) == (8, 0)
