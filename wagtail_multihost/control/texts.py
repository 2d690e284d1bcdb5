"""Text that PostgreSQL cannot keep: with a zero byte, or with half of a pair of surrogates, as JSON may have it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from wagtail_multihost.control.declared_keys import Table
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.record import KEY_PATH
from wagtail_multihost.spec.identifiers import shown

#: So long a record may be, as JSON. It is kept once for each change, and each node reads those of all sites at once.
MOST_BYTES = 256 * 1024
TOO_LONG = f"The record has more than {MOST_BYTES} bytes as JSON."
REFUSED = "It has a character that cannot be kept, such as a zero byte."


def can_be_kept(text: str) -> bool:
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False


def is_too_long(table: Table) -> bool:
    """Return whether a record, whose texts can be kept, is longer than one may be."""
    return len(json.dumps(table, ensure_ascii=False).encode()) > MOST_BYTES


def refuse_text(text: str, where: str) -> None:
    """Raise ConfigurationError for text that cannot be kept."""
    if not can_be_kept(text):
        raise ConfigurationError.because(REFUSED, where=where)


def unkept_texts(value: object, path: KEY_PATH = ()) -> Iterator[KEY_PATH]:
    """Yield the path of each text in a table that cannot be kept, and of each key with such a name."""
    if isinstance(value, str):
        if not can_be_kept(value):
            yield path
    elif isinstance(value, Mapping):
        yield from unkept_in_table(value, path)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from unkept_texts(item, path)


def unkept_in_table(table: Table, path: KEY_PATH) -> Iterator[KEY_PATH]:
    for key, value in table.items():
        if can_be_kept(str(key)):
            yield from unkept_texts(value, (*path, str(key)))
        else:
            yield (*path, shown(str(key)))
