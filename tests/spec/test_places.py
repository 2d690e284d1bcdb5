"""The word by which two processes see that they keep a site's data in the same places."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.spec.samples import a_site, files, postgresql, redis, s3, sqlite
from wagtail_multihost.spec.places import digest_of_places
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec

REMOTE = {"database": postgresql(), "cache": redis(), "storage": s3()}
NAMES = a_site().names


@pytest.mark.parametrize(
    "change",
    [
        {"database": postgresql(name="another")},
        {"database": postgresql(user="another")},
        {"database": postgresql(host="another.internal")},
        {"database": postgresql(port=5433)},
        {"database": sqlite()},
        {"cache": redis(host="another.internal")},
        {"cache": redis(port=6380)},
        {"cache": redis(number=1)},
        {"cache": a_site().cache},
        {"storage": s3(bucket="another-bucket")},
        {"storage": s3(region="eu-west-1")},
        {"storage": s3(endpoint="https://s3.example.org")},
        {"storage": files()},
        {"names": replace(NAMES, key_prefix="aviary.another")},
        {"names": replace(NAMES, index_prefix="aviary_another_")},
    ],
    ids=lambda change: str(next(iter(change))),
)
def test_another_place_is_another_word(change: dict[str, Any]) -> None:
    """Each part of each address counts."""
    assert digest_of_places(a_site(**REMOTE)) != digest_of_places(a_site(**{**REMOTE, **change}))


@pytest.mark.parametrize("change", [{"database": sqlite(path=Path("/srv/b"))}, {"storage": files(path=Path("/srv/b"))}])
def test_another_path_is_another_word(change: dict[str, Any]) -> None:
    """The same holds for local files."""
    assert digest_of_places(a_site()) != digest_of_places(a_site(**change))


@pytest.mark.parametrize(
    "change",
    [
        {"database": postgresql(password=Secret("another"))},
        {"cache": redis(password=Secret("another"))},
        {"storage": s3(secret_key=Secret("another"))},
        {"hostnames": ("another.example.org",)},
        {"epoch": 2},
    ],
    ids=lambda change: str(next(iter(change))),
)
def test_what_is_no_place_makes_no_other_word(change: dict[str, Any]) -> None:
    """Keys, hostnames and passwords may change while the data stays where it is."""
    assert digest_of_places(a_site(**REMOTE)) == digest_of_places(a_site(**{**REMOTE, **change}))


#: What the words are made of, as JSON.
LOCAL_TEXT = (
    '[["sqlite", "/srv/data/sites/aurora/db.sqlite3", "", "", "", 5432], ["locmem", "", 6379, 0], '
    '["files", "/srv/data/sites/aurora/media", "", "", ""], ["aviary.aurora", "aviary_aurora_"]]'
)
REMOTE_TEXT = (
    '[["postgresql", "", "aviary__aurora", "aviary__aurora", "db.internal", 5432], '
    '["redis", "cache.internal", 6379, 0], ["s3", "", "aviary--aurora", "", ""], ["aviary.aurora", "aviary_aurora_"]]'
)


@pytest.mark.parametrize(("site", "text"), [(a_site(), LOCAL_TEXT), (a_site(**REMOTE), REMOTE_TEXT)])
def test_word_is_made_of_one_text(site: SiteSpec, text: str) -> None:
    """Processes of two releases come to the same word: the SHA-256 of one text, whose parts stay in their order."""
    assert digest_of_places(site) == hashlib.sha256(text.encode()).hexdigest()
