"""What is answered to which path, and what of it to whom."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from tests.health.samples import (
    SECRETS,
    SITES,
    TOKEN,
    Switch,
    Told,
    ask,
    endpoint,
    failing,
    report,
    sample,
)
from wagtail_multihost.health import middleware
from wagtail_multihost.health.access import Access, Gate, HealthRequest
from wagtail_multihost.health.drain import Drain
from wagtail_multihost.health.endpoint import FORMATS, Answer, Endpoint
from wagtail_multihost.health.options import HealthOptions
from wagtail_multihost.health.probe import failed, passed
from wagtail_multihost.health.seen import WORDS, Health

PATHS = ("live", "startup", "ready", "drain", *FORMATS, "site/aurora")
DETAILED = (*FORMATS, "site/aurora", "site/unknown")
ACCEPTS = ("", "text/html", "text/plain", "application/rss+xml", "application/openmetrics-text", "application/json")
NEAR = ("127.0.0.0/8",)
CLOCK = re.compile(rb"<lastBuildDate>[^<]*</lastBuildDate>")


def asked(whole: Any, method: str, path: str, authorization: str = "", **more: Any) -> Answer | None:
    answer: Answer | None = whole.answer(HealthRequest(method, path, authorization, **more))
    return answer


@pytest.mark.parametrize("accept", ACCEPTS)
@pytest.mark.parametrize("path", [*FORMATS, "site/corona"])
def test_anonymous_sees_the_word_only(path: str, accept: str) -> None:
    """Two processes that have nothing but the word in common answer the same, to the byte."""
    other = endpoint(Told(report(sample("other", failed("x", 1, "days"), criticality="degraded"), sites=("corona",))))
    other.service, other.version = "elsewhere", lambda: "0.1"
    if path.startswith("site/"):
        other = endpoint(Told(report(sample("y", passed(), site="corona"), sites=("corona",))))
    answers = [ask(whole, path, token="", accept=accept) for whole in (endpoint(), other)]
    bodies = {CLOCK.sub(b"", answer.body) for answer in answers}
    assert len(bodies) == 1 and {answer[2:] for answer in answers} == {answers[0][2:]}
    assert (b"pass" if path == "site/corona" else b"warn") in bodies.pop().lower()
    assert not [secret for secret in SECRETS if secret.encode() in answers[0].body]


@pytest.mark.parametrize("path", DETAILED)
def test_who_may_not_see_details_gives_no_format_any(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A format is not trusted to leave things out: it gets no report, and no names."""
    whole = endpoint()
    seen: list[Health] = []
    original = whole.visible_health
    monkeypatch.setattr(whole, "visible_health", lambda *arguments: seen.append(original(*arguments)) or seen[-1])
    ask(whole, path, token="")
    if path != "site/unknown":
        (health,) = seen
        assert (health.report, health.site, health.service, health.version) == (None, "", "", "")
        assert (health.results, dict(health.sites), health.age) == ((), {}, None)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", DETAILED)
def test_wrong_token_is_refused_before_anything_runs(path: str, method: str) -> None:
    """Nobody is asked for a report, so no sampler and no probe starts; not to wait for the first one either."""
    source = Told(None)
    whole = endpoint(source, networks=NEAR)
    question = HealthRequest(method, f"/-/{path}", "Bearer wrong", remote="127.0.0.1")
    assert not whole.must_wait(question)
    answer = whole.answer(question)
    assert answer is not None
    assert (answer.status, answer.body) == (401, b"unauthorized")
    assert dict(answer.headers)["WWW-Authenticate"].startswith("Bearer")
    assert source.asked == 0


