"""Limits, each with the last value that is accepted and the first one that is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import pytest

from tests.spec.samples import a_platform
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.spec.declared import DECLARED
from wagtail_multihost.spec.identifiers import is_made_of, parse_hostname, parse_platform_name, parse_site_id, shown
from wagtail_multihost.spec.kinds import integer
from wagtail_multihost.spec.mail import MailSpec
from wagtail_multihost.spec.names import Names
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.overrides import parse_gravatar_url, parse_language_code, parse_line
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.uwsgi import UwsgiOptions

LABELS = ".".join(["a" * 63] * 3)


def url(length: int) -> str:
    return "https://a/".ljust(length, "b")


@pytest.mark.parametrize(
    ("parse", "accepted", "refused"),
    [
        (parse_site_id, "a" * 40, "a" * 41),
        (parse_platform_name, "a" * 20, "a" * 21),
        (parse_hostname, f"{LABELS}.{'a' * 61}", f"{LABELS}.{'a' * 62}"),
        (parse_hostname, f"{'a' * 63}.org", f"{'a' * 64}.org"),
        (parse_line, "a" * 200, "a" * 201),
        (parse_language_code, "abc", "abcd"),
        (parse_language_code, "ab", "a"),
        (parse_language_code, f"de-{'a' * 8}", f"de-{'a' * 9}"),
        (parse_gravatar_url, url(200), url(201)),
        (parse_gravatar_url, "https://a/b", "https://a/b//c"),
    ],
)
def test_text_has_a_longest_form(parse: Callable[[str], str], accepted: str, refused: str) -> None:
    """The longest, or shortest, text that is accepted is returned as it is; one character more is an error."""
    assert parse(accepted) == accepted
    with pytest.raises(ValueError):
        parse(refused)


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("database", "a" * 54, "a" * 55),
        ("role", "a" * 63, "a" * 64),
        ("bucket", "a" * 63, "a" * 64),
        ("bucket", "abc", "ab"),
        ("key_prefix", "a" * 80, "a" * 81),
    ],
)
def test_name_has_a_longest_form(name: str, accepted: str, refused: str) -> None:
    """Each kind of name has its server's length, or what its server leaves for suffixes."""
    check = {field.name: field.metadata[DECLARED].kind.check for field in fields(Names)}[name]
    assert check(accepted) == accepted
    for wrong in (refused, ""):
        with pytest.raises(ValueError, match="must be"):
            check(wrong)


def test_shown_text_is_cut_after_sixty_characters() -> None:
    """A longer one ends with dots, and has sixty with them."""
    assert shown("a" * 58) == repr("a" * 58)
    assert len(shown("a" * 1000)) <= 62
    assert shown("a" * 1000).rstrip("'\"").endswith("...")


@pytest.mark.parametrize(("timeout", "is_accepted"), [(0, False), (1, True), (300, True), (301, False)])
def test_mail_servers_time_is_limited(timeout: int, is_accepted: bool) -> None:
    """A second to five minutes."""
    if is_accepted:
        assert MailSpec(host="mail.internal", timeout=timeout).timeout == timeout
    else:
        with pytest.raises(ConfigurationError):
            MailSpec(host="mail.internal", timeout=timeout)


@pytest.mark.parametrize(("length", "is_accepted"), [(31, False), (32, True)])
def test_platform_key_has_a_shortest_form(length: int, is_accepted: bool) -> None:
    """32 characters are enough, one fewer is not; the key is not repeated."""
    key = Secret("0123456789abcdefghijklmnopqrstuvwxyz"[:length])
    if is_accepted:
        assert a_platform(secret_key=key).secret_key == key
    else:
        with pytest.raises(ConfigurationError, match="at least 32 characters"):
            a_platform(secret_key=key)


@pytest.mark.parametrize("value", [0, 1, 5, 9, 10])
def test_integer_is_within_its_limits(value: int) -> None:
    """Both ends belong to it, and what it accepts is said."""
    kind = integer(1, 9)
    assert kind.label == "1 to 9"
    if 1 <= value <= 9:
        assert kind.check(value) == value
    else:
        with pytest.raises(ValueError, match="1 to 9"):
            kind.check(value)


@pytest.mark.parametrize("options", [NginxOptions, UwsgiOptions, SystemdOptions])
def test_defaults_are_accepted(options: type[Any]) -> None:
    """Whatever is not stated has a value that could be stated."""
    stated = {field.name: getattr(options(), field.name) for field in fields(options)}
    assert options(**stated) == options()


@pytest.mark.parametrize(
    ("text", "expected"), [("ab", True), ("", False), ("abc", True), ("abcd", False), ("-a", False)]
)
def test_text_is_made_of_characters(text: str, expected: bool) -> None:
    """So many at most, one at least, and the first is none of the others."""
    assert is_made_of(text, frozenset("abcd"), "-", 3) is expected
