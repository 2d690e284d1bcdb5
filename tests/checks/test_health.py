"""Each check of ``MULTIHOST_HEALTH`` fires, and is quiet when there is nothing to say."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest
from django.core.checks import CheckMessage
from django.http import HttpRequest, HttpResponse
from django.urls import include, path, re_path
from wagtail import urls as wagtail_urls

from tests.checks.conftest import ids_of
from wagtail_multihost.checks import health as checks
from wagtail_multihost.health import report

PROBES = "wagtail_multihost.health.probes"
DISK = {"BACKEND": f"{PROBES}.disk.DiskProbe", "OPTIONS": {"criticality": "critical"}}
GOOD = "Vb4kSxoI3hW7wqkqHn2cM1pZ0yTtA9rE"
SECRET = "".join(secrets.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(60))

ALL: tuple[Callable[..., list[CheckMessage]], ...] = (
    checks.check_health_settings,
    checks.check_health_networks,
    checks.check_health_urls,
    checks.check_health_freshness,
    checks.check_health_tokens,
    checks.check_health_metrics,
)


def found(settings: Any, **stated: object) -> list[CheckMessage]:
    """Return the messages of all checks on the setting."""
    settings.MULTIHOST_HEALTH = stated
    return [message for check in ALL for message in check(None)]


def test_project_without_the_setting_is_quiet() -> None:
    """The defaults have no mistake."""
    assert [message for check in ALL for message in check(None)] == []


def test_sound_setting_is_quiet(settings: Any) -> None:
    """Every key can be stated so that there is nothing to say."""
    assert (
        found(
            settings,
            PREFIX="/ops/health/",
            NETWORKS=["10.0.0.0/8", "::1"],
            INTERVAL=50,
            STALE=60,
            METRICS_SUBJECTS=True,
            PROBES={"disk": DISK},
        )
        == []
    )


def test_each_mistake_is_e017(settings: Any) -> None:
    """Every problem is a message with the key as it was written; a mistaken setting is not looked at any further."""
    messages = found(settings, prefix="/x/", PREFIX="x", QUORUM=101, PROBES={"disk": {"BACKEND": "no.such.Probe"}})
    assert ids_of(messages) == ["E017"] * 4
    texts = "\n".join(message.msg for message in messages)
    for key in ("['prefix']", "['PREFIX']", "['QUORUM']", "['PROBES']['disk']"):
        assert f"MULTIHOST_HEALTH{key}: " in texts
    settings.MULTIHOST_HEALTH = ["no dictionary"]
    assert ids_of(checks.check_health_settings(None)) == ["E017"]
    assert checks.check_health_urls(None) == []


@pytest.mark.parametrize("tokens", ["x" * 40, [f"{GOOD} "], [GOOD[:20]], [GOOD, 5], {GOOD: 1}])
def test_mistaken_token_is_not_told(settings: Any, tokens: Any) -> None:
    """A message on a token has nothing of it."""
    messages = found(settings, TOKENS=tokens)
    assert ids_of(messages) == ["E017"]
    assert not any(part in str(message) for message in messages for part in (GOOD[:8], "xxxx"))


@pytest.mark.parametrize("network", ["0.0.0.0/0", "::/0"])
def test_network_of_everybody_is_e018(settings: Any, network: str) -> None:
    """All addresses of a family are no network of anybody's own."""
    assert ids_of(found(settings, NETWORKS=["10.0.0.0/8", network])) == ["E018"]
    assert found(settings, NETWORKS=["0.0.0.0/1", "128.0.0.0/8"]) == []


def view(request: HttpRequest, **parts: str) -> HttpResponse:
    return HttpResponse()


class Urls:
    """A module of URLs."""

    def __init__(self, *patterns: Any) -> None:
        self.urlpatterns = patterns


@pytest.mark.parametrize(
    "pattern",
    [
        path("-/ready", view),
        path("-/ready/", view),
        path("-/<slug:name>/", view),
        path("-/health.json", view),
        re_path("^-/metrics", view),
        path("-/", include([path("drain/", view)])),
    ],
)
def test_url_in_the_endpoints_place_is_e019(settings: Any, pattern: Any) -> None:
    """A view of the project that the middleware answers for is reported, beside Wagtail's pages and without them."""
    for others in ((), (path("", include(wagtail_urls)),)):
        settings.ROOT_URLCONF = Urls(pattern, *others)
        messages = found(settings)
        assert set(ids_of(messages)) == {"E019"}
        assert "/-/" in messages[0].msg
    assert found(settings, PREFIX="/ops/") == []


@pytest.mark.parametrize("name", [*checks.NAMES, "live/", "site/x/"])
def test_url_for_each_answer_is_e019_and_named(settings: Any, name: str) -> None:
    """The message has the address, with the slash that the project has there, and the project's route."""
    settings.ROOT_URLCONF = Urls(path(f"-/{name}", view))
    (message,) = found(settings)
    assert ids_of([message]) == ["E019"]
    assert message.msg.endswith(f": /-/{name} is '-/{name}'.")


def test_project_without_urls_is_quiet(settings: Any) -> None:
    """Commands run in projects that have no URLs."""
    for urls in (None, ""):
        settings.ROOT_URLCONF = urls
        assert checks.resolve_url("/-/live") is None
        assert found(settings) == []