def test_wrong_token_starts_nothing_under_asgi(rf: RequestFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait for the first report comes after the token."""

    async def passed_on(request: HttpRequest) -> HttpResponse:
        return HttpResponse("passed on")

    source = Told(None)
    whole = endpoint(source)
    monkeypatch.setattr(middleware, "own_endpoint", lambda: whole)
    respond: Any = middleware.HealthMiddleware(passed_on)
    for token, status, asks in (("wrong", 401, False), (TOKEN, 503, True)):
        response = asyncio.run(respond(rf.get("/-/health", headers={"authorization": f"Bearer {token}"})))
        assert (response.status_code, source.asked > 0) == (status, asks)


@pytest.mark.parametrize("path", ["live", "startup", "ready"])
def test_probes_need_no_token_and_mind_no_wrong_one(path: str) -> None:
    """A prober with an old token must not take the process out of service."""
    assert ask(endpoint(), path, token="wrong").status == 200


@pytest.mark.parametrize("path", ["live", "startup"])
def test_live_asks_nobody(path: str) -> None:
    """That the process lives is neither the sampler's nor a file's to say."""
    source = Told(None)
    whole = endpoint(source, drain=Switch(True))
    assert (ask(whole, path).body, source.asked) == (b"pass", 0)
    assert not whole.must_wait(HealthRequest("GET", f"/-/{path}"))


@pytest.mark.parametrize("slash", ["", "/"])
@pytest.mark.parametrize("prefix", ["/-/", "/health/v1/internal/"])
@pytest.mark.parametrize("path", PATHS)
def test_paths_are_answered_below_the_prefix(path: str, prefix: str, slash: str) -> None:
    """With and without the final slash, and below no other prefix."""
    whole = endpoint(prefix=prefix)
    answer = asked(whole, "GET", f"{prefix}{path}{slash}")
    assert answer is not None and answer.status == 200
    assert asked(whole, "GET", f"/x{prefix}{path}{slash}") is None
    assert asked(whole, "GET", f"{prefix}{path}//") is None or path.startswith("site/")


@pytest.mark.parametrize("path", ["", "LIVE", "live.json", "healthz", "../-/live", "health.json.txt", "live/x", "site"])
def test_other_paths_are_not_the_endpoints(path: str) -> None:
    """What is not exactly one of its paths goes on to Django."""
    assert asked(endpoint(), "GET", f"/-/{path}") is None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", ""])
@pytest.mark.parametrize("path", [path for path in (*PATHS, "site/unknown") if path != "drain"])
def test_other_methods_are_not_allowed(path: str, method: str) -> None:
    """They are told what is, and nobody is asked."""
    source = Told(report())
    answer = ask(endpoint(source), path, method=method)
    assert (answer.status, dict(answer.headers)["Allow"], answer.body) == (405, "GET, HEAD", b"")
    assert source.asked == 0


def test_drain_has_methods_of_its_own() -> None:
    """It can be begun and ended, and nothing else."""
    answer = ask(endpoint(), "drain", method="PUT")
    assert (answer.status, dict(answer.headers)["Allow"]) == (405, "GET, HEAD, POST, DELETE")


@pytest.mark.parametrize("path", PATHS)
def test_answers_are_not_kept(path: str) -> None:
    """No cache has them, their length is that of the body, and none sets a cookie or leads elsewhere."""
    answer = ask(endpoint(), path)
    headers = dict(answer.all_headers)
    assert (headers["Cache-Control"], headers["Content-Length"]) == ("no-store", str(len(answer.body)))
    assert not {"Set-Cookie", "Location"} & set(headers)


@pytest.mark.parametrize(
    "site", ["unknown", "", "aurora/x", "AURORA", "aurora%20", "aurora.", "a*", "../live", "aurora/x/"]
)
def test_unknown_site_is_not_found(site: str) -> None:
    """Only the exact id of a site is answered, and no other is told."""
    for token in ("", TOKEN):
        answer = ask(endpoint(), f"site/{site}", token=token)
        assert (answer.status, answer.body) == (404, b"unknown site")


@pytest.mark.parametrize(("site", "status"), [("aurora", 200), ("borealis", 503), ("corona", 200)])
def test_site_answers_for_itself(site: str, status: int) -> None:
    """A site's fault is its own: the others', and the process, are not the worse for it."""
    assert ask(endpoint(), f"site/{site}", token="").status == status
    assert ask(endpoint(), "ready").status == 200


def test_site_shows_itself_and_the_codes_of_what_is_shared() -> None:
    """Who is told about one site learns nothing about another, and no number of the machine."""
    health = endpoint().visible_health(endpoint().gate.access(HealthRequest("GET", "/", f"Bearer {TOKEN}")), "aurora")
    assert list(health.sites) == ["aurora"]
    assert {result.entry.site for result in health.results} == {"", "aurora"}
    shared = [outcome for result in health.results if not result.entry.site for outcome in result.outcomes]
    assert {outcome.code for outcome in shared} == {"low", "ok"}
    assert not [outcome for outcome in shared if outcome.value is not None or outcome.unit or outcome.subject]
    for accept in ACCEPTS:
        body = ask(endpoint(), "site/aurora", accept=accept).body.decode()
        assert not [word for word in ("borealis", "corona", "behind", "18.2", "temporary") if word in body]


def test_words_decide_the_status_code() -> None:
    """Ready is who passes or warns."""
    cases = {
        "pass": endpoint(Told(report(sample("x", passed()), sites=()))),
        "warn": endpoint(),
        "fail": endpoint(Told(failing())),
        "draining": endpoint(drain=Switch(True)),
        "starting": endpoint(Told(None)),
        "stale": endpoint(Told(aged())),
    }
    assert tuple(cases) == WORDS
    for word, whole in cases.items():
        answer = ask(whole, "ready", token="")
        assert (answer.body, answer.status) == (word.encode(), 200 if word in ("pass", "warn") else 503)
        assert ask(whole, "health.json", token="").status == answer.status


def aged() -> Any:
    """Return a report that must not be believed any more."""
    return replace(report(), fresh_until=time.monotonic() - 1)


@pytest.mark.parametrize("authorization", ["", "Basic YTpi", "Bearer wrong", "Bearer"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_drain_needs_a_token_in_a_network_as_well(method: str, authorization: str) -> None:
    """To take a process out of service is not for whoever reaches it, whatever other credentials they have."""
    for is_on in (False, True):
        drain = Switch(is_on)
        whole = endpoint(drain=drain, networks=NEAR)
        answer = asked(whole, method, "/-/drain", authorization, remote="127.0.0.1")
        assert answer is not None and answer.status == 401
        assert drain.is_set is is_on


def test_drain_begins_ends_and_is_shown() -> None:
    """With a token it is changed; anybody sees the word."""
    drain = Switch()
    whole = endpoint(drain=drain)
    shown = []
    for method, token in [("GET", ""), ("POST", TOKEN), ("POST", TOKEN), ("GET", ""), ("DELETE", TOKEN), ("GET", "")]:
        answer = ask(whole, "drain", method=method, token=token)
        shown.append((answer.status, answer.body))
    serving, draining = (200, b"serving"), (200, b"draining")
    assert shown == [serving, draining, draining, draining, serving, serving]
    assert ask(whole, "drain", token="wrong").status == 401


@pytest.mark.parametrize(("method", "body"), [("POST", b"cannot drain"), ("DELETE", b"cannot serve")])
def test_drain_that_cannot_be_changed_is_told_and_logged(
    method: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """A full or foreign disk is a 503 without the reason, which the log has."""
    whole = endpoint(drain=Switch(error=PermissionError(13, "denied", "/secret/place")))
    with caplog.at_level(logging.ERROR, "wagtail_multihost.health"):
        answer = ask(whole, "drain", method=method)
    assert (answer.status, answer.body) == (503, body)
    assert any("secret" in (record.exc_text or "") for record in caplog.records)


def test_drain_into_a_missing_folder_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The real file cannot be written where there is no folder."""
    whole = endpoint(drain=Drain(tmp_path / "missing" / "drain"))
    answer = ask(whole, "drain", method="POST")
    assert (answer.status, answer.body) == (503, b"cannot drain")
    assert ask(whole, "drain").body == b"serving"


class Broken(Told):
    """A source that cannot even start."""

    def ask(self) -> Any:
        raise RuntimeError("can't start new thread: secret")


@pytest.mark.parametrize("path", ["ready", *FORMATS, "site/aurora"])
def test_error_is_logged_and_not_told(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """An exception of any kind is a process that is not ready; its text stays in the log."""
    with caplog.at_level(logging.ERROR, "wagtail_multihost.health"):
        answer = ask(endpoint(Broken(None)), path)
    assert (answer.status, answer.body) == (503, b"fail")
    assert any(record.exc_info for record in caplog.records)


def test_answer_has_its_headers_and_no_more() -> None:
    """Each answer says what it is, that it is not to be kept, and how long it is; more comes behind."""
    assert Answer(200, b"pass").all_headers == [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("Content-Length", "4"),
    ]
    assert Answer(200, b"", "a/b", (("X", "y"),)).all_headers[3:] == [("X", "y")]
    assert Answer(200, b"", "a/b").all_headers[0] == ("Content-Type", "a/b")
    refused = ask(endpoint(), "health", token="wrong")
    assert refused.headers == (("WWW-Authenticate", 'Bearer realm="health"'),)


@pytest.mark.parametrize("path", [*FORMATS, "site/aurora"])
def test_what_one_token_has_shown_is_not_shown_to_another(path: str) -> None:
    """Each answer with a form says what it depends on, and that its type is what it says."""
    assert ask(endpoint(), path).headers[:2] == (
        ("Vary", "Accept, Authorization"),
        ("X-Content-Type-Options", "nosniff"),
    )
    assert ask(endpoint(), "ready").headers == ask(endpoint(), "live").headers == ()


def test_endpoint_of_no_site_names_none() -> None:
    """What is not said of a process is blank, and it answers for no site."""
    plain = Endpoint(HealthOptions(), Told(report()), Gate(lambda: (TOKEN,), ()), Switch())
    assert (plain.sites, plain.service, plain.version()) == ((), "", "")
    assert ask(plain, "site/aurora").status == 404
    assert plain.live_paths == {f"/-/{name}{slash}" for name in ("live", "startup") for slash in ("", "/")}


def test_who_may_see_details_sees_the_process() -> None:
    """Its name, the version of its code and all that was found, at this moment; others see the word."""
    health = endpoint(metrics_subjects=True).visible_health(Access.DETAILS, "")
    assert (health.details, health.prefix, health.site) == (True, "/-/", "")
    assert (health.service, health.version, health.subjects) == ("aurora", "17.4.1", True)
    assert health.report is not None and 0 <= time.monotonic() - health.now < 60
    other = endpoint(metrics_subjects=True, prefix="/ops/").visible_health(Access.STATUS, "")
    assert (other.word, other.details, other.report, other.prefix) == ("warn", False, None, "/ops/")
    assert (other.service, other.version, other.site, other.subjects) == ("", "", "", False)


def test_source_is_waited_for_no_longer_than_the_budget() -> None:
    """The option is in milliseconds."""

    class Slow(Told):
        def wait(self, seconds: float) -> Any:
            waited.append(seconds)
            return self.report

    waited: list[float] = []
    whole = endpoint(Slow(report()))
    ask(whole, "ready")
    ask(whole, "health")
    assert waited == [whole.options.budget / 1000] * 2 and 0 < waited[0] < 60


def test_report_is_believed_until_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """At that moment it still is, and after it it is not; a site that is not in it fails."""
    whole = endpoint()
    found = replace(report(), fresh_until=100.0)
    monkeypatch.setattr("wagtail_multihost.health.endpoint.time", SimpleNamespace(monotonic=lambda: 100.0))
    assert (whole.status_word(found), whole.status_word(found, "corona"), whole.status_word(found, "other")) == (
        "warn",
        "pass",
        "fail",
    )
    monkeypatch.setattr("wagtail_multihost.health.endpoint.time", SimpleNamespace(monotonic=lambda: 100.1))
    assert (whole.status_word(found), whole.status_word(found, "aurora")) == ("stale", "stale")
    assert (whole.status_word(None), whole.status_word(None, "aurora")) == ("starting", "starting")


def test_site_of_a_process_that_drains_shows_its_own_state() -> None:
    """That no new visitors are wanted is the process's; a site's page goes on telling how the site is."""
    whole = endpoint(drain=Switch(True))
    assert (whole.status_word(report()), whole.status_word(report(), "corona"), whole.status_word(None)) == (
        "draining",
        "pass",
        "draining",
    )


@pytest.mark.parametrize("token", ["", TOKEN, "wrong"])
@pytest.mark.parametrize("path", [*PATHS, "site/unknown", "other"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_first_report_is_waited_for_by_who_gets_it(method: str, path: str, token: str) -> None:
    """Ready waits whoever asks; a page waits unless it is refused; all else is answered at once."""
    authorization = f"Bearer {token}" if token else ""
    question = HealthRequest(method, f"/-/{path}", authorization)
    reads = path in (*FORMATS, "site/aurora") and token != "wrong"
    expected = method != "POST" and (path == "ready" or reads)
    assert endpoint(Told(None)).must_wait(question) is expected
    assert endpoint().must_wait(question) is False
    assert endpoint(Broken(None)).must_wait(question) is False


def test_unknown_site_is_refused_to_a_wrong_token() -> None:
    """As a known one is."""
    assert ask(endpoint(), "site/unknown", token="wrong").status == 401


def test_metrics_are_an_answer_whatever_they_tell() -> None:
    """A scrape of a process that fails is no failed scrape."""
    whole = endpoint(Told(failing()))
    assert (ask(whole, "metrics").status, ask(whole, "health.json").status, ask(whole, "ready").status) == (
        200,
        503,
        503,
    )


def test_site_ids_are_not_told_by_the_methods() -> None:
    """An unknown site and a known one refuse a method alike."""
    known, unknown = (ask(endpoint(), f"site/{site}", method="POST", token="") for site in (SITES[0], "unknown"))
    assert known == unknown
