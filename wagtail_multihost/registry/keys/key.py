"""A key of a registry, as it is declared on a field of a spec."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import MISSING, Field
from pathlib import Path
from typing import Any, NamedTuple

from wagtail_multihost.registry.environment import NESTED, PLATFORM_PREFIX, SITE_PREFIX
from wagtail_multihost.spec.declared import Declared, InSnapshots, Who

PLATFORM = "platform"
SITE = "sites.ID"
SETTINGS = "settings"
REQUIRED = "required"
NONE = "none"
#: Stands for a name that the platform chooses, in the name of a table.
NAME = "NAME"
Shape = type
NAME_IN_DEFAULT = re.compile(r"\{(names\.\w+)\}")


class Key(NamedTuple):
    """
    A key of a registry: its ``table`` (``sites.ID`` for a site's own, ``database`` for a table in it), ``name``,
    ``type``, ``default`` (a literal of TOML, or words) and ``meaning``; ``kind`` is the engine or the backend that
    takes it, blank for all. ``is_shared`` says whether the platform may have a default of it for its sites, and
    ``needs_site`` whether ``{site}`` must be in that. ``who`` of a table is "node" where a key in it is the node's.
    ``shape`` is the type of its value, ``reader`` and ``schema`` those of its kind. The rest is as it was declared:
    :class:`~wagtail_multihost.spec.declared.Declared` says what it means.
    """

    table: str
    name: str
    type: str
    default: str
    meaning: str
    kind: str = ""
    is_secret: bool = False
    is_shared: bool = False
    needs_site: bool = False
    place: bool = False
    snapshot: InSnapshots = "kept"
    front: bool = False
    who: Who = "platform"
    invalidates: tuple[str, ...] = ()
    shape: Shape = dict
    reader: str = ""
    schema: tuple[tuple[str, object], ...] = ()

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
        inner = f"{NESTED.join(self.table.removeprefix(f'{PLATFORM}.').split('.')).upper()}{NESTED}{name}"
        if self.table.startswith(f"{PLATFORM}."):
            return (f"{PLATFORM_PREFIX}{inner}",)
        own = (f"{SITE_PREFIX}{inner}",)
        return (*own, f"{PLATFORM_PREFIX}{inner}") if self.is_shared else own


def field_keys(table: str, field: Field[Any], declared: Declared, *, is_shared: bool = False) -> Iterator[Key]:
    """
    Yield the key that a field declares, and for a secret with ``_file`` the one of a file that holds it. Where
    ``is_shared`` the platform has the table too: its own keys it may state as paths, with ``{site}`` in them.
    """
    is_path = declared.kind.type is Path
    key = Key(
        table,
        field.name,
        declared.kind.label,
        default_text(field, declared),
        declared.meaning,
        kind=", ".join(declared.of),
        is_secret=declared.is_secret,
        is_shared=is_shared and (is_path or not declared.own),
        needs_site=is_shared and is_path and declared.own,
        place=declared.place,
        snapshot=declared.snapshot,
        front=declared.front,
        who=declared.who,
        invalidates=declared.invalidates,
        shape=declared.kind.type,
        reader=declared.kind.reader,
        schema=declared.kind.schema,
    )
    yield key
    if declared.is_secret and not declared.kind.reader:
        file = f"The file that holds the `{field.name}`."
        yield key._replace(
            name=f"{field.name}_file",
            type="path",
            is_secret=False,
            default=NONE,
            meaning=file,
            is_shared=is_shared,
            needs_site=is_shared and declared.own,
            who="node",  # root reads it
        )


def default_text(field: Field[Any], declared: Declared) -> str:
    """Return what a record without the key gets, as TOML has it or in words."""
    if declared.default_text:
        return declared.default_text
    if declared.required and not declared.unless_stated:
        return REQUIRED
    derived = declared.unless_stated
    if NAME_IN_DEFAULT.fullmatch(derived):
        return NAME_IN_DEFAULT.sub(r"the site's `\1`", derived)
    if "{" in derived:
        return f"`{derived.format(data='data', site='ID')}`"
    return toml_literal(derived or (None if field.default is MISSING else field.default))


def toml_literal(value: object) -> str:
    """Return a default as TOML has it."""
    if value is None or value == "" or value == ():
        return NONE
    return json.dumps(list(value) if isinstance(value, tuple) else str(value) if isinstance(value, Path) else value)
