"""What would change for a project that runs already."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.resolver.conftest import REGISTRY
from tests.spec.samples import BUCKET_KEY, CACHE_PASSWORD, DATABASE_PASSWORD, SECRETS, secret_file
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.keys import declared
from wagtail_multihost.resolver.differences import Difference, find_differences, settings_of_site
from wagtail_multihost.resolver.effects import EFFECTS, OTHER, SITE_PATH, effect_of, key_of
from wagtail_multihost.resolver.plain import plain_settings
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.spec import PlatformSpec, Secret, SiteSpec

LIVE_KEY = "the-key-of-the-live-site-0123456789-0123456789-0123456789"
DEFAULTS = {"SESSION_COOKIE_NAME": "sessionid", "CSRF_COOKIE_NAME": "csrftoken", "TIME_ZONE": "America/Chicago"}
LIVE: dict[str, object] = {
    "SECRET_KEY": LIVE_KEY,
    "DATABASES": {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "live",
            "USER": "aviary__aurora",
            "PASSWORD": DATABASE_PASSWORD,
            "HOST": "db.internal",
        }
    },
    "CACHES": {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://aurora:{CACHE_PASSWORD}@cache.internal:6379/0",
        }
    },
    "STORAGES": {
        "default": {"BACKEND": "storages.backends.s3.S3Storage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    },
    "AWS_STORAGE_BUCKET_NAME": "live-media",
    "AWS_SECRET_ACCESS_KEY": BUCKET_KEY,
    "AWS_LOCATION": "media",
    "WAGTAIL_SITE_NAME": 'The "Aurora"',
    "LOGGING": {
        "version": 1,
        "handlers": {"file": {"class": "logging.FileHandler", "filename": "/var/log/live.log"}},
    },
}


@pytest.fixture
def specs(registry_file: Path) -> tuple[PlatformSpec, SiteSpec]:
    """The platform and its site on servers, read as the command does: no secret of the platform."""
    return open_registry(registry_file, {}).site("aurora", reads_secrets=False)


def found(specs: tuple[PlatformSpec, SiteSpec], live: Mapping[str, object]) -> dict[str, Difference]:
    then, _ = settings_of_site(ResolvedSettings(*specs), live)
    return {row.setting: row for row in find_differences(plain_settings(live), then, DEFAULTS, specs[1])}


def test_differences_are_the_places_where_the_site_is_another(specs: tuple[PlatformSpec, SiteSpec]) -> None:
    """A database, a bucket and a prefix that change are named in their tables; what stays is not."""
    rows = found(specs, LIVE)
    assert (rows["DATABASES.default.NAME"].now, rows["DATABASES.default.NAME"].then) == ("live", "aviary__aurora")
    assert rows["STORAGES.default.OPTIONS.bucket_name"][1:3] == ("live-media", "aviary--aurora")
    assert rows["STORAGES.default.OPTIONS.location"].now == "media"
    assert "username" not in str(rows["CACHES.default.OPTIONS"].now), "the address has the same user"
    assert rows["CACHES.default.KEY_PREFIX"].then == "aviary.aurora"
    assert rows["LOGGING.handlers.file.filename"].now == "/var/log/live.log"
    assert rows["SESSION_COOKIE_NAME"][1:3] == ("sessionid", "__Host-sessionid_aurora")
    equal = ("DATABASES.default.USER", "DATABASES.default.HOST", "DATABASES.default.PORT", "DATABASES.default.PASSWORD")
    more = ("CACHES.default.LOCATION", "STORAGES.default.OPTIONS.secret_key", "STORAGES.staticfiles.BACKEND")
    assert not rows.keys() & {*equal, *more, "MEDIA_ROOT"}


def test_differences_name_the_line_of_the_registry_that_keeps_what_is_now(
    specs: tuple[PlatformSpec, SiteSpec], tmp_path: Path
) -> None:
    """Pasted into the registry, the lines make the differences go."""
    rows = found(specs, LIVE)
    assert rows["DATABASES.default.NAME"].keep == 'sites.aurora.names.database = "live"'
    assert rows["WAGTAIL_SITE_NAME"].keep == 'sites.aurora.settings.WAGTAIL_SITE_NAME = "The \\"Aurora\\""'
    lines = [row.keep for row in rows.values() if row.keep]
    path = tmp_path / "kept.toml"
    text = REGISTRY
    for line in lines:
        key, _, value = line.partition(" = ")
        *table, name = key.split(".")
        heading = f"[{'.'.join(table)}]\n"
        entry = f"{name} = {value}\n"
        text = text.replace(heading, heading + entry) if heading in text else f"{text}{heading}{entry}"
    path.write_text(text.replace('TIME_ZONE = "Europe/Berlin"\n', ""))
    kept = found(open_registry(path, {}).site("aurora", reads_secrets=False), LIVE)
    assert not kept.keys() & {row.setting for row in rows.values() if row.keep}
    assert len(lines) >= 4


def test_secret_key_is_said_to_be_the_same_or_another(specs: tuple[PlatformSpec, SiteSpec], tmp_path: Path) -> None:
    """The keys are compared: a file with the live key is no difference, a derived key and an unreadable one are."""
    platform, site = specs
    own = replace(site, secret_key=Secret.from_file(secret_file(tmp_path / "key", f"{LIVE_KEY}\n")))
    assert "SECRET_KEY" not in found((platform, own), LIVE)
    assert found(specs, LIVE)["SECRET_KEY"].meaning.startswith("Everybody is logged out")
    missing = replace(site, secret_key=Secret.from_file(tmp_path / "none"))
    assert found((platform, missing), LIVE)["SECRET_KEY"].meaning.startswith("It cannot be compared. Cannot read")


def test_differences_show_no_secret(specs: tuple[PlatformSpec, SiteSpec]) -> None:
    """Neither the live project's secrets nor the site's are in a row, wherever the project has them."""
    live = {
        **LIVE,
        "BROKERS": [f"amqp://u:{LIVE_KEY}@h"],
        "CACHES": {"default": {"BACKEND": "x", "LOCATION": LIVE_KEY}},
    }
    rows = found(specs, live)
    database = {**LIVE["DATABASES"]["default"], "PASSWORD": "another-password-hunter9"}  # type: ignore[index]
    rows |= found(specs, {**live, "DATABASES": {"default": database}})
    then, _ = settings_of_site(ResolvedSettings(*specs), {})
    rows |= {f"b{row.setting}": row for row in find_differences(plain_settings(live), then, {}, specs[1])}
    text = json.dumps(list(rows.values())) + repr(rows)
    assert "DATABASES.default.PASSWORD" in rows
    assert not [secret for secret in (*SECRETS, LIVE_KEY, "another-password-hunter9") if secret in text]


def test_what_the_resolver_refuses_is_told_beside_the_rest(specs: tuple[PlatformSpec, SiteSpec]) -> None:
    """A second database and credentials in the project's storage are problems, and the plan goes on without them."""
    default = LIVE["DATABASES"]["default"]  # type: ignore[index]
    storage = {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {"session_profile": "live"}}
    live = {**LIVE, "DATABASES": {"default": default, "old": default}, "STORAGES": {"default": storage}}
    then, problems = settings_of_site(ResolvedSettings(*specs), live)
    assert [problem.where for problem in problems] == ["DATABASES", "STORAGES"]
    assert then["DATABASES"]["default"]["NAME"] == "aviary__aurora"  # type: ignore[index]


