"""SECRET_KEY."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.setting import Setting
from wagtail_multihost.spec.keys import derive_secret_key
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec

RULE = "HKDF of the platform's key with the site's uid and epoch"


def secret_key_settings(platform: PlatformSpec, site: SiteSpec) -> Iterator[Setting]:
    """Yield SECRET_KEY and SECRET_KEY_FALLBACKS (the key of the epoch before, if there was one)."""
    source = platform.sources.get("secret_key") or platform.sources.get("secret_key_file", "the key in the data folder")
    keys = [secret_key(platform, site, epoch) for epoch in (site.epoch, site.epoch - 1) if epoch]
    yield Setting("SECRET_KEY", keys[0], RULE, source)
    yield Setting("SECRET_KEY_FALLBACKS", keys[1:], "the key of the epoch before, if any", source)


def secret_key(platform: PlatformSpec, site: SiteSpec, epoch: int) -> Secret:
    def derive() -> str:
        if platform.secret_key is None:
            raise ConfigurationError.because("The platform's key was not read.", where="secret_key", site=site.id)
        return derive_secret_key(platform.secret_key, site.uid, epoch).reveal()

    return Secret.computed(derive)
