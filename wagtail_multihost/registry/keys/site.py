"""The keys of a site's table, of its names, of its options for each target, and of its settings."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.registry.keys.key import REQUIRED, SETTINGS, SITE, Key, secret
from wagtail_multihost.registry.keys.platform import DEFAULTS, type_of_table
from wagtail_multihost.registry.targets import SITE_TABLES, TARGETS
from wagtail_multihost.spec.options import site_fields
from wagtail_multihost.spec.overrides import SWITCH_SETTINGS, TEXT_SETTINGS

MEANINGS = {
    "database": "Where its data is.",
    "cache": "Its cache; the key prefix is its own.",
    "storage": "Where its uploaded files are.",
    "mail": "How it sends mail.",
    "frontend": "The cache in front of it that Wagtail purges.",
    "tls": "Its certificate.",
    SETTINGS: "Django settings of its own.",
}
#: What a site gets from the resolver where neither its record nor the platform's states it.
DERIVED_SETTINGS = {
    "DEFAULT_FROM_EMAIL": "`webmaster` at the first hostname",
    "EMAIL_SUBJECT_PREFIX": "the site's name in brackets",
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": "false",
    "SECURE_HSTS_PRELOAD": "false",
    "SERVER_EMAIL": "`root` at the first hostname",
    "WAGTAILADMIN_NOTIFICATION_FROM_EMAIL": "the site's `DEFAULT_FROM_EMAIL`",
    "WAGTAIL_SITE_NAME": "made of the id",
}
SITE_KEYS: tuple[Key, ...] = (
    Key(SITE, "hostnames", "list of hostnames", REQUIRED, "The first is canonical; the others redirect to it."),
    Key(SITE, "aliases", "list of hostnames", "[]", "Served as they are."),
    Key(SITE, "enabled", "boolean", "true", "A disabled site is refused by its process and left out of emitted files."),
    Key(
        SITE,
        "uid",
        "UUID",
        "UUIDv5 of the platform's name and the id",
        "Never changes and is never used again. The site's key is derived from it.",
    ),
    Key(SITE, "epoch", "integer, 1 or more", "1", "Raise it to change the site's key."),
    Key(SITE, "key_id", "key id", "the platform's", "The one of the platform's `secret_keys` that this site uses."),
    *secret(
        SITE,
        "secret_key",
        "derived from the platform's",
        "A key of its own in the place of the derived one.",
        type="secret, at least 50 characters",
    ),
    Key(
        SITE,
        "secret_key_fallbacks",
        "list of secrets",
        "[]",
        "Keys of its own that stay valid for what they signed, each a value or `env:NAME`.",
    ),
    Key(SITE, "admins", "list of mail addresses", "[]", "Who gets its error reports."),
    Key(SITE, "names", "table", "derived", "Pinned names."),
    Key(
        SITE,
        "state",
        '`"active"`, `"maintenance"` or `"suspended"`',
        '"active"',
        "Whether nginx shows the site, or a page in its place while its processes go on.",
    ),
    Key(SITE, "nodes", "list of names", "all", "The platform's nodes that serve it."),
    Key(SITE, "code", "table", "the platform's", "Code of its own."),
    *(Key(SITE, target, "table", "the platform's", f"Its own options of the {target} emitter.") for target in TARGETS),
    *(
        Key(
            SITE,
            table,
            type_of_table(table),
            "the platform's, key by key" if table == SETTINGS else "the platform's",
            MEANINGS[table],
        )
        for table in DEFAULTS
    ),
)
NAMES_KEYS: tuple[Key, ...] = (
    Key("names", "database", "text", "derived", "The PostgreSQL database."),
    Key("names", "role", "text", "derived", "The PostgreSQL role."),
    Key("names", "bucket", "text", "derived", "The S3 bucket."),
    Key("names", "key_prefix", "text", "derived", "The prefix of cache keys."),
    Key("names", "index_prefix", "text", "derived", "The prefix of search indexes."),
    Key("names", "socket", "text", "derived", "The file name of the unix socket."),
)


def site_option_keys(table: str) -> Iterator[Key]:
    """Yield the options that a site may have of its own."""
    for declared in site_fields(SITE_TABLES[table]):
        kind, meaning = declared.metadata["kind"], declared.metadata["meaning"]
        yield Key(table, declared.name, kind.label, "the platform's", meaning)


def settings_keys() -> Iterator[Key]:
    """Yield the Django settings that a site may state; their rules are those of the spec."""
    for name in sorted({*TEXT_SETTINGS, *SWITCH_SETTINGS}):
        is_switch = name in SWITCH_SETTINGS
        owner = "Wagtail" if name.startswith("WAGTAIL") else "Django"
        meaning = f"{owner}'s setting." if is_switch else f"{owner}'s setting{accepted_by(TEXT_SETTINGS[name])}."
        default = DERIVED_SETTINGS.get(name, "the project's")
        yield Key(SETTINGS, name, "boolean" if is_switch else "text", default, meaning)


def accepted_by(parser: object) -> str:
    """Return what a parser of texts accepts, in the words of its docstring (which Python drops with ``-OO``)."""
    sentence = " ".join((getattr(parser, "__doc__", None) or "").split()).replace("``", "`")
    when = sentence.partition("Return `value` ")[2].removesuffix(".")
    return f", accepted {when}" if when else ""
