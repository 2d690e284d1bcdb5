"""The forms that a report is written in."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from datetime import datetime
from hashlib import sha256
from typing import Any
from xml.etree import ElementTree

import feedparser
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from tests.health.samples import (
    EPOCH,
    SITES,
    SUBJECT,
    TOKEN,
    VERSION,
    Switch,
    Told,
    ask,
    crowded,
    endpoint,
    failing,
    report,
    sample,
)
from wagtail_multihost.health.access import HealthRequest
from wagtail_multihost.health.endpoint import Answer
from wagtail_multihost.health.formats import find_form, negotiate_form, read_accept
from wagtail_multihost.health.formats.quantities import format_quantity
from wagtail_multihost.health.probe import Outcome, failed, passed
from wagtail_multihost.health.refreshing import PAUSED
from wagtail_multihost.health.report import Report
from wagtail_multihost.health.seen import WORDS
from wagtail_multihost.health.status import Status

TYPES = {
    "health.json": "application/health+json",
    "health.txt": "text/plain; charset=utf-8",
    "health.html": "text/html; charset=utf-8",
    "health.rss": "application/rss+xml; charset=utf-8",
    "metrics": "application/openmetrics-text; version=1.0.0; charset=utf-8",
}
HOSTILE = "<script>alert(1)</script>\n& \"'\x00\x1b[31m\u202e]]>{{ 1 }}%s"
REASONS: dict[str, tuple[Told, Switch]] = {
    "draining": (Told(report()), Switch(True)),
    "starting": (Told(None), Switch()),
}


def document(answer: Answer) -> dict[str, Any]:
    assert answer.content_type == "application/health+json"
    found: dict[str, Any] = json.loads(answer.body)
    return found


def families(answer: Answer) -> dict[str, Metric]:
    read = read_openmetrics if "openmetrics" in answer.content_type else read_text
    return {family.name: family for family in read(answer.body.decode())}


def hostile() -> Report:
    """Return a report of a probe whose texts and numbers would break whatever they are written into."""
    outcomes = (
        Outcome(Status.FAIL, HOSTILE, float("nan"), HOSTILE, HOSTILE),
        Outcome(Status.WARN, "ok", float("inf"), "days", "a"),
        Outcome(Status.WARN, "ok", "many", "days", "b"),  # type: ignore[arg-type]
        Outcome(Status.WARN, "ok", 10**400, "days", "c"),
        Outcome(Status.WARN, "ok", 3, HOSTILE, "x" * 5000),
    )
    return report(sample("custom", *outcomes, site="aurora"), sites=("aurora",))


@pytest.mark.parametrize(("path", "content_type"), TYPES.items())
def test_format_has_its_content_type(path: str, content_type: str) -> None:
    """Each path has the content type of what it is written in."""
    assert ask(endpoint(), path).content_type == content_type


@pytest.mark.parametrize("path", TYPES)
def test_format_takes_whatever_probes_say(path: str) -> None:
    """Control characters, markup, endless texts and numbers that are none break no format, and get into none."""
    body = ask(endpoint(Told(hostile()), metrics_subjects=True), path).body.decode()
    assert "<script>alert" not in body or path not in ("health.html", "health.rss")
    assert not {"\x00", "\x1b", "\u202e"} & set(body)
    assert "x" * 254 not in body
    assert len(body) > 100


def test_hostile_texts_are_read_back_by_each_parser() -> None:
    """What is written with such texts is still valid."""
    whole = endpoint(Told(hostile()), metrics_subjects=True)
    assert len(document(ask(whole, "health.json"))["checks"]) >= 2
    assert families(ask(whole, "metrics"))["multihost_probe_value"].samples
    assert not feedparser.parse(ask(whole, "health.rss").body).bozo
    assert len(ask(whole, "health.txt").body.splitlines()) == 9


def test_json_has_an_entry_for_each_outcome_and_each_site() -> None:
    """The document names what runs, how old what it says is, and all that was found."""
    body = document(ask(endpoint(), "health.json"))
    assert body["status"] == "warn" and "output" not in body
    assert (body["serviceId"], body["releaseId"], body["version"]) == ("aurora", VERSION, "1")
    assert 2 <= body["ageSeconds"] < 300
    assert [(entry["componentId"], entry["status"]) for entry in body["checks"]["site:health"]] == [
        ("aurora", "warn"),
        ("borealis", "fail"),
        ("corona", "pass"),
    ]
    assert sum(map(len, body["checks"].values())) == len(SITES) + 9


def test_json_tells_of_a_check_what_the_draft_wants() -> None:
    """An entry has the draft's members, and its own age and duration."""
    (entry,) = document(ask(endpoint(), "health.json"))["checks"]["disk:percent"]
    assert entry.pop("ageSeconds") >= 3
    assert datetime.fromisoformat(entry.pop("time")).timestamp() == pytest.approx(EPOCH - 3, abs=0.002)
    assert entry == {
        "componentId": "aurora/disk/temporary",
        "componentType": "datastore",
        "observedValue": 18.25,
        "observedUnit": "percent",
        "status": "warn",
        "output": "low",
        "criticality": "degraded",
        "durationSeconds": 0.004,
    }


