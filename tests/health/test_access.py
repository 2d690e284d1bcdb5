"""Who may see details."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory

import wagtail_multihost.emitters
from tests.health.samples import OTHER, TOKEN
from wagtail_multihost.health import access
from wagtail_multihost.health.access import FORWARDING, Access, Gate, HealthRequest
from wagtail_multihost.health.middleware import request_from_django

TEMPLATES = Path(wagtail_multihost.emitters.__file__).parent / "templates"
NEAR = ("10.20.0.0/16", "127.0.0.1/32", "fd00::/8")


def asked(
    authorization: str = "", remote: str = "", forwarded: bool = False, networks: tuple[str, ...] = NEAR
) -> Access:
    question = HealthRequest("GET", "/-/health", authorization, "", remote, forwarded)
    return Gate(lambda: (OTHER, TOKEN), networks).access(question)


@pytest.mark.parametrize("token", [TOKEN, OTHER])
@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER {}", "Bearer    {}", "Bearer {}  ", "Bearer\t{}"])
def test_token_shows_details(form: str, token: str) -> None:
    """Every accepted token does, however the scheme is written and however many blanks there are."""
    assert asked(form.format(token)) is Access.DETAILS


@pytest.mark.parametrize(
    "token",
    [
        "",
        " ",
        TOKEN[:-1],
        f"{TOKEN}x",
        TOKEN.upper(),
        f"{TOKEN} {TOKEN}",
        f'"{TOKEN}"',
        f"{TOKEN},{OTHER}",
        "\xe9" * 40,
        f"{TOKEN}\xa0x",
        "\udce9",
        "\ud800",
        "x" * 1_000_000,
    ],
)
def test_wrong_token_is_refused_wherever_it_comes_from(token: str) -> None:
    """Whoever sends a token is judged by it, in a network as well; no byte in it is an error."""
    assert asked(f"Bearer {token}", remote="127.0.0.1") is Access.REFUSED


@pytest.mark.parametrize(
    "header", ["", "Basic YTpi", f"Basic {TOKEN}", f"Token {TOKEN}", TOKEN, f"Bearer{TOKEN}", f"XBearer {TOKEN}", "   "]
)
def test_other_schemes_are_anonymous(header: str) -> None:
    """A browser's own Authorization neither opens nor closes anything."""
    assert asked(header) is Access.STATUS
    assert asked(header, remote="127.0.0.1") is Access.DETAILS


def test_no_accepted_token_accepts_none() -> None:
    """A process without tokens is not open to blank ones."""
    for tokens in ((), ("",)):
        gate = Gate(lambda tokens=tokens: tokens, ())
        assert gate.access(HealthRequest("GET", "/", "Bearer")) is Access.REFUSED
        assert gate.access(HealthRequest("GET", "/", "Bearer ")) is Access.REFUSED


def test_all_tokens_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """A match ends nothing early: the time tells neither which token it was nor how much of it was right."""
    compared = []

    def compare(given: bytes, accepted: bytes) -> bool:
        compared.append(accepted)
        return given == accepted

    monkeypatch.setattr(access, "compare_digest", compare)
    assert asked(f"Bearer {OTHER}") is Access.DETAILS
    assert compared == [OTHER.encode(), TOKEN.encode()]


def test_tokens_are_not_looked_for_without_one() -> None:
    """A flood of anonymous questions derives no token."""

    def tokens() -> tuple[str, ...]:
        raise AssertionError("asked")

    assert Gate(tokens, NEAR).access(HealthRequest("GET", "/", remote="192.0.2.1")) is Access.STATUS


@pytest.mark.parametrize("remote", ["127.0.0.1", "10.20.255.1", "::ffff:10.20.0.1", "fd12::1"])
def test_network_shows_details(remote: str) -> None:
    """An address of a network does, in the form that a socket for both families has as well."""
    assert asked(remote=remote) is Access.DETAILS


@pytest.mark.parametrize(
    "remote",
    ["", "10.21.0.1", "::ffff:10.21.0.1", "::1", "127.0.0.2", "unix:", "localhost", "10.20.0.1, 192.0.2.1", "10.20.1"],
)
def test_other_addresses_do_not(remote: str) -> None:
    """A unix socket has no address, and what is none is in no network."""
    assert asked(remote=remote) is Access.STATUS


def test_no_network_is_near_by_default() -> None:
    """Without networks named nobody is near, the machine itself included."""
    assert asked(remote="127.0.0.1", networks=()) is Access.STATUS


@pytest.mark.parametrize("value", ["", "192.0.2.7"])
@pytest.mark.parametrize("header", FORWARDING)
def test_proxy_is_never_near(rf: RequestFactory, header: str, value: str) -> None:
    """Any header of a proxy, blank even, takes the networks away: behind it everybody has its address."""
    request = rf.get("/-/health", headers={header: value}, REMOTE_ADDR="127.0.0.1")
    question = request_from_django(request)
    assert question.forwarded
    assert Gate(lambda: (TOKEN,), NEAR).access(question) is Access.STATUS
    assert not request_from_django(rf.get("/-/health", REMOTE_ADDR="127.0.0.1")).forwarded


