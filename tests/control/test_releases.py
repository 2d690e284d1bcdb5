"""What an operator's file says of releases, and what is marked because of it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from wagtail_multihost.control.releases import ENDED, ENDS, PATCH, Releases, read_releases
from wagtail_multihost.exceptions import ConfigurationError

TODAY = date(2026, 12, 1)
TOML = """
[django."5.2"]
latest = "5.2.10"
end = 2028-04-30
lts = true

[django."5"]
latest = "5.2.99"

[django."4.2"]
latest = "4.2.26"
end = 2026-11-30
lts = true

[python."3.10"]
end = 2027-02-28
"""
#: As https://endoflife.date/api/django.json has it, and as its later form has it.
FIRST = [
    {"cycle": "5.2", "releaseDate": "2025-04-02", "eol": "2028-04-30", "latest": "5.2.10", "lts": True},
    {"cycle": "5.1", "releaseDate": "2024-08-07", "eol": False, "latest": "5.1.14", "lts": False},
]
SECOND = {
    "schema_version": "1.2.0",
    "result": {
        "name": "django",
        "releases": [
            {"name": "5.2", "isLts": True, "eolFrom": "2028-04-30", "latest": {"name": "5.2.10"}},
            {"name": "5.1", "isLts": False, "eolFrom": None, "latest": {"name": "5.1.14"}},
        ],
    },
}


def read(folder: Path, text: str) -> Releases:
    path = folder / "releases.toml"
    path.write_text(text)
    return read_releases(path)


def kinds(releases: Releases, package: str, version: str) -> list[str]:
    return [mark.kind for mark in releases.marks_of(package, version, TODAY)]


@pytest.mark.parametrize(
    ("package", "version", "found"),
    [
        ("django", "5.2.9", [PATCH]),
        ("django", "5.2.10", []),
        ("django", "5.2.11", []),
        ("django", "5.2rc1", [PATCH]),
        ("django", "5.1.1", [PATCH]),
        ("django", "4.2.1", [PATCH, ENDED]),
        ("django", "4.2.26", [ENDED]),
        ("django", "4.20.1", []),
        ("python", "3.10.4", [ENDS]),
        ("python", "3.1", []),
        ("python", "", []),
        ("wagtail", "8.0", []),
    ],
)
def test_versions_are_marked(tmp_path: Path, package: str, version: str, found: list[str]) -> None:
    assert kinds(read(tmp_path, TOML), package, version) == found


def test_mark_says_what_it_is_about(tmp_path: Path) -> None:
    releases = read(tmp_path, TOML)
    patch, ended = releases.marks_of("django", "4.2.1", TODAY)
    assert (patch.latest, ended.end, ended.is_lts) == ("4.2.26", date(2026, 11, 30), True)
    assert releases.marks_of("django", "5.2.9", TODAY)[0].latest == "5.2.10", "the longest series counts"


@pytest.mark.parametrize("document", [FIRST, SECOND])
def test_files_of_endoflife_are_read(tmp_path: Path, document: object) -> None:
    (tmp_path / "django.json").write_text(json.dumps(document))
    releases = read_releases(tmp_path)
    assert kinds(releases, "django", "5.2.9") == [PATCH]
    assert kinds(releases, "django", "5.1.14") == []
    [mark] = releases.marks_of("django", "5.2.10", date(2028, 4, 1))
    assert (mark.kind, mark.is_lts) == (ENDS, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[django", "It is no TOML"),
        ("django = 1", "It must be a table of a series"),
        ("[django.5]\nlatest = 1", "It must be a version"),
        ('[django.5]\nlatest = "x"', "It must be a version"),
        ('[django.5]\nend = "2028-04-30"', "It must be a day"),
        ("[django.5]\nend = 2028-04-30T10:00:00", "It must be a day"),
        ("[django.5]\neol = 2028-04-30", "The key 'eol' is not known"),
        ("[django.x]", "It must be a table of a series"),
        ('["a b".5]', "is no name of a package"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=r"releases\.toml") as caught:
        read(tmp_path, text)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["{", '{"x": 1}', "[1]", '[{"cycle": "5.2", "eol": "soon"}]', "[" * 100_000])
def test_mistakes_in_a_folder_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "django.json").write_text(text)
    with pytest.raises(ConfigurationError, match=r"django\.json"):
        read_releases(tmp_path)


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_releases(tmp_path / "none.toml")
