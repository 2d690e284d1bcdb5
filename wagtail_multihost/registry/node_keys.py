"""Which keys of a table are the node's: what root renders, runs, opens or becomes, and no database may say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple, TypeAlias

from wagtail_multihost.registry.fields import URL_PARSERS
from wagtail_multihost.registry.keys import PLATFORM, SITE, Key, declared, keys_in
from wagtail_multihost.registry.record import KEY_PATH

FILE_ENDING, SITES = "_file", "sites"


class KnownKey(NamedTuple):
    """
    A declared key: the keys ``inner`` of the table that it is (none of a value), whether its table ``has_names`` of the
    platform's own choice, whether it ``is_of_node``, whether it is the path of a file with a secret of a site, and so
    ``is_reference``, and whether it ``is_secret`` itself.
    """

    inner: KnownTable
    has_names: bool
    is_of_node: bool
    is_reference: bool
    is_secret: bool


KnownTable: TypeAlias = "Mapping[str, KnownKey]"


class Leaf(NamedTuple):
    """
    A ``value`` of a table: its ``path``, whether it ``is_of_node``, whether it ``is_reference`` (the path of a file
    with a secret), and whether it ``is_secret``.
    """

    path: KEY_PATH
    value: object
    is_of_node: bool = False
    is_reference: bool = False
    is_secret: bool = False


@cache
def platform_table() -> KnownTable:
    """Return the keys of the platform's table."""
    return known_keys(tuple(key for key in declared() if key.table == PLATFORM))


@cache
def site_table() -> KnownTable:
    """Return the keys of a site's table."""
    return known_keys(tuple(key for key in declared() if key.table == SITE))


def is_key_of_node(path: KEY_PATH) -> bool:
    """Return whether the key at a path of the whole registry is the node's; not of a table, nor of a reference."""
    is_site = path[:1] == (SITES,)
    known, key = (site_table() if is_site else platform_table()), None
    for name in path[2:] if is_site else path[1:]:
        if key is not None and key.has_names:
            key = key._replace(has_names=False)
            continue
        key = known.get(name)
        if key is None:
            return False
        known = key.inner
    return key is not None and not key.inner and key.is_of_node and not key.is_reference


def known_keys(keys: tuple[Key, ...]) -> KnownTable:
    names = {key.name: key for key in keys}
    return {
        key.name: KnownKey(
            known_keys(keys_in(key, declared())),
            key.type.endswith("of declarations"),
            key.who == "node",
            is_reference(names.get(key.name.removesuffix(FILE_ENDING)), key.name),
            key.is_secret,
        )
        for key in keys
    }


def is_reference(secret: Key | None, name: str) -> bool:
    """Return whether a key of this ``name`` is the path of a ``secret`` that is not the node's own."""
    return name.endswith(FILE_ENDING) and secret is not None and secret.is_secret and secret.who != "node"


def leaves(table: Mapping[str, object], known: KnownTable, path: KEY_PATH) -> Iterator[Leaf]:
    """
    Yield the values of a table whose ``known`` keys are given, and of the tables in it. What should be a table and is
    none is left out: the readers report it.
    """
    for name, value in table.items():
        here, key = (*path, name), known.get(name)
        if key is None or not key.inner:
            yield Leaf(here, value, key.is_of_node, key.is_reference, key.is_secret) if key else Leaf(here, value)
        elif key.has_names:
            for own, declaration in value.items() if isinstance(value, dict) else ():
                if isinstance(declaration, dict):
                    yield from leaves(declaration, key.inner, (*here, own))
        else:
            yield from leaves(fields_of_value(name, value), key.inner, here)


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
