"""``MULTIHOST_HEALTH``: mistakes, weak or shared tokens, networks that are too large, URLs that clash."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from ipaddress import ip_network
from typing import TYPE_CHECKING

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from wagtail_multihost.checks import TAG
from wagtail_multihost.conf import conf
from wagtail_multihost.exceptions import ConfigurationError

if TYPE_CHECKING:
    from django.urls import ResolverMatch

    from wagtail_multihost.health.options import HealthSettings

WAGTAIL_PAGES = "wagtail_serve"
ELSEWHERE = "/multihost-no-such-page/"
#: Of ten million tokens of 32 random hexadecimal digits, one has fewer different ones.
VARIETY = 8
NAMES = ("live", "ready", "startup", "drain", "health", "health.json", "metrics", "site/x")


@register(TAG)
def check_health_settings(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E017: MULTIHOST_HEALTH has a mistake."""
    _, problems = stated_health()
    return [
        Error(
            str(problem),
            hint="Correct it: no process starts with it. docs/reference/health.md has every key.",
            id="wagtail_multihost.E017",
        )
        for problem in problems
    ]


def stated_health() -> tuple[HealthSettings | None, Sequence[object]]:
    """Return the setting as read, None where it has problems, and the problems, which never quote a token."""
    from wagtail_multihost.health.process import health_settings  # with the modules of all probes: only for checks

    try:
        return health_settings(), ()
    except ConfigurationError as error:
        return None, error.problems


@register(TAG)
def check_health_networks(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E018: the networks that see details are the whole internet."""
    stated, _ = stated_health()
    networks = stated.options.networks if stated else ()
    return [
        Error(
            f"MULTIHOST_HEALTH['NETWORKS'] has {network!r}: everybody could see the details of the health.",
            hint="Name the networks of those who look at it, or give them a token.",
            id="wagtail_multihost.E018",
        )
        for network in networks
        if ip_network(network).prefixlen == 0
    ]


@register(TAG)
def check_health_urls(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E019: the project has a URL where the health endpoint answers."""
    from wagtail_multihost.health.options import read_prefix

    try:
        prefix = read_prefix(conf.MULTIHOST_HEALTH)
    except ConfigurationError:
        return []
    shadowed = dict.fromkeys(route for name in NAMES if (route := shadowed_route(f"{prefix}{name}")))
    return [
        Error(
            f"The health endpoint hides a URL of the project: {route}",
            hint="Set MULTIHOST_HEALTH['PREFIX'] to a path below which the project has no URL, and Wagtail no page.",
            id="wagtail_multihost.E019",
        )
        for route in shadowed
    ]


def shadowed_route(path: str) -> str:
    """Return a sentence on the project's URL for ``path``; blank for none, and for a pattern that takes every path."""
    for url in (path, f"{path}/"):
        match = resolve_url(url)
        if match and match.view_name != WAGTAIL_PAGES and match.func is not view_elsewhere(url):
            return f"{url} is {match.route!r}."
    return ""


def view_elsewhere(url: str) -> object:
    """Return the project's view for the same path below one for which it has no URL."""
    match = resolve_url(f"{ELSEWHERE}{url.lstrip('/')}")
    return match.func if match else None


def resolve_url(url: str) -> ResolverMatch | None:
    """Return the project's match for ``url``; None without one."""
    from django.urls import Resolver404, resolve

    try:
        return resolve(url) if getattr(settings, "ROOT_URLCONF", None) else None
    except Resolver404:
        return None


@register(TAG)
def check_health_freshness(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E020: a critical probe runs so seldom that its result is stale before the next."""
    stated, _ = stated_health()
    return [
        Error(
            f"The probe {name!r} of MULTIHOST_HEALTH may run every {pause:g} seconds, but its result is valid for "
            f"{fresh:g}: in between the process would not be ready.",
            hint="Make STALE longer than INTERVAL and the probe's timeout together, by a tenth at least.",
            id="wagtail_multihost.E020",
        )
        for name, pause, fresh in (stale_probes(stated) if stated else ())
    ]


def stale_probes(stated: HealthSettings) -> Iterator[tuple[str, float, float]]:
    """Yield the name of each critical probe whose results grow old, the longest it may take, and their longest age."""
    from wagtail_multihost.health.probe import passed
    from wagtail_multihost.health.report import ProbeEntry, ProbeResult, fresh_until
    from wagtail_multihost.health.task import JITTER

    options = stated.options
    for name, probe in stated.probes.items():
        longest = max(probe.interval or options.interval, probe.retry or options.retry)
        pause = longest * (1 + JITTER) + probe.timeout
        fresh = fresh_until(ProbeResult(ProbeEntry(name, probe), (passed(),), 0, 0, 0), options.stale)
        if fresh is not None and fresh <= pause:
            yield name, pause, fresh


@register(TAG)
def check_health_metrics(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """W038: metrics are configured, and the package that writes them is not installed."""
    from wagtail_multihost.health.formats.no_metrics import PACKAGE

    stated, _ = stated_health()
    if not stated or not stated.options.metrics_subjects or has_package(PACKAGE):
        return []
    return [
        Warning(
            "MULTIHOST_HEALTH['METRICS_SUBJECTS'] is set, but there are no metrics: the package prometheus-client is "
            "not installed.",
            hint="Install it: pip install 'wagtail-multihost[metrics]'.",
            id="wagtail_multihost.W038",
        )
    ]


def has_package(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:  # something has put another thing in its place
        return False


@register(TAG)
def check_health_tokens(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E021 and W007: a token that can be guessed, and one that every site knows."""
    stated, _ = stated_health()
    tokens = stated.options.tokens if stated else ()
    weak = [(position, why) for position, token in enumerate(tokens) if (why := token_weakness(token))]
    messages: list[CheckMessage] = [
        Error(
            f"The token {position} of MULTIHOST_HEALTH['TOKENS'] {why}.",
            hint='Generate another: python -c "import secrets; print(secrets.token_urlsafe(32))".',
            id="wagtail_multihost.E021",
        )
        for position, why in weak
    ]
    if tokens:
        messages.append(
            Warning(
                "MULTIHOST_HEALTH['TOKENS'] is known to every site's code, which can drain its neighbours with it.",
                hint="Leave it out: each site has its own token, which multihost_health --token shows.",
                id="wagtail_multihost.W007",
            )
        )
    return messages


def token_weakness(token: str) -> str:
    """Return why a token is weak, without quoting it; blank when it is not."""
    keys = [str(key) for key in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS) if key]
    if any(token in key or key in token for key in keys):
        return "is a part of SECRET_KEY, or contains it"
    if len(set(token)) < VARIETY:
        return f"has fewer than {VARIETY} different characters"
    # A string that is found in the middle of its double repeats a part of itself.
    return "repeats itself" if token in (token + token)[1:-1] else ""
