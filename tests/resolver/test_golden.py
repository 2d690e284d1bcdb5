"""
Every setting of some sites and projects, with its source, is stated in ``golden.txt``, and so is what is told of the
sites: facts, and their keys with the number of sentences on each. Prose is left out. Of each case but the first what is
not as in the first is stated.

With ``--regenerate`` the file is written anew; review it as a diff.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest

from tests.spec.samples import a_platform, a_site, postgresql, redis, s3
from wagtail_multihost.resolver import databases
from wagtail_multihost.resolver.explain import explain, site_facts
from wagtail_multihost.resolver.inert import ephemeral_site
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.resolver.rotation import site_credentials
from wagtail_multihost.spec import Secret, TlsSpec
from wagtail_multihost.spec.frontend import FrontendCacheSpec
from wagtail_multihost.spec.libpq import NOT_AMBIENT
from wagtail_multihost.spec.mail import MailSpec
from wagtail_multihost.spec.site import SiteSpec

STATED = Path(__file__).parent / "golden.txt"
REDIS = "django.core.cache.backends.redis.RedisCache"
SMTP = "django.core.mail.backends.smtp.EmailBackend"
MAIL_FILES = "django.core.mail.backends.filebased.EmailBackend"
FILE_CACHE = "django.core.cache.backends.filebased.FileBasedCache"
ELASTIC = "wagtail.search.backends.elasticsearch8"
#: A project that states something for everything that a site changes.
FULL: dict[str, Any] = {
    "DATABASES": {
        "default": {
            "ENGINE": "django.contrib.gis.db.backends.postgis",
            "NAME": "shared",
            "CONN_MAX_AGE": 0,
            "CONN_HEALTH_CHECKS": True,
            "OPTIONS": {"pool": True, "sslmode": "require", "sslkey": "/shared.key"},
        }
    },
    "CACHES": {
        "default": {"BACKEND": REDIS, "LOCATION": "redis://shared", "TIMEOUT": 60},
        "pages": {"BACKEND": REDIS, "LOCATION": "redis://own:pass@other"},
        "files": {"BACKEND": FILE_CACHE, "LOCATION": "/var/tmp/shared"},
    },
    "STORAGES": {
        "default": {"BACKEND": "shared"},
        "staticfiles": {"BACKEND": "project.static"},
        "renditions": {"BACKEND": "shared"},
    },
    "MEDIA_URL": "uploads/",
    "WAGTAILIMAGES_RENDITION_STORAGE": "renditions",
    "TIME_ZONE": "UTC",
    "LANGUAGE_CODE": "de",
    "WAGTAILADMIN_NOTIFICATION_FROM_EMAIL": "all@example.com",
    "WAGTAILSEARCH_BACKENDS": {"default": {"BACKEND": ELASTIC, "INDEX": "shared"}, "Other": {"BACKEND": ELASTIC}},
    "WAGTAILAPI_BASE_URL": "https://shared.example.com",
    "SESSION_COOKIE_NAME": "sid",
    "LANGUAGE_COOKIE_PATH": "/de/",
    "SESSION_ENGINE": "django.contrib.sessions.backends.file",
    "CACHE_MIDDLEWARE_KEY_PREFIX": "shared",
    "EMAIL_FILE_PATH": "/var/mail/shared",
    "EMAIL_HOST": "shared",
    "MAILERS": {"default": {"BACKEND": SMTP}, "bulk": {"BACKEND": MAIL_FILES, "OPTIONS": {"file_path": "/shared"}}},
    "SECURE_CSP": {"default-src": ["'self'"], "img-src": ["'none'"]},
    "SECURE_CSP_REPORT_ONLY": {"script-src": ["'self'"]},
    "WAGTAILFRONTENDCACHE": {"varnish": {"BACKEND": "varnish", "LOCATION": "http://varnish"}},
    "TASKS": {"default": {"BACKEND": "project.tasks"}},
    "LOGGING": {
        "version": 1,
        "formatters": {"line": {"format": "%(message)s"}},
        "handlers": {
            "file": {"class": "logging.FileHandler", "filename": "/var/log/shared.log", "formatter": "line"},
            "console": {"class": "logging.StreamHandler"},
        },
    },
}
ROTATED = {"a": Secret("a-key-" * 8), "b": Secret("b-key-" * 8)}


class Everything(dict[str, str]):
    """Sources that say of each key where it was asked for, and that do not say what they are asked for besides."""

    def get(self, key: str, default: Any = None) -> Any:  # type: ignore[override]
        return f"<{key}>"


def local(**changes: Any) -> ResolvedSettings:
    return ResolvedSettings(a_platform(), a_site(**changes))


def remote(**changes: Any) -> ResolvedSettings:
    """A site with everything on servers, whose every key has a source."""
    platform = a_platform(
        origin="https://{hostname}", secure_proxy_ssl_header=("HTTP_X_PROTO", "https"), sources=Everything()
    )
    site = a_site(
        **{
            "database": postgresql(options=(("sslmode", "verify-full"),)),
            "cache": redis(username="aurora", tls=True),
            "storage": s3(region="eu-central-1"),
            "mail": MailSpec(host="mail.internal", username="aurora", password=Secret("mail-hunter7")),
            "frontend": FrontendCacheSpec(backend="cloudflare", zone="a1", token=Secret("token-hunter8")),
            "tls": TlsSpec(certificate="/srv/a.pem", key="/srv/a.key"),
            "admins": ("ops@aurora.example.org",),
            "settings": (("TIME_ZONE", "Europe/Berlin"), ("WAGTAIL_SITE_NAME", "Aurora")),
            "sources": Everything(),
            **changes,
        }
    )
    return ResolvedSettings(platform, site)


def throw_away(folder: Path) -> ResolvedSettings:
    platform, site, temporary = ephemeral_site()
    return ResolvedSettings(platform, site, temporary)


def own_key(**sources: str) -> ResolvedSettings:
    return local(secret_key=Secret("o" * 60), secret_key_fallbacks=(Secret("p" * 60),), sources=sources)


def keyring(sources: dict[str, str], **changes: Any) -> ResolvedSettings:
    platform = a_platform(secret_key=None, secret_keys=tuple(ROTATED.items()), key_id="b", sources=sources)
    return ResolvedSettings(platform, a_site(epoch=3, **changes))


OLD, NEW = (5, 2), (6, 1)
CASES: dict[str, tuple[ResolvedSettings, dict[str, Any], tuple[int, int]]] = {
    "local site": (local(), {}, OLD),
    "local site in a full project": (local(), FULL, OLD),
    "remote site": (remote(), {}, OLD),
    "remote site in a full project": (remote(), FULL, OLD),
    "remote site in a full project of the newest Django": (remote(), FULL, NEW),
    "site with an endpoint": (
        remote(storage=s3(endpoint="https://s3.internal"), mail=MailSpec(backend="console")),
        FULL,
        NEW,
    ),
    "site with a domain": (
        remote(
            storage=s3(domain="media.example.org"),
            mail=MailSpec(host="mail.internal", security="tls"),
            frontend=FrontendCacheSpec(backend="http", location="http://cache:6081"),
            cache=redis(host="/run/redis.sock"),
        ),
        {"SECURE_CSP": {"img-src": ["'self'"]}},
        OLD,
    ),
    "site with a distribution": (
        remote(
            frontend=FrontendCacheSpec(
                backend="cloudfront", zone="E1", access_key=Secret("access"), secret_key=Secret("secret")
            ),
            storage=s3(access_key=None, secret_key=None),
            cache=redis(password=None),
        ),
        {},
        OLD,
    ),
    "site with a key of its own": (own_key(secret_key="key", secret_key_fallbacks="fallbacks"), {}, OLD),
    "site with a key in a file": (own_key(secret_key_file="file"), {}, OLD),
    "site with a key from nowhere": (own_key(), {}, OLD),
    "site under a keyring": (keyring({"secret_keys": "keys"}), {}, OLD),
    "site with a key id": (keyring({"secret_keys": "keys"}, key_id="a"), {}, OLD),
    "site under a key in a file": (
        ResolvedSettings(a_platform(sources={"secret_key_file": "file"}), a_site()),
        {},
        OLD,
    ),
    "no site": (ResolvedSettings(), {}, OLD),
    "no site in a full project": (ResolvedSettings(), FULL, OLD),
    "no site and other storages": (ResolvedSettings(), {"STORAGES": {"other": {"BACKEND": "shared"}}}, OLD),
}


@cache
def stated() -> dict[str, list[str]]:
    """Return what the file says, by case."""
    found: dict[str, list[str]] = {}
    for line in STATED.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            lines = found.setdefault(line.removeprefix("# "), [])
        elif line:
            lines.append(line)
    return found


def told(case: str) -> list[str]:
    """Return what there is to state of a case."""
    first, *_ = CASES
    if case == first:
        return lines_of(first)
    usual, found = lines_of(first), lines_of(case)
    gone = sorted({line.split()[0] for line in usual} - {line.split()[0] for line in found})
    return [*(line for line in found if line not in usual), f"without {' '.join(gone) or 'nothing'}"]


def lines_of(case: str) -> list[str]:
    resolved, project, version = CASES[case]
    with patch.dict(sys.modules, {"django": SimpleNamespace(VERSION=(*version, 0, "final", 0))}):
        return [*settings_lines(resolved, project), *([] if project else site_lines(resolved))]


def settings_lines(resolved: ResolvedSettings, project: dict[str, Any]) -> Iterator[str]:
    for row in explain(resolved, project, {"<database>": "sites.toml:7: sites.aurora.database"}):
        yield f"{row['name']} = {row['value']!r} ({row['source']}{', overrides' if row['overrides'] else ''})"


def site_lines(resolved: ResolvedSettings) -> Iterator[str]:
    if resolved.platform and resolved.site:
        located = {"<epoch>": "sites.toml:3: sites.aurora.epoch", "key": "sites.toml:4: key"}
        for row in site_facts(resolved, located):
            yield f"{row['name']} is {row['value']!r} ({row['source']}{', explained' if row['rule'] else ''})"
        for entry in site_credentials(resolved.platform, resolved.site, located):
            yield f"{entry.name}: {entry.made} ({entry.source}), {len(entry.invalidates)}"


def test_cases_are_stated(pytestconfig: pytest.Config) -> None:
    """The file has the cases and no others."""
    if pytestconfig.getoption("--regenerate"):
        parts = [f"# {case}\n" + "".join(f"{line}\n" for line in told(case)) for case in CASES]
        STATED.write_text("\n".join(parts), encoding="utf-8")
        stated.cache_clear()
    assert list(stated()) == list(CASES)


@pytest.fixture(autouse=True)
def every_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    """State what is given to every libpq, and not what the installed one has beside it."""
    monkeypatch.setattr(databases, "ambient_overrides", lambda stated: dict(NOT_AMBIENT))


@pytest.mark.parametrize("case", CASES)
def test_settings_are_those_that_are_stated(case: str) -> None:
    """Each setting, its value and its source, and what is told of the site, is what the file says."""
    assert told(case) == stated()[case]


@pytest.mark.parametrize("command", ["test", "makemigrations"])
def test_settings_of_a_test_run_are_thrown_away(command: str) -> None:
    """The throw-away site has everything in its folder, and nothing of the project's servers but the database's."""
    platform, site, folder = ephemeral_site()
    resolved = ResolvedSettings(platform, replace(site, storage=site.storage), folder, command=command)
    assert isinstance(resolved.site, SiteSpec)
    text = "\n".join(settings_lines(resolved, FULL)).replace(folder.name, "FOLDER")
    text = re.sub(r"[0-9a-f]{16}", "HEX", text)
    name = "" if command == "makemigrations" else "multihost_HEX"
    databases = [line for line in text.splitlines() if line.startswith("DATABASES = ")]
    engine = FULL["DATABASES"]["default"]["ENGINE"]
    assert databases[0].startswith(f"DATABASES = {{'default': {{'ENGINE': '{engine}', 'NAME': '{name}'")
    for key, value in {
        "ALLOWED_HOSTS": "['test.localhost']",
        "WAGTAILADMIN_BASE_URL": "'http://test.localhost'",
        "MEDIA_ROOT": "'FOLDER/media'",
        "WAGTAILFRONTENDCACHE": "{}",
        "FILE_UPLOAD_TEMP_DIR": "'FOLDER/sites/test/tmp'",
        "SESSION_COOKIE_NAME": "'sid_test'",
    }.items():
        assert f"\n{key} = {value}" in f"\n{text}"
    assert "\nTASKS = " not in text
