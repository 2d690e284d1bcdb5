"""A digest of what a migrated database is made from, so that a kept one is not used after a change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.db.migrations.loader import MigrationLoader


def digest_migrations() -> str:
    """
    Return a hexadecimal digest of every app with models, the text of its migrations, and the settings that migrations
    of Django and Wagtail read. Imports no migration.
    """
    digest = hashlib.sha256()
    for text in digest_parts():
        digest.update(f"{len(text)}:".encode() + text)
    return digest.hexdigest()[:32]


def digest_parts() -> Iterator[bytes]:
    # Wagtail's migrations write the default language into rows; swapped models have other tables.
    for value in (django.__version__, settings.LANGUAGE_CODE, settings.AUTH_USER_MODEL):
        yield str(value).encode()
    for config in apps.get_app_configs():
        if config.models_module is None:
            continue
        yield config.label.encode()
        for path in migration_files(config.label):
            yield path.name.encode()
            yield path.read_bytes()


def migration_files(label: str) -> list[Path]:
    """Return the sorted files of an app's migrations; none if MIGRATION_MODULES says that it has none."""
    module, _ = MigrationLoader.migrations_module(label)
    spec = find_spec(module) if module else None
    folders = spec.submodule_search_locations if spec else None
    return sorted(path for folder in folders or () for path in Path(folder).glob("*.py"))
