"""What each entry of the registry's lists does: keys that no snapshot has, and that no two sites share."""

from __future__ import annotations

import pytest

from tests.registry.conftest import AURORA, HEAD, RegistryMaker
from tests.registry.test_snapshot import Edit, edit, folder, refusal, source  # noqa: F401  # fixtures
from tests.registry.test_toml import refused, where

# Fixtures of another module are arguments here.
# ruff: noqa: F811
KEY = "k" * 50


@pytest.mark.parametrize(
    ("key", "value"),
    [("secret_key", KEY), ("secret_key_file", "/etc/key"), ("secret_keys", {"2026": KEY}), ("key_id", "2026")],
)
def test_no_key_of_the_platform_is_accepted_in_a_snapshot(folder: object, edit: Edit, key: str, value: object) -> None:
    """A snapshot with the platform's key, in any of its forms, is refused: whoever wrote it gave it away."""
    edit(lambda document: document["platform"].update({key: value}))
    problems = [str(problem) for problem in refusal(folder).problems]  # type: ignore[arg-type]
    assert any(f"platform.{key}" in problem and "must not have the platform's keys" in problem for problem in problems)
    assert not any(KEY in problem for problem in problems)


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ('database = { engine = "postgresql", host = "db", name = "one" }', "database.name"),
        ('database = { engine = "postgresql", host = "db", user = "one" }', "database.user"),
        ('database = { engine = "postgresql", host = "db", password = "one" }', "database.password"),
        ('database = { engine = "postgresql", host = "db", password_file = "one" }', "database.password_file"),
        ('database = { path = "/srv/one" }', "database.path"),
        ('storage = { path = "/srv/one" }', "storage.path"),
        ('storage = { backend = "s3", bucket = "one" }', "storage.bucket"),
        ('storage = { backend = "s3", domain = "cdn.example.org" }', "storage.domain"),
        ('storage = { backend = "s3", access_key = "one" }', "storage.access_key"),
        ('storage = { backend = "s3", access_key_file = "one" }', "storage.access_key_file"),
        ('storage = { backend = "s3", secret_key = "one" }', "storage.secret_key"),
        ('storage = { backend = "s3", secret_key_file = "one" }', "storage.secret_key_file"),
        ('frontend = { backend = "cloudflare", zone = "one" }', "frontend.zone"),
        ('frontend = { backend = "cloudflare", token = "one" }', "frontend.token"),
        ('frontend = { backend = "cloudflare", token_file = "one" }', "frontend.token_file"),
    ],
)
def test_no_key_that_tells_sites_apart_is_accepted_for_all(registry: RegistryMaker, table: str, key: str) -> None:
    """A database, bucket, account or credential of the platform would be that of every site."""
    error = refused(registry, f"{HEAD}{table}\n{AURORA}")
    assert f"sites.toml: platform.{key}" in where(error)
