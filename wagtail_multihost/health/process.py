"""The endpoint of this process, built from its settings."""

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
from wagtail_multihost.health.proof import Prover, Proves, prove_nothing
from wagtail_multihost.health.report import ProbeEntry, Report
from wagtail_multihost.health.sampler import Sampler
from wagtail_multihost.health.versions import note_versions_in_thread
from wagtail_multihost.registry.platform_key import DEVELOPMENT
from wagtail_multihost.resolver.exposure import refuse_exposed
from wagtail_multihost.resolver.secret_key import find_probe_key
from wagtail_multihost.running import current, own_id, register_reset, registered_site
from wagtail_multihost.signals import health_changed
from wagtail_multihost.version import own_version

TOKEN_SALT = "wagtail_multihost.health.token"  # noqa: S105  # a salt


def health_settings() -> HealthSettings:
    """Return ``MULTIHOST_HEALTH`` as it is now; raises ConfigurationError."""
    return read_settings(conf.MULTIHOST_HEALTH)


def site_tokens() -> tuple[str, ...]:
    """
    Return the site's own tokens, newest key first. They are derived from its secret keys, so every site has a different
    one, which nobody has to distribute. A blank key, from an unset variable, gives no token: everybody would know it.
    """
    site, keys = own_id(), [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return tuple(salted_hmac(TOKEN_SALT, site, secret=key, algorithm="sha256").hexdigest() for key in keys if key)


def probe_entries(stated: HealthSettings, site: str) -> tuple[ProbeEntry, ...]:
    """Return an entry for each configured probe; probes of the site have its id."""
    return tuple(ProbeEntry(name, probe, "" if probe.is_shared else site) for name, probe in stated.probes.items())


_own: dict[str, Endpoint] = {}


def own_endpoint() -> Endpoint:
    """
    Return the endpoint of this process; middleware and wrapper share it and its sampler. Nothing is started, so the
    process may fork before or after.
    """
    return _own.get(SETTING) or _own.setdefault(SETTING, make_endpoint())


def forget_endpoint(**signal: object) -> None:
    """Stop the sampler, and let the endpoint be built again: tests override settings, and probes read many."""
    endpoint = _own.pop(SETTING, None)
    if endpoint and isinstance(endpoint.source, Sampler):
        endpoint.source.stop()


setting_changed.connect(forget_endpoint, dispatch_uid="wagtail_multihost.health")
register_reset(forget_endpoint)


def is_idle() -> bool:
    """Return whether this process has no site and does not serve; as the child of a template, it may get one later."""
    running = current()
    return running is not None and running.site is None and not running.serves


def refuse_to_serve() -> None:
    """
    Raise BuildModeError if this process has no site, and ConfigurationError if it can read more than the record of its
    own site: in both cases it must not serve.
    """
    running = current()
    if running and running.site is None:
        raise BuildModeError("No site is named, so there is nothing to serve. Set MULTIHOST_SITE.")
    if running:
        refuse_exposed(running)


def make_endpoint(stated: HealthSettings | None = None) -> Endpoint:
    """Build the endpoint of this process and its sampler, which starts with the first request."""
    stated, site = stated or health_settings(), own_id()
    sites = (site,) if site else ()
    entries = probe_entries(stated, site)
    sampler = Sampler(entries, sites, stated.options, announce_in_thread, note_versions_in_thread)
    return Endpoint(
        stated.options,
        sampler,
        Gate(lambda: accepted_tokens(stated), stated.options.networks, trusts_machine=is_in_development()),
        Drain(stated.options.drain_file, site),
        sites=sites,
        service=site,
        version=own_version,
        prove=own_prover(),
    )


def own_prover() -> Proves:
    """Return what proves which site this process is of; one that never does where the site has no probe key."""
    registered = registered_site()
    key = find_probe_key(*registered) if registered else None
    return Prover(registered[1].uid, key) if registered and key is not None else prove_nothing


def is_in_development() -> bool:
    """
    Return whether the site's platform is in development, where the machine is a person's own. A container whose
    variables state no environment may be anybody's.
    """
    running = current()
    if running is None or running.platform is None or registered_site() is None:
        return False
    is_known = "environment" in running.platform.sources or running.opened is None or running.opened.assumes_development
    return is_known and running.platform.environment == DEVELOPMENT


def accepted_tokens(stated: HealthSettings) -> Sequence[str]:
    return (*stated.options.tokens, *site_tokens())


def announce_in_thread(before: Report | None, after: Report) -> None:
    """Announce in the notifier's thread, and close the connections that receivers opened there."""
    try:
        announce(before, after)
    finally:
        connections.close_all()
        caches.close_all()


def announce(before: Report | None, after: Report) -> None:
    """Send :data:`~wagtail_multihost.signals.health_changed` for each status that has changed."""
    statuses = {"": after.status, **after.sites}
    known = {"": before.status, **before.sites} if before else {}
    for site, status in statuses.items():
        if known.get(site) is not status:
            codes = sorted(found_codes(after, site))
            health_changed.send_robust(sender=Sampler, site=site, before=known.get(site), after=status, codes=codes)


def found_codes(report: Report, site: str) -> set[str]:
    results = [result for result in report.results if not site or result.entry.site == site]
    return {outcome.code for result in results for outcome in result.outcomes if outcome.status}