def test_direct_links_to_documents_are_in_the_plan(registry_file: Path) -> None:
    """A project with Wagtail's documents in a folder learns that links to their files end, and one without does not."""
    specs = open_registry(registry_file, {}).site("borealis", reads_secrets=False)
    live = {"INSTALLED_APPS": ["wagtail.documents"], "MEDIA_URL": "uploads/", "MEDIA_ROOT": "/srv/live/media"}
    rows = found(specs, live)
    assert rows["/uploads/documents/…"].then == "404"
    assert "every page" not in rows["/uploads/documents/…"].meaning
    direct = found(specs, {**live, "WAGTAILDOCS_SERVE_METHOD": "direct"})
    assert "every page" in direct["/uploads/documents/…"].meaning
    assert rows["MEDIA_ROOT"].keep == 'sites.borealis.storage.path = "/srv/live/media"'
    assert not [name for name in found(specs, {**live, "INSTALLED_APPS": []}) if "…" in name]
    assert not [name for name in found(specs, {**live, "STORAGES": LIVE["STORAGES"]}) if "…" in name]


def test_database_in_a_file_is_kept_by_its_path(registry_file: Path) -> None:
    """With SQLite the line names the path, and not a database on a server."""
    specs = open_registry(registry_file, {}).site("borealis", reads_secrets=False)
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": Path("/srv/live/db.sqlite3")}
    rows = found(specs, {"DATABASES": {"default": database}})
    assert rows["DATABASES.default.NAME"].keep == 'sites.borealis.database.path = "/srv/live/db.sqlite3"'


def test_equal_settings_are_no_difference(registry_file: Path) -> None:
    """A project that has what the site would have differs in its key alone, whatever types its values are of."""
    specs = open_registry(registry_file, {}).site("borealis", reads_secrets=False)
    then, _ = settings_of_site(ResolvedSettings(*specs), {})
    hosts = tuple(then["ALLOWED_HOSTS"])  # type: ignore[arg-type]
    same = {**then, "SECRET_KEY": LIVE_KEY, "SECRET_KEY_FALLBACKS": (), "ALLOWED_HOSTS": hosts}
    rows = list(find_differences(plain_settings(same), then, {}, specs[1]))
    assert {row.setting for row in rows} == {"SECRET_KEY", "SECRET_KEY_FALLBACKS"}


def test_keys_that_keep_something_are_keys_of_a_registry() -> None:
    """Each key that is named can be stated, or is not shown."""
    paths = {key.path for key in declared()}
    unknown = {effect.key for _, effect in EFFECTS if effect.key and f"{SITE_PATH}{effect.key}" not in paths}
    assert unknown <= {"session_cookie", "csrf_cookie", "language_cookie"}
    assert key_of("X", EFFECTS[0][1]._replace(key="none"), "") == ""


def test_settings_that_nobody_foresaw_come_last() -> None:
    """A setting without an effect is in the last part; a pattern that is hidden by an earlier one is a mistake."""
    assert effect_of("ROOT_URLCONF")[1] == OTHER
    for rank, (_, effect) in enumerate(EFFECTS):
        assert effect_of(effect.pattern.replace("*", "x"))[0] == rank


def test_what_becomes_a_secret_is_masked_today(specs: tuple[PlatformSpec, SiteSpec]) -> None:
    """A live value is not shown where the site has a secret, though nothing in its name or form tells."""
    for live in ("plain words", ["plain words"]):
        rows = find_differences({"LICENCE": live}, {"LICENCE": Secret("others")}, {}, specs[1])
        row = next(row for row in rows if row.setting == "LICENCE")
        assert (row.now, row.then) == ("***", "***")
        assert "plain words" not in str(row)