LOCAL = HealthRequest("GET", "/-/health", remote="127.0.0.1", host="aurora.localhost:8000")


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "www.aurora.localhost:8000", "127.0.0.1:1", "[::1]:8000"]
)
@pytest.mark.parametrize("remote", ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"])
def test_person_at_the_machine_sees_details_in_development(remote: str, host: str) -> None:
    """In development, whoever opens a name that only leads to this machine sees details; elsewhere nobody does."""
    question = LOCAL._replace(remote=remote, host=host)
    assert Gate(tuple, (), trusts_machine=True).access(question) is Access.DETAILS
    assert Gate(tuple, ()).access(question) is Access.STATUS


@pytest.mark.parametrize(
    "change",
    [
        {"remote": "192.0.2.7"},
        {"remote": "::ffff:192.0.2.7"},
        {"remote": ""},
        {"forwarded": True},
        {"host": ""},
        {"host": "rebound.example.org:8000"},
        {"host": "localhost.example.org"},
        {"host": "notlocalhost"},
        {"host": "localhost,rebound.example.org"},
        {"host": "rebound.example.org@localhost"},
        {"host": "127.0.0.1.example.org"},
        {"host": "[::2]"},
        {"host": "localhost:8000\n"},
    ],
)
def test_stranger_sees_the_word_in_development(change: Mapping[str, Any]) -> None:
    """Nobody else does: not through a proxy, and no page of the internet whose name was made to lead here."""
    assert Gate(tuple, (), trusts_machine=True).access(LOCAL._replace(**change)) is Access.STATUS


def test_machine_drains_nothing_in_development() -> None:
    """Draining needs a token there too, and a wrong token is refused."""
    gate = Gate(lambda: (TOKEN,), (), trusts_machine=True)
    assert not gate.has_token(LOCAL)
    assert gate.access(LOCAL._replace(authorization="Bearer wrong")) is Access.REFUSED


def test_answers_are_true_or_false() -> None:
    """What is no address, no token or comes through a proxy is near nobody, and known to nobody."""
    gate = Gate(lambda: (TOKEN, ""), NEAR)
    near = HealthRequest("GET", "/", remote="127.0.0.1")
    for question in (near._replace(forwarded=True), near._replace(remote=""), near._replace(remote="x")):
        assert gate.is_near(question) is False
    assert gate.is_near(near) is True
    assert [gate.knows(token) for token in (TOKEN, "", "\xe9", f"{TOKEN}x")] == [True, False, False, False]
    assert (gate.has_token(near), gate.has_token(near._replace(authorization="Bearer x"))) == (False, False)


def test_question_without_more_is_that_of_anybody() -> None:
    """What is not said of a request it does not have."""
    assert HealthRequest("GET", "/x") == ("GET", "/x", "", "", "", False, "", "")
    assert access.token_of(HealthRequest("GET", "/x")) is None
    assert access.token_of(HealthRequest("GET", "/x", "Bearer")) == ""
    assert access.token_of(HealthRequest("GET", "/x", "Bearer  a b ")) == "a b"


def test_token_works_through_a_proxy() -> None:
    """A token is as good behind a proxy as without one."""
    assert asked(f"Bearer {TOKEN}", remote="192.0.2.1", forwarded=True) is Access.DETAILS


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("nginx/gunicorn.conf", "proxy_set_header X-Request-Id {{ request_id }};"),
        ("nginx/nginx.conf", "uwsgi_param HTTP_X_REQUEST_ID {{ request_id }};"),
        ("uwsgi/emperor.ini", "http-var = HTTP_X_FORWARDED_FOR="),
    ],
)
def test_emitted_front_servers_say_that_they_forward(template: str, line: str) -> None:
    """They give the visitor's own address to the application, so what comes through them must be told apart."""
    header = "X-Forwarded-For" if "HTTP_X_FORWARDED_FOR" in line else "X-Request-Id"
    assert header in FORWARDING
    assert line in {text.strip() for text in (TEMPLATES / template).read_text().splitlines()}


def test_token_in_the_query_string_is_not_looked_at(rf: RequestFactory) -> None:
    """A URL gets into logs and histories: only the header counts."""
    request = rf.get("/-/health", {"token": TOKEN, "access_token": TOKEN, "authorization": f"Bearer {TOKEN}"})
    assert asked(request_from_django(request).authorization) is Access.STATUS


@pytest.mark.parametrize("remote", ["127.0.0.1", ""])
def test_has_token_is_about_the_token_alone(remote: str) -> None:
    """What needs a token is not to be had by an address, whatever other credentials come along."""
    gate = Gate(lambda: (TOKEN,), NEAR)
    questions = [HealthRequest("POST", "/-/drain", header, "", remote) for header in ("", "Basic YTpi", "Bearer x")]
    assert not any(gate.has_token(question) for question in questions)
    assert gate.has_token(HealthRequest("POST", "/-/drain", f"Bearer {TOKEN}", "", remote))
