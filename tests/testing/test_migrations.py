"""Migrated databases are kept under a digest of what they were made from."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import override_settings

from wagtail_multihost.testing.migrations import digest_migrations

APPS = ["django.contrib.contenttypes", "django.contrib.auth", "wagtail_multihost", "tests.testing"]
FIRST = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    pass\n"


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the package ``kept_migrations``, which the app takes its migrations from."""
    folder = tmp_path / "kept_migrations"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "0001_initial.py").write_text(FIRST)
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def test_same_project_has_the_same_digest(folder: Path) -> None:
    """The digest is that of the files' text: without a change it stays, whatever their time stamps."""
    with override_settings(MIGRATION_MODULES={"wagtail_multihost": "kept_migrations"}):
        before = digest_migrations()
        (folder / "0001_initial.py").touch()
        assert digest_migrations() == before


@pytest.mark.parametrize(
    ("name", "text"), [("0002_more.py", FIRST), ("0001_initial.py", f"{FIRST}# changed\n")], ids=["added", "changed"]
)
def test_other_migrations_have_another_digest(name: str, text: str, folder: Path) -> None:
    """A migration that is new or edited makes another digest, so that no database without it is taken."""
    with override_settings(MIGRATION_MODULES={"wagtail_multihost": "kept_migrations"}):
        before = digest_migrations()
        (folder / name).write_text(text)
        assert digest_migrations() != before


def test_other_apps_and_languages_have_another_digest() -> None:
    """Apps without models make no difference; those with models do, and so does the language that rows are made in."""
    digests = [digest_migrations()]
    for changed in (
        {"INSTALLED_APPS": APPS[:-1]},
        {"INSTALLED_APPS": APPS},
        {"INSTALLED_APPS": APPS[:-2]},
        {"LANGUAGE_CODE": "de"},
    ):
        with override_settings(**changed):
            digests.append(digest_migrations())
    whole, without, with_an_app_without_models, with_fewer, in_german = digests
    assert without == with_an_app_without_models
    assert len({whole, without, with_fewer, in_german}) == 4
