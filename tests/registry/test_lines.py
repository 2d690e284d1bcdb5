"""On which line of a registry's file a key is."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given
from hypothesis import strategies as st

from tests.registry.conftest import RegistryMaker
from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry import lines, open_registry
from wagtail_multihost.registry.lines import key_lines, key_paths, located_labels

DOCUMENT = '''\
# [sites.none] in a comment
top = 1  # trailing = "comment"

[platform] # a table
name = "aviary"
'quoted.key' = 1
"esc\\u0061ped" = 2
text = """
[sites.nowhere]
hostnames = ["no"]
a = 1 \\
  """
literal = \'\'\'
[sites.elsewhere]
quotes\'\'\'\'\'
dotted . inner.key = true

[ sites . aurora ]
hostnames = [
  "aurora.example.org", # ] not the end
  "[sites.array]",
  { not = "a table of ours", nor = { this = 1 } },
]
database = { engine = "postgresql", options = { sslmode = "prefer" }, "quoted" = "}" }
date = 1979-05-27 07:32:00
"" = 1

[sites.aurora.settings]
TIME_ZONE = "Europe/Berlin"
[sites."borealis.north"]
uid = "x"
'''
LINES = {
    ("top",): 2,
    ("platform",): 4,
    ("platform", "name"): 5,
    ("platform", "quoted.key"): 6,
    ("platform", "escaped"): 7,
    ("platform", "text"): 8,
    ("platform", "literal"): 13,
    ("platform", "dotted"): 16,
    ("platform", "dotted", "inner"): 16,
    ("platform", "dotted", "inner", "key"): 16,
    ("sites",): 18,
    ("sites", "aurora"): 18,
    ("sites", "aurora", "hostnames"): 19,
    ("sites", "aurora", "database"): 24,
    ("sites", "aurora", "database", "engine"): 24,
    ("sites", "aurora", "database", "options"): 24,
    ("sites", "aurora", "database", "options", "sslmode"): 24,
    ("sites", "aurora", "database", "quoted"): 24,
    ("sites", "aurora", "date"): 25,
    ("sites", "aurora", ""): 26,
    ("sites", "aurora", "settings"): 28,
    ("sites", "aurora", "settings", "TIME_ZONE"): 29,
    ("sites", "borealis.north"): 30,
    ("sites", "borealis.north", "uid"): 31,
}


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_lines_of_every_way_to_write_a_key(newline: str) -> None:
    """Quoted and dotted keys, inline tables, arrays and texts over several lines, comments: each key has its line."""
    assert key_lines(DOCUMENT.replace("\n", newline)) == LINES


def test_a_table_that_is_implied_first_has_the_line_of_its_header() -> None:
    """Where a table is named on the way to another and written later, the header counts."""
    assert key_lines("[a.b]\nc = 1\n[a]\nd = 2\n")["a",] == 3
    assert key_lines("[a.b]\nc = 1\n")["a",] == 1


@pytest.mark.parametrize("text", ["a = ", "a = 1\n[a]\n", "[[a]]\nb = 1\n", "a = [", "[" * 5000, "x = " + "[" * 5000])
def test_text_that_is_not_understood_has_no_lines(text: str) -> None:
    """What is no TOML, and what a registry cannot have, leads to no line at all."""
    assert key_lines(text) == {}


def test_lines_of_other_keys_than_the_parsers_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the scanner ever read a key otherwise than the parser does, no line is told at all."""
    assert key_lines("[platform]\nname = 1\n")
    monkeypatch.setattr(lines.Scanner, "part", lambda scanner: scanner.take(lines.KEY)[0][:2])
    assert key_lines("[platform]\nname = 1\n") == {}


