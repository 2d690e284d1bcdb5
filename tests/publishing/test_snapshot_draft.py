"""What a snapshot of a site holds."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.registry.test_snapshot import NOW, folder, source  # noqa: F401  # fixtures
from tests.registry.test_snapshot_parts import WHOLE
from tests.spec.samples import a_platform, a_site, postgresql, s3, secret_file, sqlite
from wagtail_multihost.publishing.snapshot_draft import account_key, draft_snapshots, plain_value, spec_table
from wagtail_multihost.registry import Registry
from wagtail_multihost.registry.base import Contents
from wagtail_multihost.spec import CodeOptions, MailSpec, Secret, SystemdOptions, TlsSpec

# Fixtures of another module are arguments here.
# ruff: noqa: F811


def test_value_is_written_in_the_clear() -> None:
    """Secrets, lists and tables are what a registry would have; a path is its text."""
    assert plain_value(Secret("hunter2")) == "hunter2"
    assert plain_value((Secret("a"), ("b", 7))) == ["a", ["b", 7]]
    assert plain_value(Path("/a")) == "/a"
    assert [plain_value(value) for value in (True, False, 0, "")] == [True, False, 0, ""]
    assert plain_value(MailSpec(host="h", username="u", password=Secret("p"))) == {
        "host": "h",
        "username": "u",
        "password": "p",
    }
    assert plain_value(TlsSpec(certificate="/a", key="/b", off=("c.example",))) == {
        "certificate": "/a",
        "key": "/b",
        "off": ["c.example"],
    }


def test_table_has_what_is_not_the_default() -> None:
    """Pairs of options and settings are tables in it, whatever is left out is not in it."""
    assert spec_table(postgresql(options=(("sslmode", "require"),), port=5432)) == {
        **{"engine": "postgresql", "name": "aviary__aurora", "user": "aviary__aurora"},
        **{"password": "database-password-hunter2", "host": "db.internal", "options": {"sslmode": "require"}},
    }
    assert spec_table(CodeOptions()) == {}
    assert spec_table(sqlite(path=Path("/a"))) == {"engine": "sqlite", "path": "/a"}
    assert not {"id", "hostnames"} - set(spec_table(a_site(labels=(("team", "press"),), state="maintenance")))
    assert not {"labels", "state", "pinned", "sources"} & set(spec_table(a_site(labels=(("team", "press"),))))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"user": "u-{site}"}, {"user": "u-{site}"}),
        ({"options": (SystemdOptions(user="unit"),)}, {"user": "unit"}),
        ({"user": "u", "options": (SystemdOptions(user="unit"),)}, {"user": "u"}),
    ],
)
def test_snapshot_says_who_the_process_runs_as(changes: dict[str, Any], expected: dict[str, object]) -> None:
    """Whichever table of servers says it."""
    assert account_key(a_platform(**changes)) == expected


def test_snapshot_is_whole(source: Registry, tmp_path: Path) -> None:
    """Everything that the process needs, once, and the files that it must not read, in the order of the alphabet."""
    key_file = Secret.from_file(secret_file(tmp_path / "a.key", "k" * 32))
    keys = (("a", key_file), ("b", Secret("k" * 32)))
    platform = a_platform(secret_key=None, secret_keys=keys, key_id="a", revision=9, origin="http://{hostname}")
    site = a_site(storage=s3(), database=postgresql(), secret_key=Secret("s" * 50), state="maintenance", pinned=True)
    [snapshot] = draft_snapshots(
        Path("/f"), source, Contents(platform, (site,)), datetime(2026, 5, 1, 12, 0, 0, 123, tzinfo=UTC)
    )
    assert snapshot.path == Path("/f/aurora.json")
    document = snapshot.document
    assert (document["format"], document["revision"], document["created"]) == (2, 9, "2026-05-01T12:00:00+00:00")
    assert (document["registry"], document["private"]) == (source.url, [str(tmp_path / "a.key"), source.url])
    assert document["platform"] == {"name": "aviary", "data": "/srv/data", "origin": "http://{hostname}"}
    assert list(document) == list(WHOLE)
    assert document["site"] == {
        "id": "aurora",
        "uid": "6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978",
        "hostnames": ["aurora.example.org", "www.aurora.example.org"],
        "names": spec_table(site.names),
        "database": spec_table(site.database),
        "cache": {"backend": "locmem"},
        "storage": spec_table(site.storage),
        "aliases": ["aurora.example.net"],
        "secret_key": "s" * 50,
    }
