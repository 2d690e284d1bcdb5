"""Hostile values in units: refused, or read back as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from tests.emitters.conftest import make_codebase, make_plan, make_platform, make_site, texts
from tests.emitters.strategies import paths, site_ids
from tests.emitters.units import command, environment, last, read_unit, values, words
from wagtail_multihost.emitters import Plan
from wagtail_multihost.emitters.quoting import (
    systemd_quote,
    systemd_quote_argument,
    systemd_quote_line,
    systemd_quote_part,
    systemd_quote_program,
)
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.storage import StorageSpec

HOSTILE = " \"'\\%$;#[]={}@:!-+|`~iné√𝄞"
hostile = st.text(st.sampled_from(HOSTILE), min_size=1, max_size=20)
QUOTING = (systemd_quote, systemd_quote_argument, systemd_quote_line, systemd_quote_part, systemd_quote_program)


@given(hostile)
def test_word_is_read_back(value: str) -> None:
    """Any text of printable characters is one word, with its very characters."""
    assert words(systemd_quote(value), "aurora") == [value]


@given(hostile)
@example("$$")
@example("${HOME}")
def test_argument_is_read_back(value: str) -> None:
    """An argument is read back where dollar signs name variables, too."""
    assert command(f"/bin/true {systemd_quote_argument(value)}", "aurora") == ["/bin/true", value]


@given(hostile)
def test_line_is_read_back(value: str) -> None:
    """What is the whole value of a setting is read back, or refused."""
    try:
        quoted = systemd_quote_line(value)
    except RenderError:
        assume(False)
    unit = read_unit(f"[Service]\nWorkingDirectory={quoted}\nUMask=0077\n")
    assert quoted.replace("%%", "%") == value
    assert unit == {"Service": [("WorkingDirectory", quoted), ("UMask", "0077")]}


@pytest.mark.parametrize("quote", QUOTING)
@pytest.mark.parametrize("character", ["\n", "\r", "\0", "\x1b", "\x85", "\u2028", "\ufeff"])
def test_control_characters_are_refused(quote: Any, character: str) -> None:
    """What would end the line, or could not be seen in it, has no spelling."""
    with pytest.raises(RenderError):
        quote(f"/srv/a{character}b")


@pytest.mark.parametrize(
    ("quote", "value"),
    [
        (systemd_quote_line, "/srv/a\\"),
        (systemd_quote_line, " /srv/a"),
        (systemd_quote_line, "/srv/a "),
        (systemd_quote_part, "/srv/a:/etc"),
        (systemd_quote_part, "/srv/a\\b"),
        (systemd_quote_program, "+/srv/a"),
        (systemd_quote_program, "python"),
        (systemd_quote_program, "/srv/$HOME"),
        (systemd_quote_program, "/srv/it's"),
        (systemd_quote_program, '/srv/"a"'),
        (systemd_quote_program, "/srv/a\\b"),
    ],
)
def test_values_without_a_spelling_are_refused(quote: Any, value: str) -> None:
    """What systemd would read as something else is refused where that is so."""
    with pytest.raises(RenderError):
        quote(value)


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("/srv/a-b_c.d", "/srv/a-b_c.d"),
        ("a b", '"a b"'),
        ("100%i", '"100%%i"'),
        ("$HOME", '"$HOME"'),
        ("-x", '"-x"'),
        ("", '""'),
        ('a"\\', r'"a\"\\"'),
    ],
)
def test_words_are_quoted_where_they_need_it(value: str, quoted: str) -> None:
    """Plain words stay as an administrator writes them; others are in double quotes."""
    assert systemd_quote(value) == quoted


def hostile_plan(site: str, folders: dict[str, Any], registry: str) -> Plan:
    """Return a plan with a site that has own code and own folders, all oddly named."""
    names = ("directory", "virtualenv")
    return make_plan(
        make_site(
            site,
            data=Path(folders["data"]),
            storage=StorageSpec(backend="files", path=Path(folders["media"])),
            code=tuple((name, Path(folders[f"own_{name}"])) for name in names),
        ),
        directory=Path(folders["output"]),
        registry=registry,
        source=registry,
        codebase=make_codebase(**{name: Path(folders[name]) for name in names}),
        platform=make_platform(
            runner="gunicorn",
            user="site-{site}",
            data=Path(folders["data"]),
            sockets=Path(folders["sockets"]),
            snapshots=Path(folders["snapshots"]),
        ),
    )


PLACES = (
    "media",
    "output",
    "directory",
    "virtualenv",
    "own_directory",
    "own_virtualenv",
    "data",
    "sockets",
    "snapshots",
)


def below(place: str) -> st.SearchStrategy[Path]:
    """Return folders that are in no other place's."""
    refused = ":\\\"'" if "virtualenv" in place else ":\\"
    return paths(refused).map(lambda path: Path(f"/srv/{place}{path}"))


@settings(deadline=None, max_examples=50)
@given(site=site_ids, folders=st.fixed_dictionaries({place: below(place) for place in PLACES}), registry=hostile)
def test_every_accepted_value_is_read_back(site: str, folders: dict[str, Any], registry: str) -> None:
    """The units of any accepted site have as many settings as those of a plain one, and the values of the spec."""
    try:
        emitted = texts("systemd", hostile_plan(site, folders, registry))
    except RenderError:
        assume(False)
    plain = {place: f"/srv/plain/{place}" for place in PLACES}
    expected = texts("systemd", hostile_plan(site, plain, "sites.toml"))
    assert emitted.keys() == expected.keys()
    for name in emitted:
        if not name.endswith((".py", "multihost.conf")):
            assert keys_of(emitted[name]) == keys_of(expected[name])
    unit = read_unit(emitted["systemd/multihost@.service"], emitted[f"systemd/multihost@{site}.service.d/50-site.conf"])
    assert environment(unit, site)["MULTIHOST_REGISTRY"] == registry
    assert environment(unit, site)["TMPDIR"] == f"{folders['data']}/sites/{site}/tmp"
    assert last(unit, "Service", "WorkingDirectory") == str(folders["own_directory"])
    assert command(last(unit, "Service", "ExecStart"), site)[:3] == [
        f"{folders['own_virtualenv']}/bin/gunicorn",
        "--config",
        f"{folders['output']}/systemd/gunicorn.conf.py",
    ]
    bound = [words(value, site) for value in values(unit, "Service", "BindPaths")]
    assert bound == [[f"-{folders['data']}/sites/{site}"], [f"-{folders['media']}"]]


def keys_of(text: str) -> list[tuple[str, list[str]]]:
    """Return the names of a unit's settings; ProtectHome= may differ, by where the folders are."""
    unit = read_unit(text)
    return [(section, [key for key, _ in pairs if key != "ProtectHome"]) for section, pairs in unit.items()]
