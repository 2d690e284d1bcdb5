"""https on another port than 443: Wagtail knows https by port 443 alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from wagtail.models import Site

from tests.spec.samples import a_codebase, a_platform, a_site
from wagtail_multihost.emitters import Plan
from wagtail_multihost.emitters.cautions import cautions
from wagtail_multihost.spec import TlsSpec
from wagtail_multihost.spec.origins import misread_origin, origins_of, port_of, wagtail_origin

TLS = TlsSpec(certificate="/c.pem", key="/k.pem")


@pytest.mark.parametrize(
    "origin",
    [
        "https://{hostname}",
        "https://{hostname}:8443",
        "https://{hostname}:80",
        "https://{hostname}:443",
        "http://{hostname}",
        "http://{hostname}:8000",
        "http://{hostname}:443",
    ],
)
def test_wagtails_own_word_decides(origin: str) -> None:
    """Wagtail's Site row of this hostname and port says where its links lead to."""
    platform, site = a_platform(origin=origin), a_site(tls=None)
    stated = origins_of(platform, site)[0]
    assert wagtail_origin(stated) == Site(hostname=site.canonical, port=port_of(stated)).root_url
    same = wagtail_origin(stated) == stated.removesuffix(":443")
    assert (misread_origin(platform, site) is None) is same


def test_emitting_says_where_links_lead_to() -> None:
    """The sentence has the key, the site, what visitors use, what Wagtail writes and what to do."""
    site = a_site(tls=TLS)
    plan = Plan(
        platform=a_platform(origin="https://{hostname}:8443"),
        sites=(site,),
        codebase=a_codebase(),
        registry="/sites",
        directory=Path("/etc/multihost"),
    )
    (sentence,) = [found for found in cautions(plan, ["nginx"]) if "Wagtail" in found]
    assert sentence.startswith("platform.origin: Visitors of the site aurora use https://aurora.example.org:8443, but ")
    assert "lead to http://aurora.example.org:8443. Let visitors use port 443" in sentence
