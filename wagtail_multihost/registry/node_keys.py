"""Which keys of a table are the node's: what root renders, runs, opens or becomes, and no database may say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from wagtail_multihost.registry.fields import URL_PARSERS
from wagtail_multihost.registry.keys import PLATFORM, SITE, Key, declared, keys_in
from wagtail_multihost.registry.record import KEY_PATH

FILE_ENDING = "_file"


class Leaf(NamedTuple):
    """A value of a table: its ``path``, its ``key`` (None: it is not known), and whether it ``is_of_node``."""

    path: KEY_PATH
    key: Key | None
    value: object
    is_of_node: bool
    #: Whether it is the path of a file that holds a secret of a site, and so a reference.
    is_reference: bool = False


def platform_table() -> tuple[Key, ...]:
    return tuple(key for key in declared() if key.table == PLATFORM)


def site_table() -> tuple[Key, ...]:
    return tuple(key for key in declared() if key.table == SITE)


def leaves(table: Mapping[str, object], keys: tuple[Key, ...], path: KEY_PATH) -> Iterator[Leaf]:
    """
    Yield the values of a table whose ``keys`` are declared, and of the tables in it. What should be a table and is none
    is left out: the readers report it.
    """
    known = {key.name: key for key in keys}
    for name, value in table.items():
        here, key = (*path, name), known.get(name)
        inner = keys_in(key, declared()) if key else ()
        if key is None or not inner:
            yield Leaf(here, key, value, key is not None and key.who == "node", is_reference(key, known))
        elif key.type.endswith("of declarations"):
            for own, declaration in value.items() if isinstance(value, dict) else ():
                if isinstance(declaration, dict):
                    yield from leaves(declaration, inner, (*here, own))
        else:
            yield from leaves(fields_of_value(name, value), inner, here)


def is_reference(key: Key | None, known: Mapping[str, Key]) -> bool:
    """Return whether a key is the path of a secret that is not the node's own."""
    if key is None or not key.name.endswith(FILE_ENDING):
        return False
    secret = known.get(key.name.removesuffix(FILE_ENDING))
    return secret is not None and secret.is_secret and secret.who != "node"


def fields_of_value(name: str, value: object) -> Mapping[str, object]:
    """Return the keys of a table, or of a URL in its place; none of what is neither."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str) and name in URL_PARSERS:
        try:
            return URL_PARSERS[name](value)
        except ValueError:  # reported where it is read
            return {}
    return {}
