"""Every setting of a site, and where it came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.spec.samples import SECRETS
from wagtail_multihost.exceptions import SecretUnreadableError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.lines import located_labels
from wagtail_multihost.resolver import ResolvedSettings, resolve
from wagtail_multihost.resolver.explain import explain, explain_project, is_same_value, site_facts
from wagtail_multihost.spec import Secret

COLUMNS = {"kind", "name", "value", "rule", "source", "overrides", "overrode"}


def test_explain_has_a_row_for_every_setting_that_is_applied(registry_file: Path) -> None:
    """The rows are the settings that apply sets, in order, each with its rule."""
    resolved = resolve(registry_file, environ={"MULTIHOST_SITE": "aurora"})
    namespace: dict[str, object] = {}
    resolved.apply(namespace)
    rows = explain(resolved, {})
    assert [row["name"] for row in rows] == sorted(namespace)
    assert all(row["rule"] for row in rows)
    assert all(set(row) == COLUMNS and row["kind"] == "setting" for row in rows)


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
    cache = values["CACHES"]["default"]  # type: ignore[index]
    assert cache["OPTIONS"]["password"] == "***"
    assert "@" not in cache["LOCATION"], "an address has no credentials, masked or not"


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
    assert {row["name"]: row["overrode"] for row in rows if row["overrides"]} == {"ALLOWED_HOSTS": ["*"]}


PROJECT_SECRET = "project-secret-hunter6"


def test_explain_shows_no_secret_that_gave_way(registry_file: Path) -> None:
    """The project's old keys, passwords and addresses are masked, and a key that is used twice is so twice."""
    project = {
        "SECRET_KEY": PROJECT_SECRET,
        "DATABASES": {"default": {"ENGINE": "x", "PASSWORD": PROJECT_SECRET, "NAME": f"a {PROJECT_SECRET}"}},
        "CACHES": {"default": {"LOCATION": [f"redis://:{PROJECT_SECRET}@a"]}, "other": {"LOCATION": PROJECT_SECRET}},
    }
    rows = explain(resolve(registry_file, environ={"MULTIHOST_SITE": "aurora"}), project)
    assert PROJECT_SECRET not in json.dumps(rows)
    overrode = {row["name"]: row["overrode"] for row in rows if row["overrides"]}
    assert overrode["SECRET_KEY"] == "***"
    assert overrode["DATABASES"] == {"default": {"ENGINE": "x", "PASSWORD": "***", "NAME": "a ***"}}
    assert overrode["CACHES"] == {"default": {"LOCATION": ["redis://***@a"]}, "other": {"LOCATION": "***"}}


def test_settings_are_compared_without_reading_a_secret(tmp_path: Path) -> None:
    """A secret is equal to nothing, paths and lists are what their texts and items are."""
    unreadable = Secret.from_file(tmp_path / "none")
    with pytest.raises(SecretUnreadableError):
        unreadable.reveal()
    assert not is_same_value({"a": [unreadable]}, {"a": ["x"]})
    assert not is_same_value(unreadable, Secret("x"))
    assert is_same_value({"a": [tmp_path, (1,)]}, {"a": (str(tmp_path), [1])})
    assert not is_same_value({"a": 1}, {"a": 1, "b": 2})


def test_the_projects_own_settings_are_those_that_no_site_changes(registry_file: Path) -> None:
    """Of the rest, what is not Django's default is listed as the project's, masked."""
    resolved = resolve(registry_file, environ={"MULTIHOST_SITE": "aurora"})
    project = {"DEBUG": True, "USE_TZ": True, "ALLOWED_HOSTS": ["*"], "SENTRY_DSN": f"https://{PROJECT_SECRET}@a.io/1"}
    project["SEEN"] = f"x{PROJECT_SECRET}x"
    project["SOME_TOKEN"] = PROJECT_SECRET
    rows = explain_project(resolved, {}, project, {"USE_TZ": True, "DEBUG": False})
    assert [(row["kind"], row["name"], row["value"]) for row in rows] == [
        ("project", "DEBUG", True),
        ("project", "SEEN", "x***x"),
        ("project", "SENTRY_DSN", "https://***@a.io/1"),
        ("project", "SOME_TOKEN", "***"),
    ]
    assert all(set(row) == COLUMNS for row in rows)


OVERLAID = """\
[platform]
name = "aviary"
database = { engine = "postgresql", host = "db.internal", password_file = "/run/{site}" }
[platform.storage]
backend = "s3"
region = "us-west-2"
endpoint = "https://s3.internal"
[platform.cache]
backend = "redis"
host = "cache.internal"
[sites.aurora]
hostnames = ["aurora.example.org"]
storage.domain = "media.example.org"
[sites.aurora.database]
port = 5433
[sites.aurora.cache]
backend = "redis"
host = "own.internal"
"""