@pytest.mark.parametrize("word", REASONS)
def test_json_has_only_the_words_of_the_draft(word: str) -> None:
    """A process that is not ready for another reason than a probe fails, and says which."""
    source, drain = REASONS[word]
    answer = ask(endpoint(source, drain=drain), "health.json")
    body = document(answer)
    assert (answer.status, body["status"], body["output"]) == (503, "fail", word)


def test_text_begins_with_the_word_and_is_aligned() -> None:
    """A line for each site and outcome, whose columns stand below each other."""
    word, head, *lines, age = ask(endpoint(), "health.txt").body.decode().splitlines()
    assert word == "warn"
    assert head.split() == ["STATUS", "SITE", "PROBE", "CODE", "OBSERVED", "AGE", "TOOK", "SUBJECT"]
    assert age.startswith("The report is ") and age.endswith(" old.")
    assert len(lines) == len(SITES) + 9
    column = head.index("PROBE")
    assert all(line[column - 1] == " " != line[column] for line in lines)
    assert any(line.split()[:4] == ["fail", "borealis", "migrations", "behind"] for line in lines)
    assert any(line.startswith("warn    -  ") and "18.2 %" in line for line in lines)


def test_text_before_the_first_report_is_the_word() -> None:
    """Without results there is no table."""
    assert ask(endpoint(Told(None)), "health.txt").body == b"starting\n"


def test_page_has_a_policy_that_lets_through_its_own_style_alone() -> None:
    """Nothing is loaded, no script runs, and the hash is that of the style."""
    answer = ask(endpoint(), "health.html")
    policy = dict(answer.headers)["Content-Security-Policy"]
    page = answer.body.decode()
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert f"style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" in policy
    assert policy.startswith("default-src 'none';") and "unsafe" not in policy
    assert not [word for word in ("<script", "src=", "<link", "style=", "url(", "@import", "http:") if word in page]


def test_page_shows_what_was_found_with_its_meaning() -> None:
    """A code comes with the sentence that the probe has for it, the worst first."""
    page = ask(endpoint(), "health.html").body.decode()
    assert "The database lacks migrations that the code has." in page
    assert page.index("borealis</h2>") < page.index("aurora</h2>") < page.index("corona</h2>")
    assert SUBJECT in page and VERSION in page


def test_page_of_many_sites_names_those_that_work() -> None:
    """Hundreds of sites do not hide the one that fails."""
    page = ask(endpoint(Told(crowded())), "health.html").body.decode()
    assert page.count("<table") == 1 and "39 more sites" in page
    assert page.index("site-7</h2>") < page.index("site-39</li>")


def test_page_is_loaded_again_until_that_is_paused() -> None:
    """Browsers load a page with details again; the link pauses that, and another goes on. No other answer does it."""
    known = {"authorization": f"Bearer {TOKEN}"}
    html, word = (HealthRequest("GET", "/-/health.html", **more) for more in (known, {}))
    running, paused, stranger, feed = (
        endpoint().answer(question)
        for question in (html, html._replace(query=PAUSED), word, html._replace(path="/-/health.rss"))
    )
    assert running and paused and stranger and feed
    assert ("Refresh", "15") in running.headers
    assert not {"Refresh"} & {name for answer in (paused, stranger, feed) for name, _ in answer.headers}
    assert (b'href="?refresh=off"' in running.body, b'href="?refresh=off"' in paused.body) == (True, False)
    assert b'href="?"' in paused.body


