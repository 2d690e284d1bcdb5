"""A Kubernetes Service named like our variables: each pod of the namespace gets variables of it."""

from __future__ import annotations

import logging

import pytest

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.environment import service_links

OWN = {
    "MULTIHOST_SITE": "aurora",
    "MULTIHOST_SITE_HOSTNAMES": "aurora.example.org",
    "MULTIHOST_PLATFORM_NAME": "rig",
    "MULTIHOST_PLATFORM_SECRET_KEY": "k" * 50,
}


def links_of(name: str) -> dict[str, str]:
    """Return what Kubernetes sets for a Service of two named ports (pkg/kubelet/envvars of its sources)."""
    return {
        f"{name}_SERVICE_HOST": "10.0.48.109",
        f"{name}_SERVICE_PORT": "80",
        f"{name}_SERVICE_PORT_HTTP": "80",
        f"{name}_SERVICE_PORT_METRICS_2": "9090",
        f"{name}_PORT": "tcp://10.0.48.109:80",
        f"{name}_PORT_80_TCP": "tcp://10.0.48.109:80",
        f"{name}_PORT_80_TCP_PROTO": "tcp",
        f"{name}_PORT_80_TCP_PORT": "80",
        f"{name}_PORT_80_TCP_ADDR": "10.0.48.109",
        f"{name}_PORT_9090_UDP": "udp://10.0.48.109:9090",
    }


@pytest.mark.parametrize(
    "service",
    ["MULTIHOST_SITE", "MULTIHOST_PLATFORM", "MULTIHOST_SITE_DATABASE", "MULTIHOST_PLATFORM_NGINX", "MULTIHOST"],
)
def test_variables_of_a_service_are_not_keys(service: str, caplog: pytest.LogCaptureFixture) -> None:
    """The site starts with the values that the operator stated, and the log says what was left out and why."""
    with caplog.at_level(logging.WARNING, "wagtail_multihost.registry"):
        platform, site = open_registry("env:", {**OWN, **links_of(service)}).site("aurora")
    assert (platform.name, site.hostnames) == ("rig", ("aurora.example.org",))
    told = [record.getMessage() for record in caplog.records]
    if service == "MULTIHOST":  # these start like no key of ours
        assert told == []
    else:
        (sentence,) = told
        assert all(name in sentence for name in links_of(service))
        assert "enableServiceLinks: false" in sentence
        assert "10.0.48.109" not in sentence


def test_key_that_only_resembles_one_is_still_refused() -> None:
    """Without a Service's two first variables, and with another name, a variable is a misspelt key."""
    for variables in (
        {"MULTIHOST_SITE_PORT": "80"},
        {"MULTIHOST_SITE_SERVICE_HOST": "10.0.0.1"},
        {**links_of("MULTIHOST_SITE"), "MULTIHOST_SITE_PORTS": "80"},
        {**links_of("MULTIHOST_SITE"), "MULTIHOST_SITE_HOSTNAME": "x.example.org"},
    ):
        with pytest.raises(ConfigurationError) as found:
            open_registry("env:", {**OWN, **variables}).site("aurora")
        assert [problem.where for problem in found.value.problems] == [next(reversed(variables))]


def test_settings_of_the_operators_own_are_kept() -> None:
    """A Service's name has no two underscores, so a nested key that is named like one of its variables is a key."""
    own = {
        "MULTIHOST_SITE_SETTINGS__SEARCH_SERVICE_HOST": "search",
        "MULTIHOST_SITE_SETTINGS__SEARCH_SERVICE_PORT": "9",
    }
    assert service_links({**OWN, **own, **links_of("MULTIHOST_SITE")}) == sorted(links_of("MULTIHOST_SITE"))
