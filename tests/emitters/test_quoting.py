"""One quoting function per grammar: what each refuses, and what it writes."""

from __future__ import annotations

import fnmatch

import pytest

from wagtail_multihost.emitters.quoting import (
    NGINX_LENGTH,
    literal_pattern,
    nginx_quote,
    nginx_quote_around,
    nginx_quote_include,
    nginx_quote_key,
    uwsgi_quote,
    uwsgi_quote_part,
    uwsgi_quote_route,
)
from wagtail_multihost.exceptions import RenderError

CONTROL = ("\n", "\r", "\t", "\0", "\x1b", "\x7f", "\u2028", "\u202e")


@pytest.mark.parametrize("value", ["$host", "a$", *(f"a{character}b" for character in CONTROL), "x" * 4001])
def test_nginx_quote_refuses_what_has_no_spelling(value: str) -> None:
    """A dollar sign, a control character and an argument longer than nginx's buffer are refused."""
    with pytest.raises(RenderError):
        nginx_quote(value)


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("aurora.example.org", "aurora.example.org"),
        ("[::]:80", "[::]:80"),
        ("", '""'),
        ("a b", '"a b"'),
        ("~x", '"~x"'),
        (".example.org", '".example.org"'),
        ("*:80", '"*:80"'),
        ("#x", '"#x"'),
        ("a;b{}", '"a;b{}"'),
        ('a"b', '"a\\"b"'),
        ("a'b", '"a\'b"'),
        ("a\\b", '"a\\\\b"'),
        ("é", '"é"'),
    ],
)
def test_nginx_quote_writes_one_argument(value: str, quoted: str) -> None:
    """A value that nginx might read as more than plain text is written in double quotes."""
    assert nginx_quote(value) == quoted


def test_nginx_quote_counts_the_bytes_it_writes() -> None:
    """The limit holds for the escaped text, in bytes."""
    for value in ("x" * NGINX_LENGTH, " " * NGINX_LENGTH, " " + "é" * (NGINX_LENGTH // 2 - 1) + " "):
        assert nginx_quote(value).strip('"') == value
    for value in (" " * (NGINX_LENGTH + 1), "\\" * (NGINX_LENGTH // 2 + 1), "é" * (NGINX_LENGTH // 2 + 1)):
        with pytest.raises(RenderError):
            nginx_quote(value)


@pytest.mark.parametrize("word", ["default", "hostnames", "include", "volatile"])
def test_nginx_quote_key_takes_the_meaning_from_words_of_maps(word: str) -> None:
    """A site whose id is a word of nginx's map is a plain key: ``include`` would open a file."""
    assert nginx_quote_key(word) == f'"\\\\{word}"'
    assert nginx_quote_key(f"{word}-1") == f"{word}-1"


@pytest.mark.parametrize(
    ("path", "quoted"),
    [
        ("/etc/multi host\\", '"/etc/multi host\\\\"'),
        ("/etc/multihost/maps.conf", "/etc/multihost/maps.conf"),
        ("/etc/[a]/maps.conf", "/etc/[[]a]/maps.conf"),
        ("/etc/a?\\*/maps.conf", '"/etc/a[?][\\\\\\\\][*]/maps.conf"'),
    ],
)
def test_nginx_quote_include_names_one_file(path: str, quoted: str) -> None:
    """A folder with the characters of a pattern is not read as a pattern, which would include nothing."""
    assert nginx_quote_include(path) == quoted


@pytest.mark.parametrize("path", ["/a[b]c", "/a*b", "/a?b", "/a", "/a]b["])
def test_literal_pattern_matches_its_path_only(path: str) -> None:
    """The pattern of a path matches that path and no neighbour."""
    assert fnmatch.fnmatchcase(path, literal_pattern(path))
    assert not fnmatch.fnmatchcase(
        path.replace("?", "x").replace("*", "x").replace("[b]", "b") + "x", literal_pattern(path)
    )


def test_nginx_quote_around_keeps_the_variable_alone_unquoted() -> None:
    """Only the package's own variable is expanded; what stands around it is literal."""
    assert nginx_quote_around('/a "b"\\/', "site", "/media") == '"/a \\"b\\"\\\\/$site/media"'
    for before, after in (("$x", ""), ("", "$x"), ("\n", "")):
        with pytest.raises(RenderError):
            nginx_quote_around(before, "site", after)


@pytest.mark.parametrize(
    "value",
    [
        "%d",
        "100%",
        "$(HOME)",
        "@(exec://id)",
        "@(/etc/passwd)",
        " a",
        "a ",
        *(f"a{character}b" for character in CONTROL),
    ],
)
def test_uwsgi_quote_refuses_what_uwsgi_expands(value: str) -> None:
    """Whatever uWSGI would expand, run or strip is refused."""
    for quote in (uwsgi_quote, uwsgi_quote_part, uwsgi_quote_route):
        with pytest.raises(RenderError):
            quote(value)


@pytest.mark.parametrize(
    "value", ["", "/srv/a b", "/srv/é", 'a"b', "a'b", "a\\b", "a;b", "a#b", "[x]", "a=b", "$x", "@x"]
)
def test_uwsgi_quote_keeps_what_uwsgi_keeps(value: str) -> None:
    """An ini file has no quoting: an accepted value stands as it is."""
    assert uwsgi_quote(value) == value


@pytest.mark.parametrize("value", ["/srv/$1", "/srv/${HTTP_HOST}", "$"])
def test_uwsgi_quote_route_refuses_dollars(value: str) -> None:
    """In a route uWSGI expands groups and request variables, so no dollar sign gets there."""
    with pytest.raises(RenderError):
        uwsgi_quote_route(value)


def test_uwsgi_quote_part_refuses_colons() -> None:
    """A colon would end the part of an option that separates its parts by colons."""
    with pytest.raises(RenderError):
        uwsgi_quote_part("/srv/a:b")
    assert uwsgi_quote_part("/srv/a b") == "/srv/a b"


@pytest.mark.parametrize("quote", [nginx_quote, uwsgi_quote, uwsgi_quote_part, uwsgi_quote_route])
def test_refusals_show_the_value_on_one_ascii_line(quote: object) -> None:
    """The message of a refusal repeats the value harmlessly."""
    with pytest.raises(RenderError) as caught:
        quote("$(x):\n\x1b[31mé")  # type: ignore[operator]
    assert str(caught.value).isascii() and str(caught.value).isprintable()
