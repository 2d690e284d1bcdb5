"""Databases and caches that fail."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import pytest
from django.db.utils import ConnectionHandler




class Boom(Exception):
    """An error of a driver, with a secret in it."""


def boom(*arguments: object, **options: object) -> NoReturn:
    raise Boom("password=secret")


@pytest.fixture
def broken_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every use of a cache raises."""
    monkeypatch.setattr(readiness, "caches", Raising())


class Raising:
    """Stands for a handler of connections of which every one raises."""

    def __getitem__(self, alias: str) -> NoReturn:
        boom()


@pytest.fixture
def absent_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A real connection whose database cannot be opened until its folder is made; yields the folder."""
    folder = tmp_path / "later"
    name = str(folder / "db.sqlite3")
    handler = ConnectionHandler({"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": name}})
    monkeypatch.setattr(readiness, "connections", handler)
    yield folder
    handler["default"].close()
