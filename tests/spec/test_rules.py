"""Rules for single values, each with what it just accepts and what it just does not."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from tests.spec.samples import a_platform, a_site
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry.servers import normalize_endpoint, normalize_host, normalize_server, parse_ip_address
from wagtail_multihost.spec import Secret, SystemdOptions, TlsSpec, derive_names, parse_hostname
from wagtail_multihost.spec.declared import declarations
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.names import Names, is_bucket, is_reserved_bucket, successor_names
from wagtail_multihost.spec.printing import escape_unprintable, one_line
from wagtail_multihost.spec.validation import (
    parse_database_host,
    parse_path,
    parse_port,
    parse_printable,
    parse_server_host,
    parse_template,
    problem_of,
    raise_problems,
)

UID = UUID("6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978")


def line(text: str) -> str:
    return parse_printable(text, what="The text")


def template(text: str) -> str:
    return parse_template(text, fields=frozenset({"a", "b"}))


@pytest.mark.parametrize(
    ("parse", "accepted"),
    [
        (
            parse_server_host,
            ("a", "A.b-c_d", "X", "a" * 253, "9", "192.0.2.1", "::1", "2001:db8::192.0.2.1", "/", "/a/b@-+_"),
        ),
        (parse_server_host, ("a.", "fe80::1%eth0", "/a b", "/a:b", "/\u00fc", f"/{'a' * 106}")),
        (parse_database_host, ("a", "::1", "/a:b", "/@a")),
        (line, ("a", " a ", "a" * 200, "~!")),
        (parse_port, (1, 65535)),
        (parse_path, (Path("/a"), Path("/a/..b"), Path("/a b"), Path("/\u00fc"))),
        (template, ("", "a", "{a}", "{a}{b}{a}")),
    ],
    ids=["host", "other hosts", "host of a database", "line", "port", "path", "template"],
)
def test_value_that_a_rule_accepts_is_returned(parse: Callable[[Any], object], accepted: tuple[object, ...]) -> None:
    """A rule returns what it accepts, as it is."""
    assert [parse(value) for value in accepted] == list(accepted)


@pytest.mark.parametrize(
    ("parse", "refused"),
    [
        (parse_server_host, ("", ".", "_a", "-a", ".a", "a-", "a..", "a_", "a" * 254, f"/{'a' * 107}")),
        (
            parse_server_host,
            ("::1%", "a%b", "::1%a/b", "::1%%", f"::1%{'a' * 16}", ":::", "1:2", f"::{'a' * 252}", "@a"),
        ),
        (parse_database_host, ("a,b", "/a,/b", "@", "@a", "a b", "/" + "\u00fc" * 54)),
        (parse_server_host, ("a b", "a/b", "::g", "g:b", "\u00fc", "::1\n", "/a\n", "u:p@h")),
        (line, ("", " ", "a" * 201, "\u00fc", "a\n", "\x7f")),
        (parse_port, (0, 65536, -1)),
        (parse_path, (Path("a"), Path("/"), Path("//a"), Path("/a/../b"), Path("/.."), Path("/a\n"), Path("/a\x7f"))),
        (template, ("{", "}", "{c}", "{a", "{a}}", "{{a}}", "{}", "{a}{c}", "{a.b}")),
    ],
    ids=["host", "zone", "host of a database", "host's characters", "line", "port", "path", "template"],
)
def test_value_that_a_rule_refuses_is_an_error(parse: Callable[[Any], object], refused: tuple[Any, ...]) -> None:
    """A rule raises a sentence for anything else."""
    for value in refused:
        with pytest.raises(ValueError, match=r"accepted.*\.$"):
            parse(value)


def test_host_in_a_message_has_no_credentials() -> None:
    """Of a host with an account before it the account is left out, whatever is in its password."""
    with pytest.raises(ValueError, match=r"^The host 'h' is not accepted") as refused:
        parse_server_host("user:hun@ter2@h")
    assert "ter2" not in str(refused.value)


def test_template_names_what_it_takes() -> None:
    """The fields are named in the order of the alphabet."""
    with pytest.raises(ValueError, match=r"only {a} and {b} may be used in braces"):
        template("{c}")


def test_rule_makes_a_problem_of_what_it_raises_or_changes() -> None:
    """What is refused, and what should be written in another way, is a problem under the key; the rest is none."""

    def upper(value: str, *, suffix: str = "") -> str:
        if not value:
            raise ValueError("It is blank.")
        return value.upper() + suffix

    assert list(problem_of("key", upper, "")) == [Problem("key", "It is blank.")]
    assert list(problem_of("key", upper, "a")) == [Problem("key", "The value 'a' must be written as 'A'.")]
    assert list(problem_of("key", upper, "A", suffix="B")) == [Problem("key", "The value 'A' must be written as 'AB'.")]
    assert list(problem_of("key", upper, "A")) == []
    assert list(problem_of("key", lambda: None)) == []
    never_equal = float("nan")
    assert list(problem_of("key", lambda value: value, never_equal)) == []


def test_all_problems_are_raised_at_once() -> None:
    """None is an error that is not raised, and several are one error."""
    raise_problems(iter(()))
    found = [Problem("a", "A."), Problem("b", "B.")]
    with pytest.raises(ConfigurationError) as refused:
        raise_problems(iter(found))
    assert refused.value.problems == tuple(found)


# What S3 says of names: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
@pytest.mark.parametrize("name", ["abc", "a" * 63, "a.b", "a-b", "0.0", "a--b", "a-.b"])
def test_bucket_that_s3_takes(name: str) -> None:
    """Three to 63 letters, digits, dots and hyphens, a letter or a digit at either end."""
    assert is_bucket(name) is True


@pytest.mark.parametrize("name", ["", "ab", "a" * 64, "Abc", "a_b", "-ab", "ab-", ".ab", "ab.", "a..b", "a.-b", "ab\n"])
def test_bucket_that_s3_does_not_take(name: str) -> None:
    """Anything else is no bucket."""
    assert is_bucket(name) is False


@pytest.mark.parametrize(
    ("name", "is_reserved"),
    [
        *((f"{start}a", True) for start in ("xn--", "sthree-", "amzn-s3-demo-")),
        *((f"a{end}", True) for end in ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")),
        *((f"a{start}a", False) for start in ("xn--", "sthree-", "amzn-s3-demo-")),
        *((f"a{end}a", False) for end in ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")),
    ],
)
def test_bucket_that_s3_reserves(name: str, is_reserved: bool) -> None:
    """Starts and ends are reserved where they stand, and nowhere else."""
    assert is_reserved_bucket(name) is is_reserved


@pytest.mark.parametrize(
    ("key", "accepted", "refused"),
    [
        ("database", ("a", "_", "A-b_9", "a" * 54), ("", "-a", "a.b", "a" * 55)),
        ("role", ("a", "_", "A-b_9", "a" * 63), ("", "-a", "a.b", "a" * 64)),
        ("bucket", ("abc", "a-b", "a" * 63), ("", "a.b", "-ab", "a" * 64)),
        ("key_prefix", ("a", "9.a-b", "a" * 80), ("", ".a", "-a", "a_b", "A", "a" * 81)),
        ("index_prefix", ("a_", "9_a-b_", f"{'a' * 99}_"), ("", "_", "a", "_a_", "-a_", "A_", f"{'a' * 100}_")),
        (
            "socket",
            ("a.sock", "9-a.sock", f"{'a' * 60}.sock"),
            ("", ".sock", "-a.sock", "a_b.sock", f"{'a' * 61}.sock"),
        ),
    ],
)
def test_name_is_accepted_up_to_its_limits(key: str, accepted: tuple[str, ...], refused: tuple[str, ...]) -> None:
    """Each kind of name has its characters, those that it may start with, and its length."""
    checks = {field.name: declared.kind.check for field, declared in declarations(Names)}
    assert [checks[key](name) for name in accepted] == list(accepted)
    for name in refused:
        with pytest.raises(ValueError, match="is not accepted: it must be "):
            checks[key](name)
    assert list(checks) == ["database", "role", "bucket", "key_prefix", "index_prefix", "socket"]


def test_names_of_a_successor_end_in_its_uid() -> None:
    """The rules are fixed: data is kept under them."""
    names = successor_names("my-aviary", "north-wind", UID)
    assert (names.database, names.role) == ("my_aviary__north_wind__6f1c2b0e", "my_aviary__north_wind__6f1c2b0e")
    assert (names.bucket, names.key_prefix) == ("my-aviary--north-wind--6f1c2b0e", "my-aviary.north-wind--6f1c2b0e")
    assert (names.index_prefix, names.socket) == ("my-aviary_north-wind--6f1c2b0e_", "north-wind--6f1c2b0e.sock")


def test_names_that_are_too_long_keep_their_start_and_a_digest() -> None:
    """The rules of long names are fixed too, to the last digit of the digest, before which no separator is doubled."""
    found, after = derive_names("p" * 20, "s" * 40), successor_names("p" * 20, "s" * 40, UID)
    assert found.database == f"{'p' * 20}__{'s' * 21}_fd6ac65547"
    assert found.bucket == f"{'p' * 20}--{'s' * 40}"
    assert after.database == f"{'p' * 20}__{'s' * 11}_d0d6f1c2f2__6f1c2b0e"
    assert after.bucket == f"{'p' * 20}--{'s' * 20}-23c50f75f9--6f1c2b0e"
    assert derive_names("p" * 20, f"{'s' * 20}-{'t' * 19}").database == f"{'p' * 20}__{'s' * 20}_e6905899d9"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\n\tb \u00fc\u2009c", "a\n\tb \u00fc\u2009c"),
        ("\x1b[31m\x9b", "\\x1b[31m\\x9b"),
        ("a\u202eb\u200bc\ufeff", "a\\u202eb\\u200bc\\ufeff"),
        ("a\r\x00", "a\\r\\x00"),
        ("\ud800", "\\ud800"),
        ("a\u2028b", "a\\u2028b"),
    ],
    ids=ascii,
)
def test_text_for_a_terminal_shows_what_is_not_seen(text: str, expected: str) -> None:
    """What steers a terminal, or has no width, is escaped; newlines, tabs and blanks of every width stay."""
    assert escape_unprintable(text) == expected


def test_text_for_a_log_is_one_line() -> None:
    """Newlines at the ends go, those within are blanks, and a tab or a carriage return within is escaped."""
    assert one_line("\r\na\nb\tc\rd\n") == "a b\\tc\\rd"
    assert one_line(7) == "7"
    assert one_line("\n X Y \n\r\n") == " X Y ", "nothing else goes"
    assert escape_unprintable("a\nb", kept="") == "a\\nb"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x" * 58, f"'{'x' * 58}'"),
        ("x" * 59, f"'{'x' * 56}..."),
        ("a://b@c://d@e", "'a:/***@e'"),
        ("a://b", "'a://b'"),
        (b"\xff", "b'\\xff'"),
    ],
)
def test_shown_value_is_short_and_without_credentials(value: object, expected: str) -> None:
    """Sixty characters are shown whole, of more the first 57; between the first :/ and the last @ nothing is."""
    assert shown(value) == expected


@pytest.mark.parametrize(
    "name",
    [
        "\u65e5\u3042\u30a2a.jp",  # Han, Hiragana, Katakana and Latin
        "a\u65e5\u3105.tw",  # Latin, Han and Bopomofo
        "a\u65e5\ud55c.kr",  # Latin, Han and Hangul
        "\u0430\u0431.example",  # Cyrillic with a letter that looks like none
        "\u0430.xn--p1ai",  # lookalikes below a Cyrillic domain
        "1.\u00fc2.example",
    ],
    ids=ascii,
)
def test_hostname_in_one_script_or_an_accepted_mix_is_accepted(name: str) -> None:
    """Scripts that are written together may be mixed, and letters below a domain of their own script look right."""
    assert parse_hostname(name).isascii()


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("\u3042\ud55c.jp", "mixes the letters"),  # Hiragana and Hangul
        ("\u3105\u3042.tw", "mixes the letters"),  # Bopomofo and Hiragana
        ("a\u0431.\u0440\u0444", "mixes the letters"),
        ("\u0430\u04351.com", "looks like a Latin"),
        ("www.\u0430\u0435.example", "looks like a Latin"),
    ],
    ids=ascii,
)
def test_hostname_that_could_be_taken_for_another_is_refused(name: str, reason: str) -> None:
    """Scripts that nobody writes together, and Cyrillic or Greek letters below a Latin domain that pass for Latin."""
    with pytest.raises(ValueError, match=reason):
        parse_hostname(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a.0x", "IP address"),
        ("a.0xaf", "IP address"),
        ("a.00", "IP address"),
        ("aurora", "one dot"),
        (f"{'a' * 64}.b", "1 to 63"),
        ("a..b", "1 to 63"),
        (".".join(["a" * 63] * 4), "255 characters; at most 253"),
        ("\u00fc\u00dc.example", "not a valid IDNA 2008"),
    ],
    ids=ascii,
)
def test_hostname_is_refused_with_the_reason(name: str, reason: str) -> None:
    """The sentence says which of the rules it breaks."""
    with pytest.raises(ValueError, match=reason):
        parse_hostname(name)


@pytest.mark.parametrize("minutes", [0, 1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60])
def test_timer_that_divides_an_hour_is_accepted(minutes: int) -> None:
    """None, or one that runs in even steps."""
    assert SystemdOptions(publish=minutes).publish == minutes


@pytest.mark.parametrize("minutes", [-60, -1, 7, 59, 61, 120])
def test_timer_that_does_not_divide_an_hour_is_refused(minutes: int) -> None:
    """A timer with any other would not run in even steps."""
    with pytest.raises(ConfigurationError, match="divide an hour"):
        SystemdOptions(publish=minutes)


def test_platform_names_accounts_and_groups_of_each_site() -> None:
    """{site} stands for the id in each of them; a group without it is no site's own."""
    platform = a_platform(group="g-{site}", media_group="m-{site}", user="u-{site}")
    found = (platform.group_of("a"), platform.media_group_of("a"), platform.user_of("a"), platform.account_of("a"))
    assert found == ("g-a", "m-a", "u-a", "u-a")
    assert (platform.account, platform.own_group_of("a")) == ("u-{site}", "g-a")
    shared = a_platform(group="sites", options=(SystemdOptions(user="unit"),))
    assert (shared.group_of("a"), shared.own_group_of("a"), shared.account) == ("sites", "", "unit")
    bare = a_platform()
    assert (bare.group_of("a"), bare.media_group_of("a"), bare.user_of("a"), bare.account) == ("", "", "", "")