def test_facts_say_where_data_goes_and_where_that_is_written(tmp_path: Path) -> None:
    """Each field of database, cache and storage has the line of the key that counts, or says that it is the default."""
    path = tmp_path / "sites.toml"
    path.write_text(OVERLAID)
    registry = open_registry(path, {})
    platform, site = registry.site("aurora", reads_secrets=False)
    rows = site_facts(ResolvedSettings(platform, site), located_labels(registry))
    found = {str(row["name"]): (row["value"], row["source"]) for row in rows}
    assert found["database.engine"] == ("postgresql", "sites.toml:3: platform.database.engine")
    assert found["database.password"] == ("***", "sites.toml:3: platform.database.password_file")
    assert found["database.port"] == (5433, "sites.toml:15: sites.aurora.database.port")
    assert found["database.name"] == ("aviary__aurora", "default")
    assert found["storage.region"] == ("us-west-2", "sites.toml:6: platform.storage.region")
    assert found["storage.domain"] == ("media.example.org", "sites.toml:13: sites.aurora.storage.domain")
    assert found["storage.bucket"] == ("aviary--aurora", "default")
    assert found["storage.endpoint"] == ("https://s3.internal", "sites.toml:7: platform.storage.endpoint")
    assert found["cache.host"] == ("own.internal", "sites.toml:18: sites.aurora.cache.host")
    # The site's backend is stated, so the platform's other keys may not count.
    assert found["cache.port"] == (6379, "sites.toml:16: sites.aurora.cache")
    assert found["site.uid"][0] == str(site.uid)
    assert all(set(row) == COLUMNS and row["kind"] == "fact" for row in rows)


def test_facts_name_the_variables_that_they_are_from() -> None:
    """Where the registry is the environment, each field has its variable, the site's or the platform's."""
    environ = {
        "MULTIHOST_SITE": "aurora",
        "MULTIHOST_PLATFORM_NAME": "aviary",
        "MULTIHOST_PLATFORM_DATABASE__HOST": "db.internal",
        "MULTIHOST_PLATFORM_DATABASE__ENGINE": "postgresql",
        "MULTIHOST_SITE_HOSTNAMES": "aurora.example.org",
        "MULTIHOST_SITE_DATABASE__PASSWORD": "hidden",
        "MULTIHOST_SITE_DATABASE__PORT": "5433",
        "MULTIHOST_SITE_CACHE": "redis://cache.internal",
    }
    registry = open_registry("env:", environ)
    platform, site = registry.site("aurora", reads_secrets=False)
    resolved, located = ResolvedSettings(platform, site), located_labels(registry)
    found = {str(row["name"]): row["source"] for row in site_facts(resolved, located)}
    assert found["database.host"] == "MULTIHOST_PLATFORM_DATABASE__HOST"
    assert found["database.password"] == "MULTIHOST_SITE_DATABASE__PASSWORD"
    assert found["cache.host"] == "MULTIHOST_SITE_CACHE"
    settings = {row["name"]: row["source"] for row in explain(resolved, {}, located)}
    assert settings["ALLOWED_HOSTS"] == "MULTIHOST_SITE_HOSTNAMES"
    assert settings["DATABASES"] == "MULTIHOST_SITE_DATABASE__PASSWORD, MULTIHOST_SITE_DATABASE__PORT"


def test_build_mode_has_no_facts() -> None:
    """Without a site there is nothing to tell of one."""
    assert site_facts(ResolvedSettings()) == []


def test_variables_that_look_like_secrets_are_masked(tmp_path: Path) -> None:
    """Nobody may state a secret as a variable; one that somebody did is not repeated, and plain ones are shown."""
    path = tmp_path / "sites.toml"
    path.write_text(
        "[platform]\nname = 'aviary'\n[platform.env]\nREPORTS = {}\nCRM_TOKEN = {}\nCRM_REGION = {}\n"
        "[sites.aurora]\nhostnames = ['a.localhost']\n[sites.aurora.env]\n"
        "REPORTS = 'https://hidden-dsn@sentry.example.org/1'\nCRM_TOKEN = 'hidden-token'\nCRM_REGION = 'eu'\n"
    )
    rows = site_facts(ResolvedSettings(*open_registry(path, {}).site("aurora", reads_secrets=False)))
    found = {row["name"]: row["value"] for row in rows if str(row["name"]).startswith("env.")}
    assert found == {"env.REPORTS": "https://***@sentry.example.org/1", "env.CRM_TOKEN": "***", "env.CRM_REGION": "eu"}