NAMES = st.text(max_size=6) | st.sampled_from(["a", "a.b", "a b", '"', "'", "=", "[x]", "#", "\n", "\\", ""])
VALUES = st.recursive(
    st.integers(-9, 9)
    | st.booleans()
    | NAMES
    | st.sampled_from(["\n[a]\nb = 1\n", '"""', "'''", "# a", "}", "]", ","]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
ENCODABLE = st.dictionaries(NAMES, VALUES, max_size=4)


@given(ENCODABLE)
def test_lines_name_keys_of_the_document(document: dict[str, object]) -> None:
    """Of any document each key that is found exists, and its line, or the one of a table around it, names it."""
    try:
        text = tomlkit.dumps(document)
        parsed = tomllib.loads(text)
    except (ValueError, UnicodeEncodeError):
        return  # tomlkit does not write all that it takes
    found = key_lines(text)
    assert set(found) <= set(key_paths(parsed))
    rows = text.replace("\r\n", "\n").split("\n")
    for path, line in found.items():
        bare = path[-1]
        if bare.isascii() and bare.isalnum():
            assert bare in rows[line - 1]


@given(ENCODABLE.filter(lambda document: all(key.isascii() and key.isalnum() for key in document)))
def test_plain_documents_are_always_understood(document: dict[str, object]) -> None:
    """A document of texts, numbers and lists under bare keys has a line for each."""
    plain = {key: value for key, value in document.items() if isinstance(value, str | int)}
    text = tomlkit.dumps({"platform": plain})
    parsed = tomllib.loads(text)
    assert set(key_lines(text)) == set(key_paths(parsed))


def test_labels_have_the_line_of_their_key(tmp_path: Path) -> None:
    """The source of a key, as the operator wrote it, leads to the same with its line; a byte order mark is no line."""
    path = tmp_path / "sites.toml"
    path.write_text('\ufeff[platform]\nname = "aviary"\n[sites.aurora]\n"host names" = []\n', encoding="utf-8")
    assert located_labels(open_registry(path, {})) == {
        "sites.toml: platform": "sites.toml:1: platform",
        "sites.toml: platform.name": "sites.toml:2: platform.name",
        "sites.toml: sites": "sites.toml:3: sites",
        "sites.toml: sites.aurora": "sites.toml:3: sites.aurora",
        "sites.toml: sites.aurora.'host names'": "sites.toml:4: sites.aurora.'host names'",
    }


def test_registries_without_lines_have_no_labels(tmp_path: Path) -> None:
    """Variables, and a file that is not there, have no lines, and that is no error."""
    assert located_labels(open_registry("env:", {})) == {}
    assert located_labels(open_registry(tmp_path / "none.toml", {})) == {}
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    assert located_labels(open_registry(tmp_path / "bytes.toml", {})) == {}


def test_problems_have_their_lines(registry: RegistryMaker, tmp_path: Path) -> None:
    """A key has its own line, one that is missing that of its table, and a table of which nothing is written none."""
    opened = registry('[platform]\nname = 5\n\n[sites.aurora]\nhostname = ["a"]\n"host names" = 1\n[sites.borealis]\n')
    with pytest.raises(ConfigurationError) as caught:
        opened.load()
    found = {(problem.key, problem.line) for problem in caught.value.problems}
    assert found == {
        ("platform.name", 2),
        ("sites.aurora.hostname", 5),
        ("sites.aurora.'host names'", 6),
        ("sites.aurora.hostnames", 4),
        ("sites.borealis.hostnames", 7),
    }
    assert {problem.file for problem in caught.value.problems} == {str(tmp_path / "sites.toml")}
    assert "  - sites.toml, line 2: platform.name: " in str(caught.value)


def test_problems_of_sites_that_are_left_out_have_their_lines(registry: RegistryMaker) -> None:
    """As those of a registry that is refused."""
    text = '[platform]\nname = "a"\n[sites.aurora]\nhostnames = ["a.example"]\n[sites.borealis]\n'
    (problem,) = registry(text).load(keep_going=True).problems["borealis"]
    assert (problem.key, problem.line) == ("sites.borealis.hostnames", 5)


def test_problem_of_a_file_that_has_gone_has_no_line(registry: RegistryMaker, tmp_path: Path) -> None:
    """What is known is said."""
    opened = registry("[platform]\n")
    (tmp_path / "sites.toml").unlink()
    known, other = opened.locate([Problem("sites.toml: platform.name", "It is 5."), Problem("--site", "No.")])
    assert str(known) == "sites.toml: platform.name: It is 5." and str(other) == "--site: No."
    assert known.as_row() == {
        "site": None,
        "key": "platform.name",
        "message": "It is 5.",
        "file": str(tmp_path / "sites.toml"),
        "line": None,
    }


def test_problems_of_a_file_of_variables_have_their_lines(tmp_path: Path) -> None:
    """As those of a TOML file do."""
    path = tmp_path / ".env"
    path.write_text("# one\nMULTIHOST_SITE=aurora\nMULTIHOST_PLATFORM_NAME=aviary\nMULTIHOST_SITE_EPOCH=x\n")
    path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        open_registry(path, {}).load()
    found = {(problem.key, problem.line, problem.file) for problem in caught.value.problems}
    assert ("MULTIHOST_SITE_EPOCH", 4, str(path)) in found and ("MULTIHOST_SITE_HOSTNAMES", 0, str(path)) in found
