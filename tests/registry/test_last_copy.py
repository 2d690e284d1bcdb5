"""The copy of what a registry in a database said last."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.accounts import needs_root
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.last_copy import (
    DAY,
    HOUR,
    KEYS,
    Kept,
    copy_path,
    keep_copy,
    read_copy,
    went_back,
    went_back_message,
)
from wagtail_multihost.registry.postgres import Reading

URL = "postgresql://db/control"
READING = Reading("one", 7, {"name": "aviary"}, {"aurora": {"hostnames": ["aurora.example.org"]}})


def test_copy_has_what_was_read(tmp_path: Path) -> None:
    """For the account that reads the registry, and nobody else."""
    path = copy_path(tmp_path)
    assert read_copy(path) is None
    keep_copy(path, URL, READING)
    kept = read_copy(path)
    assert kept is not None
    assert (kept.url, kept.reading) == (URL, READING)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_copy_that_is_the_same_is_only_renewed(tmp_path: Path) -> None:
    """Its age is that of the last look."""
    path = copy_path(tmp_path)
    keep_copy(path, URL, READING)
    os.utime(path, (1000, 1000))
    before = path.stat().st_ino
    assert read_copy(path).age.endswith(" days")  # type: ignore[union-attr]
    keep_copy(path, URL, READING)
    assert path.stat().st_ino == before
    assert read_copy(path).age == "less than a minute"  # type: ignore[union-attr]


def test_copy_of_a_later_state_stays(tmp_path: Path) -> None:
    """Another process has read it meanwhile."""
    path = copy_path(tmp_path)
    keep_copy(path, URL, READING._replace(revision=8))
    keep_copy(path, URL, READING)
    assert read_copy(path).reading.revision == 8  # type: ignore[union-attr]
    keep_copy(path, URL, READING._replace(revision=9))
    assert read_copy(path).reading.revision == 9  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("now", "is_back"),
    [
        (READING, False),
        (READING._replace(revision=8), False),
        (READING._replace(revision=6), True),
        (READING._replace(incarnation="two"), True),
        (READING._replace(incarnation="two", revision=6), True),
        (READING._replace(incarnation="two", revision=8), False),
    ],
)
def test_database_that_went_back_is_noticed(now: Reading, *, is_back: bool) -> None:
    """A restored one counts only once it has been given a higher revision."""
    assert went_back(READING, now) is is_back
    message = went_back_message(Kept(URL, READING, 2 * DAY), now, Path("/data/copy"))
    assert f"is {now.revision}, but 7 was read 2 days ago" in message
    assert ("another incarnation" in message) is (now.incarnation != "one")


@pytest.mark.parametrize(
    ("seconds", "age"),
    [(0, "less than a minute"), (59, "less than a minute"), (60, "1 minute"), (HOUR, "1 hour"), (5 * HOUR, "5 hours")],
)
def test_age_is_told_in_words(seconds: float, age: str) -> None:
    """As people say it."""
    assert Kept(URL, READING, seconds).age == age


@pytest.mark.parametrize("key", [*KEYS, "more"])
def test_copy_that_is_not_whole_is_not_used(tmp_path: Path, key: str) -> None:
    """Nor one of another version."""
    path = copy_path(tmp_path)
    keep_copy(path, URL, READING)
    document = json.loads(path.read_text())
    document[key] = None
    path.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError, match="It is no whole copy"):
        read_copy(path)
    keep_copy(path, URL, READING)
    assert read_copy(path) is not None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_copy_that_others_can_open_is_not_used(tmp_path: Path, mode: int) -> None:
    """They could have changed it, or seen every site."""
    path = copy_path(tmp_path)
    keep_copy(path, URL, READING)
    path.chmod(mode)
    with pytest.raises(ConfigurationError, match=f"It has the mode {mode:04o}; accepted: "):
        read_copy(path)


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/etc/passwd")])
def test_what_is_no_file_is_not_used(tmp_path: Path, make: object) -> None:
    """Nothing is followed, and nothing is waited for."""
    path = copy_path(tmp_path)
    make(path)  # type: ignore[operator]
    with pytest.raises(ConfigurationError):
        read_copy(path)


@needs_root
def test_copy_of_another_account_is_not_used(tmp_path: Path) -> None:
    """A site could have written it, where its folder is in the data folder."""
    path = copy_path(tmp_path)
    keep_copy(path, URL, READING)
    os.chown(path, 65534, 65534)
    with pytest.raises(ConfigurationError, match="It belongs to nobody"):
        read_copy(path)
    os.chown(tmp_path, 65534, 65534)
    with pytest.raises(PermissionError, match="is not accepted for root's files"):
        keep_copy(path, URL, READING)
    assert not list(tmp_path.glob("*.tmp"))