def test_page_needs_no_settings() -> None:
    """A process that is no project, or whose templates are broken, shows the page all the same."""
    program = (
        "import sys; from tests.health.samples import *; import django.conf;"
        "body = ask(endpoint(), 'health.html').body; assert b'borealis' in body;"
        "body = ask(endpoint(), 'health.rss').body; assert b'borealis' in body;"
        "sys.exit(django.conf.settings.configured)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_metrics_are_read_back() -> None:
    """OpenMetrics' own parser finds a series for each site and probe, labelled with no more than their names."""
    found = families(ask(endpoint(), "metrics"))
    statuses = {(it.labels["site"], it.labels["probe"]): it.value for it in found["multihost_probe_status"].samples}
    assert len(statuses) == 8
    assert (statuses["", "disk"], statuses["borealis", "migrations"], statuses["aurora", "database"]) == (1, 2, 0)
    assert {sample.labels["site"]: sample.value for sample in found["multihost_site_status"].samples} == {
        "aurora": 1,
        "borealis": 2,
        "corona": 0,
    }
    assert found["multihost_draining"].samples[0].value == 0
    assert found["multihost_report_age_seconds"].samples[0].value >= 2
    assert min(sample.value for sample in found["multihost_probe_age_seconds"].samples) >= 3
    assert {sample.value for sample in found["multihost_probe_duration_seconds"].samples} == {0.0042}
    assert found["multihost_process"].samples[0].labels == {"service": "aurora", "version": VERSION}


@pytest.mark.parametrize("word", WORDS)
def test_metrics_have_the_word_as_a_state(word: str) -> None:
    """Of all words exactly the one that ``ready`` answers is 1."""
    whole = endpoint(*([] if word not in REASONS else [REASONS[word][0]]))
    if word in REASONS:
        whole.drain = REASONS[word][1]
    else:
        whole.status_word = lambda report, site="": word  # type: ignore[method-assign]
    (family,) = [family for name, family in families(ask(whole, "metrics")).items() if name == "multihost_health"]
    assert {sample.labels["multihost_health"] for sample in family.samples if sample.value} == {word}
    assert len(family.samples) == len(WORDS)


def test_metrics_of_several_things_are_the_worst_of_them() -> None:
    """Without subjects there is one series for a probe and a unit; hostnames are labels only where that is wanted."""
    few, many = (
        [
            (sample.labels.get("subject"), sample.value)
            for sample in families(ask(endpoint(metrics_subjects=wanted), "metrics"))["multihost_probe_value"].samples
            if sample.labels["probe"] == "certificate"
        ]
        for wanted in (False, True)
    )
    assert few == [(None, 12)]
    assert ask(endpoint(), "metrics").body.count(b'unit="days"') == 1
    assert many == [(SUBJECT, 12), ("aurora.example", 71)]


@pytest.mark.parametrize("accept", ["text/plain", "text/plain;version=0.0.4", "text/plain, */*;q=0.1"])
def test_metrics_are_prometheus_text_where_that_is_asked_for(accept: str) -> None:
    """Collectors that do not read OpenMetrics get the older format."""
    answer = ask(endpoint(), "metrics", accept=accept)
    assert answer.content_type.startswith("text/plain; version=")
    assert families(answer)["multihost_site_status"].samples
    assert b"# EOF" not in answer.body


def test_metrics_are_openmetrics_for_prometheus() -> None:
    """What Prometheus itself sends prefers OpenMetrics."""
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
    answer = ask(endpoint(), "metrics", accept=accept)
    assert (answer.content_type, answer.body.endswith(b"# EOF\n")) == (TYPES["metrics"], True)


@pytest.mark.parametrize("path", ["metrics", "health.rss"])
def test_collectors_are_always_answered(path: str) -> None:
    """A collector drops what comes with an error, so a failing process tells so in the body."""
    assert ask(endpoint(Told(failing())), path).status == 200
    assert ask(endpoint(Told(failing())), "health.json").status == 503


def test_feed_has_an_item_for_each_thing_that_is_not_well() -> None:
    """The process, two sites and four outcomes, each under an id of its own."""
    feed = feedparser.parse(ask(endpoint(), "health.rss").body)
    assert not feed.bozo and feed.version == "rss20"
    titles = [entry.title for entry in feed.entries]
    assert titles == [
        "warn: this process",
        "warn: aurora",
        "fail: borealis",
        "warn: disk temporary",
        f"warn: aurora certificate {SUBJECT}",
        "fail: borealis migrations",
        "fail: corona search",
    ]
    assert len({entry.id for entry in feed.entries}) == len(titles)
    assert all(entry.id.startswith("urn:") and not entry.guidislink for entry in feed.entries)


def test_feed_keeps_the_ids_while_a_state_lasts() -> None:
    """A reader is told of a state once, whichever process answers; of another state it is told anew."""
    ids = [
        [entry.id for entry in feedparser.parse(ask(endpoint(Told(found)), "health.rss").body).entries]
        for found in (report(), report(), failing())
    ]
    assert ids[0] == ids[1]
    assert not set(ids[0][1:]) & set(ids[2])


def test_feed_is_empty_while_all_is_well() -> None:
    """Nothing to tell is no item."""
    well = report(sample("database", passed(), site="aurora"), sites=("aurora",))
    body = ask(endpoint(Told(well)), "health.rss").body
    assert ElementTree.fromstring(body).findall("channel/item") == []  # our own


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", "json"),
        ("*/*", "json"),
        ("application/json", "json"),
        ("application/health+json", "json"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", "html"),
        ("text/html;q=0.2, text/plain;q=0.9", "text"),
        ("TEXT/HTML ; Q=1", "html"),
        ("text/*", "text"),
        ("text/*, text/plain;q=0", "html"),
        ("text/html;q=0, */*", "json"),
        ("*/*, text/html", "html"),
        ("application/rss+xml", "rss"),
        ("application/openmetrics-text; version=1.0.0", "openmetrics"),
        ("image/png", "json"),
        ("text/html;q=nan", "json"),
        ("text/html;q=7, image/png", "html"),
        ("text/html;q=, text/plain;q=0.5", "html"),
        ("text/html;x*=none''y, text/plain", "text"),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.7", "text"),
        ("text/plain;version=0.0.4;q=0, text/*;q=0.5", "html"),
        (";;;,,,=q;q", "json"),
        ("text/html;level=1;q=0.4,text/plain;q=0.3", "html"),
        ("\xff\x00, text/plain", "text"),
    ],
)
def test_health_is_written_as_accept_wants(accept: str, form: str) -> None:
    """Qualities and the closest range decide; a probe that has no wish, or one that cannot be met, gets JSON."""
    offered = {"json": "health.json", "text": "health.txt", "html": "health.html", "rss": "health.rss"}
    wanted = find_form(offered.get(form, "metrics"), "")
    assert find_form("health", accept) == wanted


