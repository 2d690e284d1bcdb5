"""What is said of local files of which two sites would have one, or one inside another's."""

from __future__ import annotations

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker
from wagtail_multihost.exceptions import ConfigurationError


def said(registry: RegistryMaker, own: str, other: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        registry(f"{HEAD}\n{AURORA}\n{own}\n{BOREALIS}\n{other}\n").load()
    return [problem.message for problem in caught.value.problems]


def test_file_of_two_sites_is_named(registry: RegistryMaker) -> None:
    """The whole path is in the sentence, and both sites."""
    [message] = said(registry, 'database = "sqlite:////srv/one.sqlite3"', 'database = "sqlite:////srv/one.sqlite3"')
    assert "/srv/one.sqlite3" in message and "aurora" in message


def test_database_that_is_the_other_ones_uploads_is_named(registry: RegistryMaker) -> None:
    """A folder and a file at one path are one file."""
    [message] = said(registry, 'storage = "file:///srv/one"', 'database = "sqlite:////srv/one"')
    assert "'/srv/one'" in message


def test_folder_in_another_one_is_named_with_both(registry: RegistryMaker) -> None:
    """Both paths are there as they are, without the slash at the end."""
    [message] = said(registry, 'storage = "file:///srv/outer"', 'storage = "file:///srv/outer/inner"')
    assert message == (
        "The storage '/srv/outer/inner' of the site borealis is inside the storage of the site aurora, '/srv/outer'; "
        "each must have its own place."
    )


@pytest.mark.parametrize("sidecar", ["-wal", "-shm", "-journal"])
def test_part_of_a_database_is_named(registry: RegistryMaker, sidecar: str) -> None:
    """Nothing lies where SQLite keeps what belongs to a database."""
    [message] = said(registry, 'database = "sqlite:////srv/a.db"', f'storage = "file:///srv/a.db{sidecar}"')
    assert f"'/srv/a.db{sidecar}' of the site borealis is inside the database of the site aurora" in message