def test_platform_has_the_keys_that_are_stated() -> None:
    """One key has a blank id, a keyring its own ids, and a platform that was read without secrets none."""
    key, other = Secret("k" * 32), Secret("l" * 32)
    assert a_platform(secret_key=key).keyring == {"": key}
    assert a_platform(secret_key=None).keyring == {}
    keyring = a_platform(secret_key=None, secret_keys=(("a", key), ("b", other)), key_id="b").keyring
    assert list(keyring.items()) == [("a", key), ("b", other)]


@pytest.mark.parametrize(
    ("origin", "has_tls", "expected"),
    [
        ("https://{hostname}", False, "https://a.example"),
        ("https://{hostname}:444", True, "https://a.example:444"),
        ("http://{hostname}:8000", False, "http://a.example:8000"),
        ("http://{hostname}:8000", True, "https://a.example"),
    ],
)
def test_origin_of_a_hostname(origin: str, has_tls: bool, expected: str) -> None:
    """It is the platform's, unless the front server has a certificate and the platform's is on http."""
    assert a_platform(origin=origin).origin_of("a.example", has_tls=has_tls) == expected
    assert a_platform(origin="http://{hostname}").origin_of("a.example") == "http://a.example"


def test_places_of_a_site_lie_in_the_folder_of_its_id() -> None:
    """Each file of a site is below sites/ID in the folder of data."""
    assert a_platform(data=Path("/d")).local_path("a", "b") == Path("/d/sites/a/b")