def test_long_accept_is_cut() -> None:
    """A header of megabytes costs no more than one of two thousand characters."""
    assert len([*read_accept("".join(f"a/{number:05}," for number in range(100_000)))]) == 251
    assert len([*read_accept("a/b," * 500)]) == 2
    assert negotiate_form("x" * 10_000_000, {"text/plain": "text"}) == "text"


def test_site_has_no_metrics_of_its_own() -> None:
    """Metrics are the whole process's: a site asked for them is written as JSON."""
    assert ask(endpoint(), "site/aurora", accept="application/openmetrics-text").content_type == TYPES["health.json"]


def test_bare_result_has_each_code_once() -> None:
    """What a site shares with others is told by its codes, without what was observed."""
    shared = sample("disk", failed("low", 1, "percent", subject="a"), failed("low", 2, "percent", subject="b"))
    body = document(ask(endpoint(Told(report(shared))), "site/aurora"))
    (entry,) = body["checks"]["disk"]
    assert (entry["output"], entry["componentId"]) == ("low", "aurora/disk")
    assert "observedValue" not in entry


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "days", ""),
        (0.00042, "seconds", "0.42 ms"),
        (3, "seconds", "3 s"),
        (119.6, "seconds", "120 s"),
        (600, "seconds", "10 min"),
        (90_000, "seconds", "25 h"),
        (864_000, "seconds", "10 days"),
        (0, "bytes", "0 B"),
        (1536, "bytes", "1.5 KiB"),
        (5 * 1024**5, "bytes", "5120 TiB"),
        (12.34, "percent", "12.3 %"),
        (12, "days", "12 days"),
        (7, "", "7"),
    ],
)
def test_quantity_is_readable(value: float | None, unit: str, text: str) -> None:
    """Numbers are shown with the digits that matter, in the unit that suits them."""
    assert format_quantity(value, unit) == text
