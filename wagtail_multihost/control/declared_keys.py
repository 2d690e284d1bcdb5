"""Which declared key each value of a record is, who may change it, and whether it is a secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from wagtail_multihost.registry.keys import NAME, PLATFORM, SITE, Key, declared
from wagtail_multihost.registry.record import ENVIRONMENT_REFERENCE, KEY_PATH, VARIABLE
from wagtail_multihost.registry.references import SEALED
from wagtail_multihost.spec.declared import Who

Table = Mapping[str, Any]
FILE = "_file"
#: Only registration writes them.
PINS = ("uid", "names")
URL_REFUSED = "It must be a table here: a URL would have the password in it."
NODE_ONLY = "Only a node's own file may state it: what root reads or runs is not decided here."
IN_THE_CLEAR = "A secret is never kept here. Accepted: env:NAME, or the path of a file of the nodes in {key}_file."
SEALED_REFUSED = (
    "Only a single secret of a site's own may be sealed. Accepted there: sealed: alone, as multihost-operator seals "
    "the value itself, under the path of its key."
)
COUNTED = "The registry counts its revisions itself."


class Leaf(NamedTuple):
    """A value of a record: the ``path`` of its key, and what it is. Lists are values, tables are not."""

    path: KEY_PATH
    value: object

    @property
    def name(self) -> str:
        return ".".join(self.path)


def leaves_of(table: Table, path: KEY_PATH = ()) -> Iterator[Leaf]:
    """Yield every value of a record. An empty table is a value, so that it is not lost."""
    for key, value in table.items():
        if isinstance(value, Mapping) and value:
            yield from leaves_of(value, (*path, key))
        else:
            yield Leaf((*path, key), value)


@cache
def keys_by_place() -> dict[tuple[str, str], Key]:
    """Return every declared key by its table and its name."""
    return {(key.table, key.name): key for key in declared()}


def find_key(path: KEY_PATH, *, of_platform: bool) -> Key | None:
    """Return the key that the value at ``path`` of a record belongs to; None if no key is declared there."""
    keys = keys_by_place()
    top = PLATFORM if of_platform else SITE
    if len(path) == 1:
        return keys.get((top, path[0]))
    inner = (f"{PLATFORM}.{path[0]}", path[1]) if of_platform else (path[0], path[1])
    found = keys.get(inner) or keys.get((path[0], path[1]))
    if found is None and of_platform and len(path) > 2:
        found = keys.get((f"{PLATFORM}.{path[0]}.{NAME}", path[2]))
    return found or keys.get((top, path[0]))


def is_reference(key: Key, *, of_platform: bool) -> bool:
    """
    Return whether a key is the path of a file that holds a secret. The platform's record has only those of secrets that
    sites may share: any other would name a file of each site.
    """
    secret = keys_by_place().get((key.table, key.name.removesuffix(FILE)))
    if secret is None or not key.name.endswith(FILE) or not secret.is_secret or secret.table == PLATFORM:
        return False
    return secret.is_shared or not of_platform


def who_may_change(path: KEY_PATH, *, of_platform: bool) -> Who:
    """Return who may change the value at ``path``: where no key is declared, the readers report it."""
    key = find_key(path, of_platform=of_platform)
    if key is None or (key.who == "node" and is_reference(key, of_platform=of_platform)):
        return "platform"
    return key.who


def is_masked(path: KEY_PATH, *, of_platform: bool) -> bool:
    """Return whether a value is left out of what people are shown: references to secrets are."""
    key = find_key(path, of_platform=of_platform)
    return key is None or key.is_secret or is_reference(key, of_platform=of_platform)


def refusal_of(leaf: Leaf, *, of_platform: bool) -> str:
    """Return why a value can be in no record of a database, whoever states it; blank if it can."""
    if of_platform and leaf.path == ("revision",):
        return COUNTED
    key = find_key(leaf.path, of_platform=of_platform)
    if key is None:
        return ""
    if key.type.startswith("URL") and len(leaf.path) == 1 and isinstance(leaf.value, str):
        return URL_REFUSED
    is_table = key.type.endswith("table") and len(leaf.path) == 1
    if key.who == "node" and not is_table and not is_reference(key, of_platform=of_platform):
        return NODE_ONLY
    if not key.is_secret:
        return ""
    values = leaf.value if isinstance(leaf.value, list) else [leaf.value]
    for value in values:
        text = str(value)
        if text == SEALED and not of_platform and not isinstance(leaf.value, list):
            continue
        if text.startswith(SEALED):
            return SEALED_REFUSED
        if not re.fullmatch(f"{ENVIRONMENT_REFERENCE}{VARIABLE}", text):
            return IN_THE_CLEAR.format(key=key.name)
    return ""
