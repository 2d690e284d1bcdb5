"""Names, language, time, mail senders and search: settings that a site's record may state itself."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.resolver.setting import Project, Setting, table_of
from wagtail_multihost.spec.site import SiteSpec

SEARCH = "WAGTAILSEARCH_BACKENDS"
DATABASE_SEARCH = "wagtail.search.backends.database"


def content_settings(site: SiteSpec, project: Project) -> Iterator[Setting]:
    """Yield the site's own settings, and those derived where it states none."""
    own = dict(site.settings)
    derived = {
        "WAGTAIL_SITE_NAME": (site.id.replace("-", " ").title(), "the site id"),
        "DEFAULT_FROM_EMAIL": (f"webmaster@{site.canonical}", "webmaster at the first hostname"),
        "SERVER_EMAIL": (f"root@{site.canonical}", "root at the first hostname"),
    }
    for name, (value, rule) in derived.items():
        if name not in own:
            yield Setting(name, value, rule, "")
    for name in ("TIME_ZONE", "LANGUAGE_CODE"):
        if name not in own and name in project:
            yield Setting(name, project[name], "the project's: the site states none", "")
    for name, stated in own.items():
        yield Setting(name, stated, "the site's own", site.sources.get(f"settings.{name}", ""))
    yield from search_settings(site, project)


def search_settings(site: SiteSpec, project: Project) -> Iterator[Setting]:
    """
    Yield WAGTAILSEARCH_BACKENDS with an index prefix for every backend that is not the site's database.

    Wagtail 7.2 and later read INDEX_PREFIX and deprecate or ignore INDEX
    (https://docs.wagtail.org/en/stable/releases/7.2.html).
    """
    aliases = table_of(project, SEARCH)
    if not aliases:
        return
    for alias, options in aliases.items():
        if str(options.get("BACKEND", "")).startswith(DATABASE_SEARCH):
            continue
        options.pop("INDEX", None)
        suffix = "" if alias == "default" else f"{alias.lower()}_"
        options["INDEX_PREFIX"] = f"{site.names.index_prefix}{suffix}"
    yield Setting(SEARCH, aliases, "every backend with the site's index prefix", site.sources.get("names", ""))
