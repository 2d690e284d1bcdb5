"""
Every key that a registry accepts, declared once: the reference and ``multihost_explain --variables`` are made of it.

A site's process never imports this module. Tests hold it equal to what the readers take and to the specs' defaults.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import NamedTuple

from wagtail_multihost.registry.environment import NESTED, PLATFORM_PREFIX, SITE_PREFIX
from wagtail_multihost.registry.platform_record import OWN_FILES, OWN_KEYS, SHAREABLE
from wagtail_multihost.registry.targets import SITE_TABLES, TARGETS
from wagtail_multihost.spec.database import POSTGRESQL_OPTIONS
from wagtail_multihost.spec.options import site_fields
from wagtail_multihost.spec.overrides import SWITCH_SETTINGS, TEXT_SETTINGS

PLATFORM = "platform"
SITE = "sites.ID"
SETTINGS = "settings"
REQUIRED = "required"
NONE = "none"
#: Tables of a site that the platform has too, as defaults of all sites.
SHARED_TABLES = ("database", "cache", "storage", "mail", "frontend", "tls", SETTINGS)


class Key(NamedTuple):
    """
    A key of a registry: its ``table`` (``sites.ID`` for a site's own, ``database`` for a table in it), ``name``,
    ``type``, ``default`` (a literal of TOML, or words) and ``meaning``; ``kind`` is the engine or the backend that
    takes it, blank for all.
    """

    table: str
    name: str
    type: str
    default: str
    meaning: str
    kind: str = ""

    @property
    def path(self) -> str:
        """The key as a registry file has it, ``sites.ID.database.host`` for example."""
        return f"{self.table if '.' in self.table or self.table == PLATFORM else f'{SITE}.{self.table}'}.{self.name}"

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that set it where the registry is the environment: the site's, then the platform's."""
        name = self.name.upper()
        if self.table in (PLATFORM, SITE):
            return (f"{PLATFORM_PREFIX if self.table == PLATFORM else SITE_PREFIX}{name}",)
        inner = f"{self.table.rpartition('.')[2].upper()}{NESTED}{name}"
        if self.table.startswith(f"{PLATFORM}."):
            return (f"{PLATFORM_PREFIX}{inner}",)
        own = (f"{SITE_PREFIX}{inner}",)
        return (*own, f"{PLATFORM_PREFIX}{inner}") if self.is_accepted_by_platform else own

    @property
    def is_accepted_by_platform(self) -> bool:
        """Whether the platform may have a default of it for its sites; paths must have ``{site}`` in them then."""
        if self.table not in SHARED_TABLES:
            return False
        return self.table in (*SHAREABLE, "tls", SETTINGS) or self.name not in OWN_KEYS or self.name == "path"

    @property
    def needs_site_in_platform(self) -> bool:
        """Whether the platform's default of it must have ``{site}`` in it."""
        return self.table in SHARED_TABLES and self.table not in SHAREABLE and self.name in ("path", *OWN_FILES)


def secret(table: str, name: str, default: str, meaning: str, kind: str = "", *, type: str = "secret") -> Iterator[Key]:
    """Yield a secret's two keys: itself, and with ``_file`` the path of a file that holds it."""
    yield Key(table, name, type, default, meaning, kind)
    yield Key(table, f"{name}_file", "path", NONE, f"The file that holds the `{name}`.", kind)


def platform_keys() -> Iterator[Key]:
    name = "slug, at most 20 characters"
    yield Key(PLATFORM, "name", name, REQUIRED, "The platform's name. Derived names start with it.")
    yield Key(PLATFORM, "environment", name, '"development"', '`"production"` refuses sites that are not pinned.')
    yield Key(PLATFORM, "data", "path", '"data"', "The folder of local databases and files, and of the platform's key.")
    yield Key(
        PLATFORM,
        "sockets",
        "path",
        '"/run/multihost"',
        "The folder of unix sockets. With the longest socket's name it has at most 102 bytes, and no colon.",
    )
    yield Key(
        PLATFORM,
        "origin",
        "text",
        '"https://{hostname}"',
        "How visitors reach a hostname: `http` or `https`, and a port if there is one.",
    )
    yield from secret(
        PLATFORM,
        "secret_key",
        "made in `data/platform.key`",
        "Every site's key is derived from it.",
        type="secret, at least 32 characters",
    )
    yield Key(
        PLATFORM,
        "secret_keys",
        "table of secrets",
        NONE,
        "A keyring in the place of `secret_key`: `ID` or `ID_file` for each key. "
        "An id has letters a-z, digits and hyphens, at most 32.",
    )
    yield Key(
        PLATFORM, "key_id", "key id", "required with `secret_keys`", "The one of the `secret_keys` that sites use."
    )
    yield Key(
        PLATFORM,
        "revision",
        "integer, 0 to 2^53",
        "`0`: unknown",
        "Orders the states of the registry in time: raise it with every change. Machines and databases that have seen "
        "a higher one refuse older states.",
    )
    yield Key(
        PLATFORM,
        "group",
        "group name",
        NONE,
        "The group that reads a site's snapshot; `{site}` in it stands for the site's id.",
    )
    yield Key(
        PLATFORM,
        "user",
        "user name",
        NONE,
        "The account that a site's processes run as; `{site}` in it stands for the site's id. "
        "Without one all sites share the account of their server.",
    )
    yield Key(
        PLATFORM,
        "runner",
        '`"uwsgi"` or `"gunicorn"`',
        '"uwsgi"',
        "The server that runs the sites: nginx speaks to it, and the units of the systemd emitter start it.",
    )
    yield Key(
        PLATFORM,
        "templates",
        "path",
        NONE,
        "A folder of templates of your own, which take the place of the emitters' of the same name.",
    )
    yield Key(
        PLATFORM,
        "snapshots",
        "path",
        NONE,
        "The folder that `multihost_snapshot` writes to: emitted files send sites' processes there.",
    )
    yield Key(
        PLATFORM,
        "shares_registry",
        "boolean",
        "false",
        "Whether sites' processes may read the whole registry, in production too.",
    )
    yield Key(
        PLATFORM,
        "secure_proxy_ssl_header",
        "list of two texts",
        NONE,
        "Django's setting, for a proxy in front that ends TLS and always sets that header.",
    )
    for table, default in DEFAULTS.items():
        yield Key(PLATFORM, table, type_of_table(table), default, "The default of all sites.")
    yield Key(
        PLATFORM,
        "nodes",
        "table of addresses",
        NONE,
        "Machines that serve the sites behind a front server: a name and an address such as `10.0.0.5:8080` for each.",
    )
    for target in TARGETS:
        yield Key(PLATFORM, target, "table", "see there", f"Options of the {target} emitter.")


DEFAULTS = {
    "database": "SQLite in `data`",
    "cache": "local memory",
    "storage": "files in `data`",
    "mail": "the project's",
    "frontend": NONE,
    "tls": NONE,
    SETTINGS: NONE,
}


def type_of_table(table: str) -> str:
    return "table" if table in ("frontend", "tls", SETTINGS) else "URL or table"


def option_keys(target: str) -> Iterator[Key]:
    """Yield the options of a target, as they are declared in the spec."""
    for declared in fields(TARGETS[target]):
        kind, meaning = declared.metadata["kind"], declared.metadata["meaning"]
        yield Key(f"{PLATFORM}.{target}", declared.name, kind.label, literal(declared.default), meaning)


def site_option_keys(table: str) -> Iterator[Key]:
    """Yield the options that a site may have of its own."""
    for declared in site_fields(SITE_TABLES[table]):
        kind, meaning = declared.metadata["kind"], declared.metadata["meaning"]
        yield Key(table, declared.name, kind.label, "the platform's", meaning)


def literal(value: object) -> str:
    """Return a default as TOML has it."""
    if value is None or value == "" or value == ():
        return NONE
    return json.dumps(list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value)


def site_keys() -> Iterator[Key]:
    yield Key(SITE, "hostnames", "list of hostnames", REQUIRED, "The first is canonical; the others redirect to it.")
    yield Key(SITE, "aliases", "list of hostnames", "[]", "Served as they are.")
    yield Key(
        SITE, "enabled", "boolean", "true", "A disabled site is refused by its process and left out of emitted files."
    )
    yield Key(
        SITE,
        "uid",
        "UUID",
        "UUIDv5 of the platform's name and the id",
        "Never changes and is never used again. The site's key is derived from it.",
    )
    yield Key(SITE, "epoch", "integer, 1 or more", "1", "Raise it to change the site's key.")
    yield Key(
        SITE, "key_id", "key id", "the platform's", "The one of the platform's `secret_keys` that this site uses."
    )
    yield from secret(
        SITE,
        "secret_key",
        "derived from the platform's",
        "A key of its own in the place of the derived one.",
        type="secret, at least 50 characters",
    )
    yield Key(
        SITE,
        "secret_key_fallbacks",
        "list of secrets",
        "[]",
        "Keys of its own that stay valid for what they signed, each a value or `env:NAME`.",
    )
    yield Key(SITE, "admins", "list of mail addresses", "[]", "Who gets its error reports.")
    yield Key(SITE, "names", "table", "derived", "Pinned names.")
    yield Key(
        SITE,
        "state",
        '`"active"`, `"maintenance"` or `"suspended"`',
        '"active"',
        "Whether nginx shows the site, or a page in its place while its processes go on.",
    )
    yield Key(SITE, "nodes", "list of names", "all", "The platform's nodes that serve it.")
    yield Key(SITE, "code", "table", "the platform's", "Code of its own.")
    for target in TARGETS:
        yield Key(SITE, target, "table", "the platform's", f"Its own options of the {target} emitter.")
    for table in DEFAULTS:
        default = "the platform's, key by key" if table == SETTINGS else "the platform's"
        yield Key(SITE, table, type_of_table(table), default, MEANINGS[table])


MEANINGS = {
    "database": "Where its data is.",
    "cache": "Its cache; the key prefix is its own.",
    "storage": "Where its uploaded files are.",
    "mail": "How it sends mail.",
    "frontend": "The cache in front of it that Wagtail purges.",
    "tls": "Its certificate.",
    SETTINGS: "Django settings of its own.",
}


def names_keys() -> Iterator[Key]:
    for name, meaning in (
        ("database", "The PostgreSQL database."),
        ("role", "The PostgreSQL role."),
        ("bucket", "The S3 bucket."),
        ("key_prefix", "The prefix of cache keys."),
        ("index_prefix", "The prefix of search indexes."),
        ("socket", "The file name of the unix socket."),
    ):
        yield Key("names", name, "text", "derived", meaning)


def database_keys() -> Iterator[Key]:
    sqlite, postgresql = "sqlite", "postgresql"
    yield Key("database", "engine", '`"sqlite"` or `"postgresql"`', '"sqlite"', "What the database is.")
    yield Key("database", "path", "path", "`data/sites/ID/db.sqlite3`", "The file.", sqlite)
    text = "text, at most 63 characters"
    yield Key("database", "name", text, "the site's `names.database`", "The database.", postgresql)
    yield Key("database", "user", text, "the site's `names.role`", "The role.", postgresql)
    yield from secret(
        "database",
        "password",
        "required, unless `host` is the folder of a unix socket",
        "The role's password.",
        postgresql,
    )
    yield Key("database", "host", "host, IP address or absolute path", REQUIRED, "The server.", postgresql)
    yield Key("database", "port", "1 to 65535", "5432", "The server's port.", postgresql)
    yield Key(
        "database",
        "options",
        "table",
        NONE,
        f"Connection parameters of libpq: {', '.join(f'`{option}`' for option in sorted(POSTGRESQL_OPTIONS))}.",
        postgresql,
    )


def cache_keys() -> Iterator[Key]:
    redis = "redis"
    yield Key("cache", "backend", '`"locmem"` or `"redis"`', '"locmem"', "In the process, or in a Redis server.")
    yield Key("cache", "host", "host, IP address or absolute path of a unix socket", REQUIRED, "The server.", redis)
    yield Key("cache", "port", "1 to 65535", "6379", "The server's port.", redis)
    yield Key("cache", "number", "0 or more", "0", "The number of the database in the server.", redis)
    yield Key("cache", "username", "text", NONE, "The user in the server's access list.", redis)
    yield from secret("cache", "password", NONE, "The user's password.", redis)
    yield Key("cache", "tls", "boolean", "false", "Whether the connection is encrypted.", redis)


def storage_keys() -> Iterator[Key]:
    files, s3 = "files", "s3"
    yield Key("storage", "backend", '`"files"` or `"s3"`', '"files"', "A local folder, or a bucket.")
    yield Key("storage", "path", "path", "`data/sites/ID/media`", "The folder.", files)
    yield Key("storage", "bucket", "bucket name", "the site's `names.bucket`", "The bucket.", s3)
    yield Key("storage", "region", "text", NONE, "The region of the bucket.", s3)
    yield Key(
        "storage",
        "endpoint",
        "`http://host` or `https://host`, with a port if there is one",
        NONE,
        "The server, where it is not Amazon's.",
        s3,
    )
    yield Key(
        "storage", "domain", "hostname", NONE, "The host that serves the files. Without one, addresses are signed.", s3
    )
    yield from secret(
        "storage",
        "access_key",
        NONE,
        "The id of the credentials. Without them the role of the container or the machine is used.",
        s3,
    )
    yield from secret("storage", "secret_key", "required with an access key", "The key of the credentials.", s3)


def mail_keys() -> Iterator[Key]:
    smtp = "smtp"
    yield Key("mail", "backend", '`"smtp"` or `"console"`', '"smtp"', "A mail server, or mail is printed.")
    yield Key("mail", "host", "host or IP address", REQUIRED, "The server.", smtp)
    yield Key("mail", "port", "1 to 65535", "587", "The server's port.", smtp)
    yield Key("mail", "username", "text", NONE, "The account, if the server asks for one.", smtp)
    yield from secret("mail", "password", "required with a username", "The account's password.", smtp)
    yield Key(
        "mail",
        "security",
        '`"starttls"`, `"tls"` or `"none"`',
        '"starttls"',
        "How the connection is encrypted: after its start, from its start, or not.",
        smtp,
    )
    yield Key("mail", "timeout", "1 to 300", "10", "How long a connection may take.", smtp)


def frontend_keys() -> Iterator[Key]:
    cloudflare, cloudfront = "cloudflare", "cloudfront"
    yield Key(
        "frontend",
        "backend",
        '`"http"`, `"cloudflare"` or `"cloudfront"`',
        REQUIRED,
        "What the cache is; `http` is Varnish, Squid or nginx.",
    )
    yield Key("frontend", "location", "`http://host:port` or `https://host:port`", REQUIRED, "The cache.", "http")
    yield Key(
        "frontend",
        "zone",
        "letters and digits",
        REQUIRED,
        "The zone or the distribution.",
        "cloudflare, cloudfront",
    )
    yield from secret("frontend", "token", REQUIRED, "A token for the zone.", cloudflare)
    yield from secret(
        "frontend",
        "access_key",
        NONE,
        "The id of the credentials. Without them the role of the container or the machine is used.",
        cloudfront,
    )
    yield from secret(
        "frontend", "secret_key", "required with an access key", "The key of the credentials.", cloudfront
    )


def tls_keys() -> Iterator[Key]:
    own = "`{hostname}` and `{site}` stand for the name's own."
    yield Key("tls", "certificate", "absolute path", REQUIRED, f"The certificate and its chain, PEM. {own}")
    yield Key("tls", "key", "absolute path", REQUIRED, f"Its key. {own}")
    yield Key(
        "tls",
        "pending",
        "list of hostnames",
        NONE,
        "Those of the site whose certificate is still to be issued: on http alone, without a redirect to https.",
    )
    yield Key("tls", "off", "list of hostnames", NONE, "Those of the site that never get a certificate.")


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
    when = sentence.partition("Return `value` ")[2].rstrip(".")
    return f", accepted {when}" if when else ""


KEYS: tuple[Key, ...] = (
    *platform_keys(),
    *(key for target in TARGETS for key in option_keys(target)),
    *site_keys(),
    *names_keys(),
    *database_keys(),
    *cache_keys(),
    *storage_keys(),
    *mail_keys(),
    *frontend_keys(),
    *tls_keys(),
    *(key for table in SITE_TABLES for key in site_option_keys(table)),
    *settings_keys(),
)
TABLES: tuple[str, ...] = tuple(dict.fromkeys(key.table for key in KEYS))
