"""
The Django settings that a site's record may set. An allow-list: everything else either changes code and
migrations, which all sites share, or is derived by the resolver so that it cannot leak.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.validation import problem_of

SettingValue: TypeAlias = str | bool


def parse_line(value: str) -> str:
    """Return ``value`` when it is one line of 1 to 200 printable characters, in any script."""
    if not value.strip() or len(value) > 200 or not value.isprintable():
        raise ValueError(f"The value {shown(value)} is not accepted: it must be one line of 1 to 200 characters.")
    return value


def parse_time_zone(value: str) -> str:
    """Return ``value`` when the time zone database has it."""
    import zoneinfo  # loads only where a site names a zone

    try:
        zoneinfo.ZoneInfo(value)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        raise ValueError(f"The time zone {shown(value)} is not known; write for example Europe/Berlin.") from None
    return value


def parse_language_code(value: str) -> str:
    """Return ``value`` when it is a language code in Django's form, such as ``de`` or ``pt-br``."""
    parts = value.split("-")
    if not (2 <= len(parts[0]) <= 3 and all(part.isascii() and part.isalnum() and len(part) <= 8 for part in parts)):
        raise ValueError(f"The language code {shown(value)} is not accepted; write for example de or pt-br.")
    return value


def parse_gravatar_url(value: str) -> str:
    """Return ``value`` when it is a URL with https, without credentials, a query and a fragment."""
    host, _, path = value.removeprefix("https://").partition("/")
    accepted = value.isascii() and value.isprintable() and len(value) <= 200 and not set(value) & set(" ?#\\\"'<>")
    if not value.startswith("https://") or not host or "@" in host or not accepted or "//" in path:
        raise ValueError(
            f"The URL {shown(value)} is not accepted; write for example https://avatars.example.org/avatar."
        )
    return value


TEXT_SETTINGS: dict[str, Callable[[str], str]] = {
    "DATETIME_FORMAT": parse_line,
    "DATE_FORMAT": parse_line,
    "DEFAULT_FROM_EMAIL": parse_line,
    "EMAIL_SUBJECT_PREFIX": parse_line,
    "LANGUAGE_CODE": parse_language_code,
    "SERVER_EMAIL": parse_line,
    "SHORT_DATETIME_FORMAT": parse_line,
    "SHORT_DATE_FORMAT": parse_line,
    "TIME_FORMAT": parse_line,
    "TIME_ZONE": parse_time_zone,
    "WAGTAILADMIN_NOTIFICATION_FROM_EMAIL": parse_line,
    "WAGTAIL_GRAVATAR_PROVIDER_URL": parse_gravatar_url,
    "WAGTAIL_SITE_NAME": parse_line,
}
SWITCH_SETTINGS = frozenset(
    {
        "SECURE_HSTS_INCLUDE_SUBDOMAINS",
        "SECURE_HSTS_PRELOAD",
        "USE_THOUSAND_SEPARATOR",
        "WAGTAILADMIN_COMMENTS_ENABLED",
        "WAGTAIL_ENABLE_UPDATE_CHECK",
        "WAGTAIL_ENABLE_WHATS_NEW_BANNER",
        "WAGTAIL_I18N_ENABLED",
        "WAGTAIL_WORKFLOW_ENABLED",
    }
)
OVERRIDABLE = frozenset(TEXT_SETTINGS) | SWITCH_SETTINGS
# Settings that decide about code, migrations or middleware. A dotted path in a registry would run code.
OF_THE_CODE = frozenset(
    {
        "CSRF_FAILURE_VIEW",
        "DEFAULT_AUTO_FIELD",
        "DEFAULT_EXCEPTION_REPORTER",
        "DEFAULT_EXCEPTION_REPORTER_FILTER",
        "INSTALLED_APPS",
        "LOGGING",
        "LOGGING_CONFIG",
        "MIDDLEWARE",
        "MIGRATION_MODULES",
        "PASSWORD_HASHERS",
        "TEMPLATES",
        "WAGTAIL_COMMENTS_RELATION_NAME",
    }
)
ENDS_OF_CODE = (
    "_APPLICATION",
    "_BACKEND",
    "_BACKENDS",
    "_CLASS",
    "_ENGINE",
    "_FORM",
    "_HANDLERS",
    "_MODEL",
    "_MODULE",
    "_RENDERER",
    "_ROUTERS",
    "_RUNNER",
    "_SERIALIZER",
    "_URLCONF",
    "_VALIDATORS",
)
# Settings that the resolver derives from other keys of the site.
KEY_OF = {
    "ADMINS": "admins",
    "ALLOWED_HOSTS": "hostnames",
    "CACHES": "cache",
    "CSRF_TRUSTED_ORIGINS": "hostnames",
    "DATABASES": "database",
    "MAILERS": "mail",
    "MANAGERS": "admins",
    "MEDIA_ROOT": "storage",
    "SECRET_KEY": "secret_key",
    "SECRET_KEY_FALLBACKS": "secret_key_fallbacks",
    "STORAGES": "storage",
    "WAGTAILADMIN_BASE_URL": "hostnames",
    "WAGTAILFRONTENDCACHE": "frontend",
}


def override_problems(settings: Iterable[tuple[str, SettingValue]]) -> Iterator[Problem]:
    for name, value in settings:
        if name in TEXT_SETTINGS and isinstance(value, str):
            yield from problem_of(f"settings.{name}", TEXT_SETTINGS[name], value)
        elif name in OVERRIDABLE and isinstance(value, bool) != (name in SWITCH_SETTINGS):
            wanted = "true or false" if name in SWITCH_SETTINGS else "text"
            yield Problem(f"settings.{name}", f"The value {shown(value)} is not accepted: it must be {wanted}.")
        elif name not in OVERRIDABLE:
            yield Problem(f"settings.{name}", unknown_setting(name))


def unknown_setting(name: str) -> str:
    refused = f"The setting {shown(name)} cannot be set for one site."
    if name in OF_THE_CODE or name.endswith(ENDS_OF_CODE):
        return f"{refused} It changes the code or the migrations, which all sites share."
    if name in KEY_OF:
        return f"{refused} It is derived from the site's key {KEY_OF[name]}."
    close = difflib.get_close_matches(name, OVERRIDABLE, 1)
    hint = f"Did you mean {close[0]}?" if close else f"Accepted: {', '.join(sorted(OVERRIDABLE))}."
    return f"{refused} {hint}"
