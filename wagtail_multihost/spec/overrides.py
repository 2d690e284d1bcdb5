"""
The Django settings that a site's record may set. An allow-list: everything else either changes code and
migrations, which all sites share, or is derived by the resolver so that it cannot leak.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.suggestions import closest
from wagtail_multihost.spec.type_words import wrong_type
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
KEY_OF_START = {
    "AWS_": "storage",
    "CACHE_": "cache",
    "DATABASE_": "database",
    "EMAIL_": "mail",
    "WAGTAILFRONTENDCACHE_": "frontend",
}
CODE_IS_SHARED = "It changes the code or the migrations, which all sites share. Set it in the settings module, for all."
#: Settings that people look for here, and why they are the project's.
SAME_FOR_ALL = {
    "DEBUG": "It shows settings and code to visitors of each site. Set it in the settings module, in development only.",
    "MEDIA_URL": "All sites have one, each under its own hostnames. Set it in the settings module.",
    "SITE_ID": "Each site has a database of its own, whose default Site row has its hostname.",
    "STATIC_ROOT": "Static files are part of the code, which all sites share. Set it in the settings module, for all.",
    "STATIC_URL": "Static files are part of the code, which all sites share. Set it in the settings module, for all.",
    "USE_TZ": "It decides how times are stored, and data can be moved between sites. Set it in the settings module.",
}


def override_problems(settings: Iterable[tuple[str, SettingValue]]) -> Iterator[Problem]:
    for name, value in settings:
        if name in TEXT_SETTINGS and isinstance(value, str):
            yield from problem_of(f"settings.{name}", TEXT_SETTINGS[name], value)
        elif name in OVERRIDABLE and isinstance(value, bool) != (name in SWITCH_SETTINGS):
            yield Problem(f"settings.{name}", refuse_type(name, value))
        elif name not in OVERRIDABLE:
            yield Problem(f"settings.{name}", unknown_setting(name))


def refuse_type(name: str, value: object) -> str:
    """Return why a setting cannot have a value of this type, or cannot be stated at all."""
    if name not in OVERRIDABLE:
        return unknown_setting(name)
    return wrong_type(bool if name in SWITCH_SETTINGS else str, value)


def unknown_setting(name: str) -> str:
    """Return why a site cannot state a setting, and what it states instead."""
    refused = f"The setting {shown(name)} cannot be set for one site."
    if name in OF_THE_CODE:
        return f"{refused} {CODE_IS_SHARED}"
    if name in KEY_OF:
        return f"{refused} It is made from the site's key {KEY_OF[name]}: state that."
    if name in SAME_FOR_ALL:
        return f"{refused} {SAME_FOR_ALL[name]}"
    close = closest(name, OVERRIDABLE)
    if close:
        return f"{refused} Did you mean {close}?"
    if key := next((key for start, key in KEY_OF_START.items() if name.startswith(start)), ""):
        return f"{refused} What it is for is stated in the site's key {key}."
    if name.endswith(ENDS_OF_CODE):
        return f"{refused} {CODE_IS_SHARED}"
    accepted = f"Accepted: {', '.join(sorted(OVERRIDABLE))}. A setting of the project's own is declared in "
    return f"{refused} {accepted}platform.project_settings, and stated there."