def test_site_has_tls_where_its_certificate_is() -> None:
    """Hostnames that wait for a certificate, or never get one, have none; without the table no hostname has."""
    tls = TlsSpec(certificate="/a", key="/b", pending=("www.aurora.example.org",), off=("aurora.example.net",))
    site = a_site(tls=tls)
    assert [site.has_tls(host) for host in site.hosts] == [True, False, False]
    assert a_site().has_tls("aurora.example.org") is False


ADDRESSES: tuple[tuple[str, object], ...] = (
    ("127.0.0.1", IPv4Address("127.0.0.1")),
    ("127.1", IPv4Address("127.0.0.1")),
    ("0x7f.1", IPv4Address("127.0.0.1")),
    ("2130706433", IPv4Address("127.0.0.1")),
    ("::ffff:10.0.0.5", IPv4Address("10.0.0.5")),
    ("::1", IPv6Address("::1")),
    ("db.internal", None),
    ("0xg", None),
    ("", None),
    ("a.1", None),
)


@pytest.mark.parametrize(("text", "address"), ADDRESSES)
def test_address_in_any_spelling_is_one(text: str, address: object) -> None:
    """What the C library takes for an address is that address; a name is none."""
    assert parse_ip_address(text) == address


@pytest.mark.parametrize(
    ("host", "name"),
    [
        *(
            (text, "localhost")
            for text in ("localhost", "LOCALHOST.", "db.localhost", "127.9.9.9", "::1", "0.0.0.0", "::")
        ),
        ("notlocalhost", "notlocalhost"),
        ("localhost.example", "localhost.example"),
        ("DB.Internal.", "db.internal"),
        ("10.1", "10.0.0.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
    ],
)
def test_host_has_one_name(host: str, name: str) -> None:
    """Whatever leads to this machine is one name, and addresses are in their usual form."""
    assert normalize_host(host) == name


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("db.internal", "db.internal:5432"),
        ("2001:db8::1", "[2001:db8::1]:5432"),
        *(
            (folder, "localhost:5432")
            for folder in ("/run/postgresql", "/var/run/postgresql/", "/tmp", "//tmp", "127.0.0.1")
        ),
        ("/srv/a/../b", "/srv/b:5432"),
    ],
)
def test_server_has_one_spelling(host: str, expected: str) -> None:
    """The default sockets of a server are the server on this machine; other folders are servers of their own."""
    assert normalize_server(host, 5432) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", ""),
        *((f"https://s3.eu-west-1{end}", "") for end in (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")),
        ("https://s3.example", "s3.example"),
        ("http://s3.example:80/", "s3.example"),
        ("https://s3.example:443", "s3.example"),
        ("https://s3.example:80", "s3.example:80"),
        ("http://s3.example:443", "s3.example:443"),
        ("http://127.0.0.1:9000", "localhost:9000"),
    ],
)
def test_endpoint_has_one_spelling(url: str, expected: str) -> None:
    """The port of the scheme is left out, and Amazon's own endpoints are none."""
    assert normalize_endpoint(url) == expected
