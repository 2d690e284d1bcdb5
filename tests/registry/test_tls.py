"""Where a site's certificates are said: by the platform, by the site, or in part by each."""

from __future__ import annotations

import pytest

from tests.registry.conftest import RegistryMaker
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec.tls import TlsSpec

PATHS = 'certificate = "/c/{hostname}.pem", key = "/c/{hostname}.key"'
SITE = '[sites.aurora]\nhostnames = ["aurora.example", "www.aurora.example"]\n'


def test_site_names_its_pending_hostnames_over_the_platforms_paths(registry: RegistryMaker) -> None:
    """A site that waits for a certificate does not have to say again where certificates are."""
    text = f'[platform]\nname = "aviary"\ntls = {{ {PATHS} }}\n{SITE}tls = {{ pending = ["www.aurora.example"] }}\n'
    _, site = registry(text, {}).site("aurora")
    assert site.tls == TlsSpec(
        certificate="/c/{hostname}.pem", key="/c/{hostname}.key", pending=("www.aurora.example",)
    )


def test_site_without_any_paths_is_told_that_they_are_required(registry: RegistryMaker) -> None:
    """What is missing is called missing."""
    text = f'[platform]\nname = "aviary"\n{SITE}tls = {{ pending = ["www.aurora.example"] }}\n'
    with pytest.raises(ConfigurationError, match=r"sites\.aurora\.tls\.certificate: It is required"):
        registry(text, {}).site("aurora")
