"""Every setting of a site, and where it came from."""

from __future__ import annotations

import json
from pathlib import Path

from tests.spec.samples import SECRETS
from wagtail_multihost.resolver import resolve
from wagtail_multihost.resolver.explain import explain, masked
from wagtail_multihost.spec import Secret


def test_explain_has_a_row_for_every_setting_that_is_applied(registry_file: Path) -> None:
    """The rows are the settings that apply sets, in order, each with its rule."""
    resolved = resolve(registry_file, environ={"MULTIHOST_SITE": "aurora"})
    namespace: dict[str, object] = {}
    resolved.apply(namespace)
    rows = explain(resolved, {})
    assert [row["name"] for row in rows] == sorted(namespace)
    assert all(row["rule"] for row in rows)
    assert all(set(row) == {"name", "value", "rule", "source", "overrides"} for row in rows)


def test_explain_shows_no_secret_of_the_registry(registry_file: Path) -> None:
    """Nothing in the rows, printed or as JSON, is a secret or derived from one."""
    resolved = resolve(registry_file, environ={"MULTIHOST_SITE": "aurora"})
    rows = explain(resolved, {})
    text = json.dumps(rows) + repr(rows)
    derived = [str(resolved.secret_key), *map(str, resolved.value("SECRET_KEY_FALLBACKS"))]  # type: ignore[call-overload]
    assert not [secret for secret in (*SECRETS, *derived) if secret in text]
    values = {str(row["name"]): row["value"] for row in rows}
    assert values["SECRET_KEY"] == "***"
    assert values["SECRET_KEY_FALLBACKS"] == ["***"]
    assert values["DATABASES"]["default"]["PASSWORD"] == "***"  # type: ignore[index]
    assert values["CACHES"]["default"]["OPTIONS"]["password"] == "***"  # type: ignore[index]


def test_explain_says_where_a_value_was_read(registry_file: Path) -> None:
    """The source is the key as the operator wrote it."""
    rows = explain(resolve(registry_file, environ={"MULTIHOST_SITE": "aurora"}), {})
    sources = {row["name"]: row["source"] for row in rows}
    assert sources["DATABASES"] == "sites.toml: sites.aurora.database"
    assert sources["ALLOWED_HOSTS"] == "sites.toml: sites.aurora.hostnames"
    assert sources["TIME_ZONE"] == "sites.toml: sites.aurora.settings.TIME_ZONE"
    assert sources["SECRET_KEY"] == "sites.toml: platform.secret_key"


def test_explain_marks_what_the_project_had_otherwise(registry_file: Path) -> None:
    """A row says whether the project's own value gave way."""
    project = {"ALLOWED_HOSTS": ["*"], "TIME_ZONE": "Europe/Berlin"}
    rows = explain(resolve(registry_file, environ={"MULTIHOST_SITE": "aurora"}), project)
    assert {row["name"] for row in rows if row["overrides"]} == {"ALLOWED_HOSTS"}


def test_masked_values_have_the_types_of_json() -> None:
    """Tables, lists and secrets in any depth become JSON."""
    value = {"a": (1, [Secret("x"), Path("/srv")]), 7: None, "b": 1.5, "c": True}
    assert masked(value) == {"a": [1, ["***", "/srv"]], "7": None, "b": 1.5, "c": True}


def test_project_secrets_are_masked() -> None:
    """What the project's own settings hold under a telling key, or in a URL, is not shown either."""
    project = {
        "LOCATION": "redis://:hidden@cache.internal:6379/0",
        "OPTIONS": {"password": "hidden", "basic_auth": ("user", "hidden"), "KEY_PREFIX": "shown"},
        "URLS": ["https://user:hidden@search.internal"],
    }
    assert masked(project) == {
        "LOCATION": "redis://***@cache.internal:6379/0",
        "OPTIONS": {"password": "***", "basic_auth": "***", "KEY_PREFIX": "shown"},
        "URLS": ["https://***@search.internal"],
    }
