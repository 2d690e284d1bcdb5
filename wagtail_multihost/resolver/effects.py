"""
What it means for a live site that a setting changes, and which key of a registry keeps it.

The first line whose pattern matches a setting's path, such as ``DATABASES.default.NAME``, is taken. What matters most
comes first, in reports too.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from typing import NamedTuple

from wagtail_multihost.registry.keys import declared
from wagtail_multihost.spec.overrides import SWITCH_SETTINGS, TEXT_SETTINGS

SITE_PATH = "sites.ID."
OTHER_MEANING = "Its value differs. What reads it is the project's own, or a library."


class Effect(NamedTuple):
    """
    What a change of the settings at ``pattern`` means. ``key`` is that of the site which keeps them; blank if there is
    none. ``states`` says whether that key takes the setting's own value.
    """

    pattern: str
    meaning: str
    key: str = ""
    states: bool = False


DATA = (
    Effect(
        "DATABASES.*.ENGINE", "Another kind of database, which has none of the live site's data.", "database.engine"
    ),
    Effect(
        "DATABASES.*.NAME",
        "Another database, which has none of the live site's pages and users.",
        "names.database",
        states=True,
    ),
    Effect("DATABASES.*.HOST", "Another database server.", "database.host", states=True),
    Effect("DATABASES.*.PORT", "Another port, where another server may listen.", "database.port"),
    Effect(
        "DATABASES.*.USER",
        "The site logs in as another role, which must own the database's tables.",
        "names.role",
        states=True,
    ),
    Effect("DATABASES.*.PASSWORD", "Another password: the server must know it.", "database.password_file"),
    Effect(
        "DATABASES.*.OPTIONS",
        "How the site connects. Variables such as PGSSLMODE, and files such as ~/.pgpass, are no longer read.",
        "database.options",
    ),
    Effect("DATABASES.*.TEST*", "Only test runs use it."),
    Effect("DATABASES.*", "How the site uses its database."),
    Effect(
        "STORAGES.default.BACKEND",
        "Another class stores uploads. Those of the live site are found if it is of the same kind, files or S3, and "
        "the place below stays.",
        "storage.backend",
    ),
    Effect(
        "STORAGES.default.OPTIONS.bucket_name",
        "Another bucket, which has none of the live site's images and documents.",
        "names.bucket",
        states=True,
    ),
    Effect(
        "STORAGES.default.OPTIONS.location",
        "Files below a prefix are not found until they are moved to the top of the bucket.",
    ),
    Effect("STORAGES.default.OPTIONS.endpoint_url", "Another S3 server.", "storage.endpoint", states=True),
    Effect("STORAGES.default.OPTIONS.region_name", "Another region.", "storage.region", states=True),
    Effect(
        "STORAGES.default.OPTIONS.custom_domain",
        "Images get other addresses; pages in caches and links elsewhere have the old ones. Without a domain, "
        "addresses are signed and expire.",
        "storage.domain",
        states=True,
    ),
    Effect(
        "STORAGES.default.OPTIONS.access_key",
        "Other credentials: the server must know them.",
        "storage.access_key_file",
    ),
    Effect(
        "STORAGES.default.OPTIONS.secret_key",
        "Other credentials: the server must know them.",
        "storage.secret_key_file",
    ),
    Effect(
        "STORAGES.default.OPTIONS.addressing_style",
        "Where URLs have the bucket.",
        "storage.addressing_style",
        states=True,
    ),
    Effect(
        "STORAGES.default.OPTIONS.*_permissions_mode",
        "New uploads can be read by their account and its group only: the front server must be in that group.",
    ),
    Effect("STORAGES.staticfiles.*", "How static files are found."),
    Effect("STORAGES.*", "Where files of this alias are, and how they are stored: move those that it has."),
    Effect(
        "MEDIA_ROOT",
        "Another folder, which has none of the live site's images and documents until they are moved there.",
        "storage.path",
        states=True,
    ),
    Effect("MEDIA_URL", "Images get other addresses; pages in caches and links elsewhere have the old ones."),
)
VISITORS = (
    Effect(
        "SECRET_KEY",
        "Everybody is logged out, and links to reset passwords, signed URLs of images and shared previews end.",
        "secret_key_file",
    ),
    Effect(
        "SECRET_KEY_FALLBACKS", "What was signed with the keys that are missing is refused.", "secret_key_fallbacks"
    ),
    Effect(
        "SESSION_COOKIE_NAME",
        "Everybody has to log in once more: browsers send the session under its old name.",
        "session_cookie",
        states=True,
    ),
    Effect(
        "CSRF_COOKIE_NAME",
        "Forms that were opened before the switch fail once when they are sent. JavaScript that reads the cookie "
        "must ask for the new name.",
        "csrf_cookie",
        states=True,
    ),
    Effect("LANGUAGE_COOKIE_NAME", "Visitors choose their language once more.", "language_cookie", states=True),
    Effect("*_COOKIE_DOMAIN", "Browsers send the cookie to one hostname alone: a login does not hold for others."),
    Effect("*_COOKIE_SECURE", "Where it is true, browsers send the cookie over https alone; http logs nobody in."),
    Effect("*_COOKIE_PATH", "Browsers send the cookie to other paths."),
    Effect("SESSION_*", "Where sessions are. Everybody has to log in once more, unless the old ones are there."),
    Effect("MESSAGE_STORAGE", "Messages that wait to be shown during the switch are lost."),
    Effect("ALLOWED_HOSTS", "Hosts that are missing are answered with 400.", "hostnames"),
    Effect("CSRF_TRUSTED_ORIGINS", "Forms sent from origins that are missing fail with 403.", "hostnames"),
    Effect(
        "SECURE_PROXY_SSL_HEADER", "By which header the site knows https: a wrong one redirects for ever, or never."
    ),
    Effect("SECURE_HSTS_*", "What browsers keep for a year about names below the site's.", ""),
    Effect("SECURE_SSL_HOST", "Redirects to https stay on the host that was asked for."),
    Effect("WAGTAILADMIN_BASE_URL", "Links in mails to editors begin with it.", "hostnames"),
    Effect("WAGTAILAPI_BASE_URL", "URLs in the answers of the API begin with it.", "hostnames"),
    Effect("WAGTAILDOCS_SERVE_METHOD", "Links to documents lead to Wagtail's view, which checks who may read them."),
    Effect(
        "WAGTAIL_SITE_NAME", "The admin greets editors with another name.", "settings.WAGTAIL_SITE_NAME", states=True
    ),
    Effect("TIME_ZONE", "Dates are shown in another time zone.", "settings.TIME_ZONE", states=True),
    Effect("LANGUAGE_CODE", "Pages and the admin are in another language.", "settings.LANGUAGE_CODE", states=True),
)
MAIL = (
    Effect(
        "DEFAULT_FROM_EMAIL",
        "Mail to visitors has another sender: replies go there, and servers refuse it if its domain does not allow it.",
        "settings.DEFAULT_FROM_EMAIL",
        states=True,
    ),
    Effect(
        "WAGTAILADMIN_NOTIFICATION_FROM_EMAIL",
        "Mail to editors has another sender.",
        "settings.WAGTAILADMIN_NOTIFICATION_FROM_EMAIL",
        states=True,
    ),
    Effect("SERVER_EMAIL", "Error reports have another sender.", "settings.SERVER_EMAIL", states=True),
    Effect(
        "EMAIL_SUBJECT_PREFIX",
        "Subjects of error reports begin differently.",
        "settings.EMAIL_SUBJECT_PREFIX",
        states=True,
    ),
    Effect("ADMINS", "Others get the error reports.", "admins"),
    Effect("MANAGERS", "Others get the reports of broken links.", "admins"),
    Effect("EMAIL_HOST", "Mail goes through another server.", "mail.host", states=True),
    Effect("EMAIL_HOST_USER", "The site logs in to its mail server as another user.", "mail.username", states=True),
    Effect("EMAIL_HOST_PASSWORD", "Another password: the mail server must know it.", "mail.password_file"),
    Effect("EMAIL_PORT", "Another port of the mail server.", "mail.port", states=True),
    Effect("EMAIL_USE_*", "How the connection to the mail server is encrypted.", "mail.security"),
    Effect("EMAIL_TIMEOUT", "How many seconds a mail server may take.", "mail.timeout", states=True),
    Effect("EMAIL_FILE_PATH", "Mail that is written to files is in another folder."),
    Effect("EMAIL_*", "Mail goes another way.", "mail.backend"),
    Effect("MAILERS.*", "Mail goes another way.", "mail.host"),
)
SERVERS = (
    Effect(
        "CACHES.*.KEY_PREFIX",
        "Nothing of the old prefix is found: the cache fills up again, and sessions in it end.",
        "names.key_prefix",
        states=True,
    ),
    Effect("CACHES.*.KEY_FUNCTION", "Sessions in a cache get other names there: those of now end."),
    Effect("CACHES.default.LOCATION", "Another place: the cache fills up again, and sessions in it end.", "cache.host"),
    Effect("CACHES.default.BACKEND", "Another class, which clears the site's own entries alone.", "cache.backend"),
    Effect("CACHES.default.OPTIONS", "How the site connects to its cache.", "cache.username"),
    Effect("CACHES.*", "How this cache is used. Where it is another place, it fills up again."),
    Effect("CACHE_MIDDLEWARE_KEY_PREFIX", "Cached pages are made again."),
    Effect(
        "WAGTAILSEARCH_BACKENDS.*.INDEX*",
        "Searches find nothing until update_index has built the index of the new name.",
        "names.index_prefix",
    ),
    Effect("WAGTAILSEARCH_BACKENDS.*", "How the site searches."),
    Effect(
        "WAGTAILFRONTENDCACHE.*", "Which caches are told of changed pages, and for which hosts.", "frontend.backend"
    ),
    Effect("TASKS.*", "Tasks carry the site. Let those that wait run before the switch."),
    Effect("LOGGING.handlers.*.filename", "Lines go to another file: change what rotates and reads it."),
    Effect("LOGGING", "Each line says its site: change what parses them."),
    Effect("DEFAULT_EXCEPTION_REPORTER_FILTER", "Error reports mask credentials in more places."),
    Effect("FILE_UPLOAD_TEMP_DIR", "Uploads wait in a folder of the site: it needs room."),
    Effect("WAGTAIL_REDIRECTS_FILE_STORAGE", "An import of redirects that has begun must be started again."),
    Effect("SECURE_CSP*", "What browsers load on the site's pages."),
)
VISITORS_PART = "What visitors and editors notice"
#: What a difference is about, with its effects.
PARTS = {
    "The site's data": DATA,
    VISITORS_PART: VISITORS,
    "Mail": MAIL,
    "Caches, search, tasks and logs": SERVERS,
}
OTHER = "Other settings"
EFFECTS = tuple((part, effect) for part, effects in PARTS.items() for effect in effects)


def effect_of(path: str) -> tuple[int, str, Effect]:
    """Return the rank of the effect of a setting's path, the part that it is in, and the effect."""
    found = ((rank, *known) for rank, known in enumerate(EFFECTS) if fnmatchcase(path, known[1].pattern))
    return next(found, (len(EFFECTS), OTHER, Effect("*", OTHER_MEANING)))


def key_of(path: str, effect: Effect, engine: str) -> str:
    """Return the site's key, without ``sites.ID.``, that keeps the setting at ``path``; blank if there is none."""
    if path.startswith("DATABASES.") and path.endswith(".NAME") and "sqlite" in engine:
        return "database.path"
    if path in TEXT_SETTINGS or path in SWITCH_SETTINGS:
        return f"settings.{path}"
    return effect.key if effect.key in paths_of_site_keys() else ""


@cache
def paths_of_site_keys() -> frozenset[str]:
    return frozenset(key.path.removeprefix(SITE_PATH) for key in declared() if key.path.startswith(SITE_PATH))
