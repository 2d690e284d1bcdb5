"""The keys of the platform's table, and of the options of each target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

from wagtail_multihost.registry.keys.key import NONE, PLATFORM, REQUIRED, SETTINGS, Key, secret
from wagtail_multihost.registry.targets import TARGETS

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


PLATFORM_KEYS: tuple[Key, ...] = (
    Key(PLATFORM, "name", "slug, at most 20 characters", REQUIRED, "The platform's name. Derived names start with it."),
    Key(
        PLATFORM,
        "environment",
        "slug, at most 20 characters",
        '"development"',
        '`"production"` refuses sites that are not pinned, processes that can read more than their own site, and '
        'settings for development. A platform\'s key is made in `"development"` alone.',
    ),
    Key(PLATFORM, "data", "path", '"data"', "The folder of local databases and files, and of the platform's key."),
    Key(
        PLATFORM,
        "sockets",
        "path",
        '"/run/multihost"',
        "The folder of unix sockets. With the longest socket's name it has at most 102 bytes, and no colon.",
    ),
    Key(
        PLATFORM,
        "origin",
        "text",
        '"https://{hostname}"',
        "How visitors reach a hostname: `http` or `https`, and a port if there is one.",
    ),
    *secret(
        PLATFORM,
        "secret_key",
        "made in `data/platform.key` in development",
        "Every site's key is derived from it.",
        type="secret, at least 32 characters",
    ),
    Key(
        PLATFORM,
        "secret_keys",
        "table of secrets",
        NONE,
        "A keyring in the place of `secret_key`: `ID` or `ID_file` for each key. "
        "An id has letters a-z, digits and hyphens, at most 32.",
    ),
    Key(PLATFORM, "key_id", "key id", "required with `secret_keys`", "The one of the `secret_keys` that sites use."),
    Key(
        PLATFORM,
        "revision",
        "integer, 0 to 2^53",
        "`0`: unknown",
        "Orders the states of the registry in time: raise it with every change. Machines and databases that have seen "
        "a higher one refuse older states.",
    ),
    Key(
        PLATFORM,
        "group",
        "group name",
        NONE,
        "The group that reads a site's snapshot; `{site}` in it stands for the site's id.",
    ),
    Key(
        PLATFORM,
        "media_group",
        "group name",
        NONE,
        "The group that reads a site's local uploads, and nothing else of it, for the front server; "
        "`{site}` in it stands for the site's id.",
    ),
    Key(
        PLATFORM,
        "user",
        "user name",
        NONE,
        "The account that a site's processes run as; `{site}` in it stands for the site's id. "
        "Without one all sites share the account of their server.",
    ),
    Key(
        PLATFORM,
        "runner",
        '`"uwsgi"` or `"gunicorn"`',
        '"uwsgi"',
        "The server that runs the sites: nginx speaks to it, and the units of the systemd emitter start it.",
    ),
    Key(
        PLATFORM,
        "templates",
        "path",
        NONE,
        "A folder of templates of your own, which take the place of the emitters' of the same name.",
    ),
    Key(
        PLATFORM,
        "snapshots",
        "path",
        NONE,
        "The folder that `multihost_snapshot` writes to: emitted files send sites' processes there.",
    ),
    Key(
        PLATFORM,
        "shares_registry",
        "boolean",
        "false",
        "Whether sites' processes may read the whole registry, in production too.",
    ),
    Key(
        PLATFORM,
        "secure_proxy_ssl_header",
        "list of two texts",
        NONE,
        "Django's setting, for a proxy in front that ends TLS and always sets that header.",
    ),
    *(
        Key(PLATFORM, table, type_of_table(table), default, "The default of all sites.")
        for table, default in DEFAULTS.items()
    ),
    Key(
        PLATFORM,
        "nodes",
        "table of addresses",
        NONE,
        "Machines that serve the sites behind a front server: a name and an address such as `10.0.0.5:8080` for each.",
    ),
    *(Key(PLATFORM, target, "table", "see there", f"Options of the {target} emitter.") for target in TARGETS),
)


def option_keys(target: str) -> Iterator[Key]:
    """Yield the options of a target, as they are declared in the spec."""
    for declared in fields(TARGETS[target]):
        kind, meaning = declared.metadata["kind"], declared.metadata["meaning"]
        yield Key(f"{PLATFORM}.{target}", declared.name, kind.label, literal(declared.default), meaning)


def literal(value: object) -> str:
    """Return a default as TOML has it."""
    if value is None or value == "" or value == ():
        return NONE
    return json.dumps(list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value)