@pytest.mark.parametrize(
    "patterns",
    [
        [],
        [path("", include(wagtail_urls))],
        [path("pages/", include(wagtail_urls))],
        [path("<path:rest>", view)],
        [re_path("^.*$", view)],
        [path("-/other/", view), path("", view), path("live/", view)],
    ],
)
def test_pages_and_views_of_every_path_are_no_clash(settings: Any, patterns: list[Any]) -> None:
    """Wagtail's pages, and a view that takes whatever is left, lose nothing that they meant to have."""
    settings.ROOT_URLCONF = Urls(*patterns)
    assert found(settings) == []


def test_wagtail_below_the_prefix_is_no_clash_but_its_pages_are_not_seen(settings: Any) -> None:
    """Which pages there are, the database knows: the route of pages alone is nothing to report."""
    settings.ROOT_URLCONF = Urls(path("-/", include(wagtail_urls)))
    assert found(settings) == []


@pytest.mark.parametrize(
    "stated",
    [
        {"INTERVAL": 60, "STALE": 60},
        {"INTERVAL": 600},
        {"INTERVAL": 10, "STALE": 11},
        {"RETRY": 90},
        {"STALE": 2},
    ],
)
def test_result_that_grows_old_is_e020(settings: Any, stated: dict[str, int]) -> None:
    """A critical probe whose next result comes too late is named; one that is not critical does not matter."""
    messages = found(settings, **stated, PROBES={"disk": DISK})
    assert ids_of(messages) == ["E020"]
    assert "'disk'" in messages[0].msg
    calm = {**DISK, "OPTIONS": {"criticality": "degraded"}}
    assert found(settings, **stated, PROBES={"disk": calm}) == []


def test_probe_that_is_just_in_time_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that is believed as long as the next may take is too old; one that is believed longer is not."""
    options = SimpleNamespace(interval=5, retry=2, stale=0)
    probe = SimpleNamespace(interval=0, retry=0, timeout=1.5)
    stated: Any = SimpleNamespace(options=options, probes={"disk": probe})
    for until, late in ((None, []), (6.999, [("disk", 7.0, 6.999)]), (7.0, [("disk", 7.0, 7.0)]), (7.001, [])):
        monkeypatch.setattr(report, "fresh_until", lambda result, stale, until=until: until)
        assert list(checks.stale_probes(stated)) == late
    monkeypatch.setattr(report, "fresh_until", lambda result, stale: 1)
    probe.interval, probe.retry = 10, 20
    assert [pause for _, pause, _ in checks.stale_probes(stated)] == [23.5]
    probe.interval, probe.retry = 30, 0
    assert [pause for _, pause, _ in checks.stale_probes(stated)] == [34.5]
    options.retry = 40
    assert [pause for _, pause, _ in checks.stale_probes(stated)] == [45.5]


def test_stale_probe_is_told_with_its_times(settings: Any) -> None:
    """The message has how seldom the probe may run, and how long its result is believed."""
    (message,) = found(settings, INTERVAL=60, STALE=60, PROBES={"disk": DISK})
    (late,) = checks.stale_probes(cast(Any, checks.stated_health()[0]))
    assert f"every {late[1]:g} seconds" in message.msg and f"for {late[2]:g}:" in message.msg


def test_seldom_probe_has_its_own_time(settings: Any) -> None:
    """A probe that states a long interval is believed for longer, as the report has it."""
    seldom = {**DISK, "OPTIONS": {"criticality": "critical", "interval": 3600}}
    assert found(settings, PROBES={"disk": seldom}) == []


@pytest.mark.parametrize(
    "token",
    ["a" * 32, "ab12" * 16, "0123456789abcdef" * 2, "deadbeef" * 5, SECRET, SECRET[5:45], f"x{SECRET}"],
    ids=["one", "repeated", "in order", "word", "key", "part of the key", "more than the key"],
)
def test_token_that_can_be_guessed_is_e021(settings: Any, token: str) -> None:
    """Few characters, a repeated part and the site's key are no secret of their own, and nothing of them is told."""
    settings.SECRET_KEY = SECRET
    messages = found(settings, TOKENS=[GOOD, token])
    assert ids_of(messages) == ["E021", "W007"]
    assert "The token 1 " in messages[0].msg
    assert not any(token[:8] in str(message) for message in messages)


@pytest.mark.parametrize(
    ("token", "ids"), [("abcdefg" * 5 + "aab", ["E021", "W007"]), ("abcdefgh" * 4 + "aab", ["W007"])]
)
def test_token_of_eight_characters_is_no_fault(settings: Any, token: str, ids: list[str]) -> None:
    """Fewer different ones make a token that can be guessed."""
    assert ids_of(found(settings, TOKENS=[token])) == ids


def test_each_weak_token_is_told_by_its_place(settings: Any) -> None:
    """A blank key of the project is in every token, and is no fault of one."""
    settings.SECRET_KEY_FALLBACKS = [""]
    messages = found(settings, TOKENS=["a" * 32, GOOD, "ab12" * 16])
    assert ids_of(messages) == ["E021", "E021", "W007"]
    assert ["token 0 " in messages[0].msg, "token 2 " in messages[1].msg] == [True, True]
    assert checks.token_weakness(GOOD) == ""
    assert checks.token_weakness("0123456789abcdef" * 2) == "repeats itself"


def test_token_in_an_older_key_is_e021(settings: Any) -> None:
    """Keys that are still accepted count."""
    settings.SECRET_KEY_FALLBACKS = [SECRET]
    assert ids_of(found(settings, TOKENS=[SECRET[:40]])) == ["E021", "W007"]


def test_token_in_settings_is_w007(settings: Any) -> None:
    """A good token is still known to every site."""
    assert ids_of(found(settings, TOKENS=[GOOD, secrets.token_hex(16), secrets.token_urlsafe(32)])) == ["W007"]
