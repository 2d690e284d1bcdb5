"""Names, language, time, mail senders and search: settings that a site's record may state itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.setting import Project, Setting, aliases_of
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec

SEARCH = "WAGTAILSEARCH_BACKENDS"
# Both names of one backend (https://docs.wagtail.org/en/stable/topics/search/backends.html).
DATABASE_SEARCH = ("wagtail.search.backends.database", "modelsearch.backends.database")
NOTIFICATIONS = "WAGTAILADMIN_NOTIFICATION_FROM_EMAIL"
# ADMINS were pairs of a name and an address (https://docs.djangoproject.com/en/6.0/releases/6.0/#email).
ADDRESSES_SINCE = (6, 0)
# https://docs.djangoproject.com/en/6.1/ref/settings/#mailers
MAILERS_SINCE = (6, 1)
MAIL_SECONDS = 10
NOT_OF_SERVERS = ("EMAIL_SUBJECT_PREFIX", "EMAIL_USE_LOCALTIME")
# Wagtail's own default; with None it would wait forever
# (https://docs.wagtail.org/en/stable/topics/search/backends.html).
SEARCH_SECONDS = 10


def content_settings(site: SiteSpec, project: Project) -> Iterator[Setting]:
    """Yield the site's own settings, and those derived where it states none."""
    own = dict(site.settings)
    name = own.get("WAGTAIL_SITE_NAME", site.id.replace("-", " ").title())
    sender = own.get("DEFAULT_FROM_EMAIL", f"webmaster@{site.canonical}")
    derived: dict[str, tuple[object, str]] = {
        "WAGTAIL_SITE_NAME": (name, "the site id"),
        "DEFAULT_FROM_EMAIL": (sender, "webmaster at the first hostname"),
        "SERVER_EMAIL": (f"root@{site.canonical}", "root at the first hostname"),
        "EMAIL_SUBJECT_PREFIX": (f"[{name}] ", "the site's name in brackets"),
        # A name below the site's may be another site, which has no https yet.
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": (False, "false: names below the site's may be other sites'"),
        "SECURE_HSTS_PRELOAD": (False, "false: names below the site's may be other sites'"),
    }
    if NOTIFICATIONS in project:
        derived[NOTIFICATIONS] = (sender, "the site's DEFAULT_FROM_EMAIL, where the project has it")
    for key, (value, rule) in derived.items():
        if key not in own:
            yield Setting(key, value, rule, "")
    for key in ("TIME_ZONE", "LANGUAGE_CODE"):
        if key not in own and key in project:
            yield Setting(key, project[key], "the project's: the site states none", "")
    for key, stated in own.items():
        yield Setting(key, stated, "the site's own", site.sources.get(f"settings.{key}", ""))
    yield from admin_settings(site)
    yield from mail_timeout(site, project)
    yield from search_settings(site, project)


def admin_settings(site: SiteSpec) -> Iterator[Setting]:
    """Yield ADMINS and MANAGERS of a site that has admins; the project's get the error reports of the others."""
    if not site.admins:
        return
    from wagtail_multihost.resolver.django_version import django_version  # loads only for a site that has admins

    has_addresses = django_version() >= ADDRESSES_SINCE
    for name in ("ADMINS", "MANAGERS"):
        value = list(site.admins) if has_addresses else [(address, address) for address in site.admins]
        yield Setting(name, value, "the site's admins", site.sources.get("admins", ""))


def mail_timeout(site: SiteSpec, project: Project) -> Iterator[Setting]:
    """
    Yield EMAIL_TIMEOUT if mail goes through the project's server and nobody says how long that may take: Django
    would wait forever. It is deprecated since Django 6.1, and only set there beside other such settings.
    """
    if site.mail or "MAILERS" in project or project.get("EMAIL_TIMEOUT"):
        return
    stated = any(name.startswith("EMAIL_") and name not in NOT_OF_SERVERS for name in project)
    if stated or uses_legacy_mail():
        yield Setting("EMAIL_TIMEOUT", MAIL_SECONDS, "the project states none, and Django would wait forever", "")


def uses_legacy_mail() -> bool:
    """Return whether the Django that is loaded knows no MAILERS."""
    return getattr(sys.modules.get("django"), "VERSION", MAILERS_SINCE)[:2] < MAILERS_SINCE


def search_settings(site: SiteSpec, project: Project) -> Iterator[Setting]:
    """
    Yield WAGTAILSEARCH_BACKENDS with an index prefix for every backend that is not the site's database.

    Wagtail 7.2 and later read INDEX_PREFIX and deprecate or ignore INDEX
    (https://docs.wagtail.org/en/stable/releases/7.2.html). Raises ConfigurationError for an alias that
    cannot be a part of an index's name.
    """
    aliases = aliases_of(project, SEARCH)
    if not aliases:
        return
    for alias, options in aliases.items():
        if str(options.get("BACKEND", "")).startswith(DATABASE_SEARCH):
            continue
        # Elasticsearch refuses other characters in an index's name.
        if not alias.isascii() or not alias.replace("_", "").replace("-", "").isalnum():
            message = f"The alias {shown(alias)} is not accepted: use letters, digits, hyphens and underscores."
            raise ConfigurationError.because(message, where=SEARCH, site=site.id)
        options.pop("INDEX", None)
        if "TIMEOUT" in options and options["TIMEOUT"] is None:
            options["TIMEOUT"] = SEARCH_SECONDS
        suffix = "" if alias == "default" else f"{alias.lower()}_"
        options["INDEX_PREFIX"] = f"{site.names.index_prefix}{suffix}"
    yield Setting(SEARCH, aliases, "every backend with the site's index prefix", site.sources.get("names", ""))
