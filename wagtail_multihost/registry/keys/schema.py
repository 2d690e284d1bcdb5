"""
The declared keys as a JSON Schema (2020-12) of a registry file, with which editors complete and check ``sites.toml``.

It accepts every valid registry, and some others: rules that concern several keys, or the text of a value, are checked
when the registry is read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from wagtail_multihost.registry.declarations import CODEBASES
from wagtail_multihost.registry.keys import NAME, PLATFORM, SITE, Key, declared, keys_in
from wagtail_multihost.spec.identifiers import SITE_ID_LENGTH
from wagtail_multihost.spec.project_settings import NAME_FORM
from wagtail_multihost.spec.secret import Secret

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
TYPES: Mapping[type, Schema] = {
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    str: {"type": "string", "minLength": 1},
    Path: {"type": "string", "minLength": 1},
    Secret: {"type": "string", "minLength": 1},
    tuple: {"type": "array", "items": {"type": "string", "minLength": 1}},
    dict: {"type": "object"},
    UUID: {"type": "string", "format": "uuid"},
}
#: Kinds whose readers take something else than their type says.
READERS: Mapping[str, Schema] = {
    "take_secrets": TYPES[tuple],
    "take_keyring": {"type": "object", "additionalProperties": TYPES[str]},
    "take_texts_by_name": {"type": "object", "additionalProperties": TYPES[str]},
    "take_pairs": {"type": "object", "additionalProperties": {"type": ["string", "integer"]}},
}
SITE_ID = f"^(?=.{{1,{SITE_ID_LENGTH}}}$)[a-z][a-z0-9]*(-[a-z0-9]+)*$"
#: Who had which id: multihost_sites --pin writes and checks it.
USED: Schema = {"type": "object", "description": "What multihost_sites --pin keeps of former sites."}


def json_schema() -> Schema:
    """Return the schema of a registry file."""
    platform = table_schema(PLATFORM, declared())
    site = table_schema(SITE, declared())
    return {
        "$schema": DIALECT,
        "title": "The registry of wagtail-multihost",
        "type": "object",
        "properties": {
            PLATFORM: platform,
            "sites": {
                "type": "object",
                "description": "The sites, each under its id.",
                "patternProperties": {SITE_ID: site},
                "additionalProperties": False,
            },
            "used": USED,
        },
        "required": [PLATFORM],
        "additionalProperties": False,
    }


def table_schema(table: str, keys: tuple[Key, ...]) -> Schema:
    """Return the schema of a table, with those of the tables in it."""
    found = [key for key in keys if key.table == table]
    return {
        "type": "object",
        "properties": {key.name: key_schema(key, keys) for key in found},
        "additionalProperties": False,
    }


def key_schema(key: Key, keys: tuple[Key, ...]) -> Schema:
    """Return the schema of a key, which is a value or a table."""
    description = f"{key.meaning} {key.type}; default: {key.default}.".replace("`", "")
    if key.kind:
        description = f"{description} For {key.kind}."
    shape = inner_schema(key, keys) or {**(READERS.get(key.reader) or TYPES[key.shape]), **dict(key.schema)}
    if key.type == "URL or table":
        shape = {"anyOf": [{"type": "string", "minLength": 1}, shape]}
    return {"description": description, **default_schema(key), **shape}


def inner_schema(key: Key, keys: tuple[Key, ...]) -> Schema | None:
    """Return the schema of a key that is a table; None if it is a value."""
    inner = keys_in(key, keys)
    if inner and inner[0].table.endswith(f".{NAME}"):
        declaration = table_schema(inner[0].table, inner)
        form = SITE_ID if key.name == CODEBASES else f"^{NAME_FORM}$"
        return {"type": "object", "patternProperties": {form: declaration}, "additionalProperties": False}
    return table_schema(inner[0].table, inner) if inner else None


def default_schema(key: Key) -> Schema:
    """Return the default, where it is a literal of TOML: those are literals of JSON."""
    try:
        return {"default": json.loads(key.default)}
    except ValueError:
        return {}
