"""The probe of hostnames' addresses."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.spec.samples import a_platform, a_site
from wagtail_multihost import running
from wagtail_multihost.health.probe import failed, passed
from wagtail_multihost.health.probes import dns
from wagtail_multihost.health.probes.dns import DnsProbe
from wagtail_multihost.running import Running

NAME = "aurora.example.org"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str] | OSError]:
    """What the resolver says of each hostname."""
    known: dict[str, list[str] | OSError] = {}

    def resolve(hostname: str, port: object, **options: object) -> list[Any]:
        answer = known.get(hostname, socket.gaierror(socket.EAI_NONAME, "hunter2"))
        if isinstance(answer, OSError):
            raise answer
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in answer]

    monkeypatch.setattr(dns.socket, "getaddrinfo", resolve)
    return known


def measured(*hostnames: str, **options: Any) -> list[Any]:
    return list(DnsProbe(hostnames=hostnames, **options).measure())


def test_hostname_that_resolves_passes(answers: Any) -> None:
    """Any address will do."""
    answers[NAME] = ["192.0.2.1"]
    assert measured(NAME) == [passed(subject=NAME)]


def test_hostname_that_does_not_resolve_fails(answers: Any, caplog: pytest.LogCaptureFixture) -> None:
    """One hostname without an address does not hide the others."""
    answers[NAME] = ["192.0.2.1"]
    assert measured("gone.example.org", NAME) == [
        failed("unresolved", subject="gone.example.org"),
        passed(subject=NAME),
    ]
    assert "hunter2" in caplog.text


def test_name_server_that_does_not_answer_is_told_apart(answers: Any) -> None:
    """A resolver that is away says nothing of the hostname."""
    answers[NAME] = socket.gaierror(socket.EAI_AGAIN, "hunter2")
    assert measured(NAME) == [failed("no_answer", subject=NAME)]


@pytest.mark.parametrize("found", [["192.0.2.1"], ["192.0.2.1", "198.51.100.9"], ["2001:db8::1"], ["fe80::1%eth0"]])
def test_hostname_of_the_stated_addresses_passes(answers: Any, found: list[str]) -> None:
    """Addresses and networks of both versions are understood."""
    answers[NAME] = found
    stated = ["192.0.2.1", "198.51.100.0/24", "2001:db8::/32", "fe80::1"]
    assert measured(NAME, addresses=stated) == [passed(subject=NAME)]


@pytest.mark.parametrize("found", [["192.0.2.2"], ["192.0.2.1", "192.0.2.2"], ["::1"]])
def test_hostname_that_points_elsewhere_fails(answers: Any, found: list[str], caplog: pytest.LogCaptureFixture) -> None:
    """One address too many sends some visitors elsewhere; which it is, is in the log only."""
    answers[NAME] = found
    outcomes = measured(NAME, addresses=["192.0.2.1"])
    assert outcomes == [failed("points_elsewhere", subject=NAME)]
    assert found[-1] in caplog.text


def test_own_hostnames_are_asked_for(answers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an option the site's hostnames and aliases count."""
    monkeypatch.setattr(running, "_current", Running(platform=a_platform(), site=a_site()))
    assert [outcome.subject for outcome in measured()] == [
        "aurora.example.org",
        "www.aurora.example.org",
        "aurora.example.net",
    ]


def test_process_without_a_site_has_no_hostnames(answers: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked for, and that is told."""
    monkeypatch.setattr(running, "_current", None)
    assert measured() == [passed(code="not_applicable")]


@pytest.mark.parametrize("options", [{"hostnames": NAME}, {"hostnames": ["a b"]}, {"addresses": ["nowhere"]}])
def test_dns_option_that_makes_no_sense_is_refused(options: Any) -> None:
    """A mistake is told when settings are read."""
    with pytest.raises(ValueError):
        DnsProbe(**options)


def test_local_host_resolves() -> None:
    """The system's resolver is asked."""
    assert DnsProbe().outcome("localhost") == passed(subject="localhost")
