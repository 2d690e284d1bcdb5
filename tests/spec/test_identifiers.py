"""Site ids and hostnames."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.spec.hostile import HOSTILE_HOSTNAMES, HOSTILE_SITE_IDS, TOO_LONG
from wagtail_multihost.spec.identifiers import parse_hostname, parse_platform_name, parse_site_id, shown

HOSTNAME_253 = ".".join(["a" * 63, "b" * 63, "c" * 63, "d" * 61])
LDH_NAME = re.compile(r"(?=.{1,253}\Z)(?:(?!-)[a-z0-9-]{1,63}(?<!-)\.)+(?!-)[a-z0-9-]{1,63}(?<!-)")
LABEL_TEXT = st.text(alphabet="abcXYZ019-_ .\u00e9\u00fc\u0430\u043f\u0440\u03b1\u65e5\u3042\u3002\u200d", max_size=12)


@pytest.mark.parametrize("hostname", HOSTILE_HOSTNAMES, ids=ascii)
def test_hostname_that_is_hostile_or_ambiguous_is_refused(hostname: str) -> None:
    """No hostile text is a hostname, and the refusal is one short line of ASCII."""
    with pytest.raises(ValueError, match="accepted") as refused:
        parse_hostname(hostname)
    assert_is_one_ascii_line(str(refused.value))


@pytest.mark.parametrize("site", HOSTILE_SITE_IDS, ids=ascii)
def test_site_id_that_is_hostile_is_refused(site: str) -> None:
    """No hostile text is a site id, and the refusal is one short line of ASCII."""
    with pytest.raises(ValueError, match="accepted") as refused:
        parse_site_id(site)
    assert_is_one_ascii_line(str(refused.value))


def assert_is_one_ascii_line(message: str) -> None:
    assert message.isascii()
    assert message.isprintable()
    assert len(message) < 300


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("aurora.example.org", "aurora.example.org"),
        ("Aurora.EXAMPLE.org", "aurora.example.org"),
        ("aurora.localhost", "aurora.localhost"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("xn--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444", "xn--e1afmkfd.xn--p1ai"),
        # Cyrillic letters that all look Latin are still Cyrillic below a Cyrillic top-level domain.
        ("\u0430\u0440\u0440\u04cf\u0435.\u0440\u0444", "xn--80ak6aa92e.xn--p1ai"),
        ("\u65e5\u672c\u8a9e.jp", "xn--wgv71a119e.jp"),
        ("a\u3042\u30a2\u65e5.jp", "xn--a-x7t2n413p.jp"),
        ("xn--bcher-kva.1st.example", "xn--bcher-kva.1st.example"),
        ("1.2.3.0xg", "1.2.3.0xg"),
        ("ab--cd.example", "ab--cd.example"),
        (f"{'a' * 63}.example", f"{'a' * 63}.example"),
        (HOSTNAME_253, HOSTNAME_253),
    ],
)
def test_hostname_that_clients_can_send_is_accepted_in_ascii(written: str, sent: str) -> None:
    """An accepted hostname is the lower-case A-label form that clients send."""
    assert parse_hostname(written) == sent


def test_hostname_limits_are_tested_at_the_limit() -> None:
    """The longest accepted name has 253 characters, and the refused ones are longer."""
    assert len(HOSTNAME_253) == 253
    assert {len(name) for name in TOO_LONG[:2]} == {254}


@given(st.one_of(st.text(max_size=60), st.lists(LABEL_TEXT, min_size=1, max_size=5).map(".".join)))
def test_hostname_that_is_accepted_is_its_own_normal_form(text: str) -> None:
    """Whatever text is accepted becomes an LDH name in ASCII that is accepted unchanged."""
    try:
        name = parse_hostname(text)
    except ValueError as error:
        assert_is_one_ascii_line(str(error))
    else:
        assert LDH_NAME.fullmatch(name)
        assert parse_hostname(name) == name


@given(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]([a-z0-9]{0,8})){1,9}", fullmatch=True))
def test_hostname_of_plain_labels_is_accepted_unchanged(text: str) -> None:
    """Every plain LDH name without an IDNA prefix is accepted as it is."""
    if "xn--" not in text:
        assert parse_hostname(text) == text


@given(st.text(max_size=50))
def test_site_id_that_is_accepted_has_only_slug_characters(text: str) -> None:
    """Whatever text is accepted as a site id is a slug of at most 40 characters."""
    try:
        site = parse_site_id(text)
    except ValueError as error:
        assert_is_one_ascii_line(str(error))
    else:
        assert site == text
        assert re.fullmatch(r"(?=.{1,40}\Z)[a-z]+[a-z0-9]*(-[a-z0-9]+)*", site)


@pytest.mark.parametrize("site", ["a", "a1", "a-1", "aurora", "x-s3", "xn", "a" * 40, "a-b-c-d"])
def test_site_id_that_is_a_slug_is_accepted(site: str) -> None:
    """Slugs of 1 to 40 characters are site ids."""
    assert parse_site_id(site) == site


def test_platform_name_over_twenty_characters_is_refused() -> None:
    """A platform name has at most 20 characters, so that derived names have room."""
    assert parse_platform_name("p" * 20) == "p" * 20
    with pytest.raises(ValueError, match="at most 20"):
        parse_platform_name("p" * 21)


def test_shown_value_is_cut_to_sixty_ascii_characters() -> None:
    """A value in a message is ASCII, on one line, and at most 60 characters long."""
    assert shown("\u0430\n") == r"'\u0430\n'"
    assert len(shown("x" * 300)) == 60


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@db/n", "/srv/postgresql:/u:hunter2@db/n", "redis://:hun@/hunter2@c"]
)
def test_value_in_a_message_has_no_credentials(url: str) -> None:
    """A URL that was written in the place of a name or a path is shown without its user and password."""
    assert "hunter2" not in shown(url)
    assert shown("webmaster@example.org") == "'webmaster@example.org'"
