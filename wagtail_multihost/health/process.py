"""The endpoint of this process, as its settings describe it."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.core.cache import caches
from django.core.signals import setting_changed
from django.db import connections
from django.utils.crypto import salted_hmac

from wagtail_multihost.conf import conf
from wagtail_multihost.exceptions import BuildModeError
from wagtail_multihost.health.access import Gate
from wagtail_multihost.health.drain import Drain
from wagtail_multihost.health.endpoint import Endpoint
from wagtail_multihost.health.options import SETTING, HealthSettings, read_settings
from wagtail_multihost.health.report import ProbeEntry, Report
from wagtail_multihost.health.sampler import Sampler
from wagtail_multihost.resolver.exposure import refuse_exposed
from wagtail_multihost.running import current, own_id, register_reset
from wagtail_multihost.version import own_version

TOKEN_SALT = "wagtail_multihost.health.token"  # noqa: S105  # a salt


def health_settings() -> HealthSettings:
    """Return ``MULTIHOST_HEALTH`` as it is now; raises ConfigurationError."""
    return read_settings(conf.MULTIHOST_HEALTH)


def site_tokens() -> tuple[str, ...]:
    """
    Return the site's own tokens, newest key first. They derive from its secret keys: every site has another, and
    nobody has to hand it around. A blank key, of a variable that is not set, is everybody's.
    """
    site, keys = own_id(), [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return tuple(salted_hmac(TOKEN_SALT, site, secret=key, algorithm="sha256").hexdigest() for key in keys if key)


def probe_entries(stated: HealthSettings, site: str) -> tuple[ProbeEntry, ...]:
    """Return the configured probes; those of the site under its id."""
    return tuple(ProbeEntry(name, probe, "" if probe.is_shared else site) for name, probe in stated.probes.items())


_own: dict[str, Endpoint] = {}


def own_endpoint() -> Endpoint:
    """
    Return the endpoint of this process: middleware and wrapper have the same one, and one sampler. It starts nothing,
    so a fork may come before or after.
    """
    return _own.get(SETTING) or _own.setdefault(SETTING, make_endpoint())


def forget_endpoint(**signal: object) -> None:
    """Stop the sampler, and have the endpoint made anew: tests have overridden a setting, and probes look at many."""
    endpoint = _own.pop(SETTING, None)
    if endpoint and isinstance(endpoint.source, Sampler):
        endpoint.source.stop()


setting_changed.connect(forget_endpoint, dispatch_uid="wagtail_multihost.health")
register_reset(forget_endpoint)


def is_idle() -> bool:
    """Return whether this process has no site and serves none: it may become one that does, as a template's child."""
    running = current()
    return running is not None and running.site is None and not running.serves


def refuse_to_serve() -> None:
    """
    Raise BuildModeError in a process without a site, and ConfigurationError in one that can read more than its own
    site's record: neither may serve.
    """
    running = current()
    if running and running.site is None:
        raise BuildModeError("No site is named, so there is nothing to serve. Set MULTIHOST_SITE.")
    if running:
        refuse_exposed(running)


def make_endpoint(stated: HealthSettings | None = None) -> Endpoint:
    """Return the endpoint of this process and its sampler, which starts with the first question."""
    stated, site = stated or health_settings(), own_id()
    sites = (site,) if site else ()
    sampler = Sampler(probe_entries(stated, site), sites, stated.options, announce_in_thread)
    return Endpoint(
        stated.options,
        sampler,
        Gate(lambda: accepted_tokens(stated), stated.options.networks),
        Drain(stated.options.drain_file, site),
        sites=sites,
        service=site,
        version=own_version,
    )


def accepted_tokens(stated: HealthSettings) -> Sequence[str]:
    return (*stated.options.tokens, *site_tokens())


def announce_in_thread(before: Report | None, after: Report) -> None:
    """Announce in a thread of the sampler's; no connection that a receiver has opened there is left behind."""
    try:
        announce(before, after)
    finally:
        connections.close_all()
        caches.close_all()


def announce(before: Report | None, after: Report) -> None:
    """Send :data:`~wagtail_multihost.signals.health_changed` for each status that is another than before."""
    from wagtail_multihost.signals import health_changed

    statuses = {"": after.status, **after.sites}
    known = {"": before.status, **before.sites} if before else {}
    for site, status in statuses.items():
        if known.get(site) is not status:
            codes = sorted(found_codes(after, site))
            health_changed.send_robust(sender=Sampler, site=site, before=known.get(site), after=status, codes=codes)


def found_codes(report: Report, site: str) -> set[str]:
    results = [result for result in report.results if not site or result.entry.site == site]
    return {outcome.code for result in results for outcome in result.outcomes if outcome.status}
