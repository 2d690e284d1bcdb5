"""SECRET_KEY, and the site's other key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.setting import Setting
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec

RULE = "HKDF of the platform's key with the site's uid and epoch"
FALLBACK_RULE = "the keys of the epoch before and of the keyring's other keys, if any"
OWN_RULE = "the site's own"


def secret_key_settings(platform: PlatformSpec, site: SiteSpec) -> Iterator[Setting]:
    """Yield SECRET_KEY and SECRET_KEY_FALLBACKS: the site's own keys, or those derived from the platform's."""
    if site.secret_key is not None:
        source = site.sources.get("secret_key") or site.sources.get("secret_key_file", "")
        yield Setting("SECRET_KEY", site.secret_key, OWN_RULE, source)
        fallbacks = site.sources.get("secret_key_fallbacks", "")
        yield Setting("SECRET_KEY_FALLBACKS", list(site.secret_key_fallbacks), OWN_RULE, fallbacks)
        return
    keys = derived_keys(platform, site)
    source = source_of_platform_key(platform)
    yield Setting("SECRET_KEY", keys[0], RULE, source)
    yield Setting("SECRET_KEY_FALLBACKS", [*keys[1:], *site.secret_key_fallbacks], FALLBACK_RULE, source)


def with_own_keys(platform: PlatformSpec, site: SiteSpec) -> SiteSpec:
    """Return ``site`` with the keys derived from the platform's as its own, so that it needs no other."""
    probe_key = find_probe_key(platform, site)
    if site.secret_key is not None:
        return replace(site, key_id="", probe_key=probe_key)
    keys = derived_keys(platform, site)
    fallbacks = (*keys[1:], *site.secret_key_fallbacks)
    return replace(site, key_id="", secret_key=keys[0], secret_key_fallbacks=fallbacks, probe_key=probe_key)


def find_probe_key(platform: PlatformSpec, site: SiteSpec) -> Secret | None:
    """
    Return the site's own probe key, or else the one derived from the platform's key; None where there is neither. It
    changes with the epoch and the platform's key, as the SECRET_KEY does.
    """
    key_id = site.key_id or platform.key_id
    if site.probe_key is not None or key_id not in platform.keyring:
        return site.probe_key

    def derive() -> str:
        from wagtail_multihost.spec.keys import derive_probe_key  # loads only where it is asked for

        return derive_probe_key(platform.keyring[key_id], site.uid, site.epoch).reveal()

    return Secret.computed(derive)


def source_of_platform_key(platform: PlatformSpec) -> str:
    stated = (platform.sources.get(key) for key in ("secret_key", "secret_key_file", "secret_keys"))
    return next((source for source in stated if source), "the key in the data folder")


def derived_keys(platform: PlatformSpec, site: SiteSpec) -> list[Secret]:
    """
    Return the site's key, then its fallbacks: that of the epoch before, and those of this epoch under each other key of
    the platform's keyring. Nothing is derived before a key is revealed.
    """
    current = site.key_id or platform.key_id
    others = [key_id for key_id in platform.keyring if key_id != current]
    generations = [(current, site.epoch), (current, site.epoch - 1), *((key_id, site.epoch) for key_id in others)]
    return [derived_key(platform, site, key_id, epoch) for key_id, epoch in generations if epoch]


def derived_key(platform: PlatformSpec, site: SiteSpec, key_id: str, epoch: int) -> Secret:
    def derive() -> str:
        keyring = platform.keyring
        if not keyring:
            raise ConfigurationError.because("The platform's key was not read.", where="secret_key", site=site.id)
        if key_id not in keyring:
            message = f"The platform has no key {shown(key_id)}."
            raise ConfigurationError.because(message, where="key_id", site=site.id)
        from wagtail_multihost.spec.keys import derive_secret_key  # loads only for a site without a key of its own

        return derive_secret_key(keyring[key_id], site.uid, epoch).reveal()

    return Secret.computed(derive)
