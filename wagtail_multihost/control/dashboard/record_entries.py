"""The keys of a record that people are shown, one by one, and where a value comes from that a record does not state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from wagtail_multihost.control.changes import Edit
from wagtail_multihost.control.dashboard.record_text import text_of
from wagtail_multihost.control.declared_keys import PINS, Table, is_masked, is_reference, keys_by_place, who_may_change
from wagtail_multihost.registry.keys import PLATFORM, SITE, Key, declared, keys_in
from wagtail_multihost.registry.record import KEY_PATH
from wagtail_multihost.spec.declared import Who

#: Keys of a site that are changed elsewhere than among its settings, and those that never change.
ELSEWHERE = frozenset({"hostnames", "aliases", "enabled", "state", *PINS})
#: The platform's revision is counted by registration.
COUNTED = frozenset({"revision"})
DECLARATIONS = "of declarations"
SELECTORS = ("engine", "backend")
OF_PLATFORM, OF_DEFAULT, OF_NODE = "the platform", "the default", "the node's own file, or the default"


class Entry(NamedTuple):
    """A declared key at a ``path`` of a record (``("database", "host")``)."""

    path: KEY_PATH
    key: Key
    of_platform: bool

    @property
    def name(self) -> str:
        """The key as a registry file has it within its record; forms call their fields so."""
        return ".".join(self.path)

    @property
    def table(self) -> str:
        """The table that the key is in; blank for the record's own keys."""
        return self.path[0] if len(self.path) > 1 else ""

    @property
    def who(self) -> Who:
        """Who may change it. Of a table of declarations that is what a record may have of it."""
        if self.key.type.endswith(DECLARATIONS):
            return "platform"
        return who_may_change(self.path, of_platform=self.of_platform)

    @property
    def is_masked(self) -> bool:
        """Whether it refers to a secret."""
        return is_masked(self.path, of_platform=self.of_platform)

    def text_in(self, record: Table) -> str:
        """Return what a record states, as text; blank if it states nothing."""
        return text_of(self.key, value_at(record, self.path))


class Inherited(NamedTuple):
    """What a record has where it does not state a key, as ``text``, and whose value that is."""

    text: str
    source: str


@cache
def entries(*, of_platform: bool) -> tuple[Entry, ...]:
    """Return every key that can be in a platform's or a site's record and is changed as one of many settings."""
    top = PLATFORM if of_platform else SITE
    found: list[Entry] = []
    for key in declared():
        if key.table == top and key.name not in (COUNTED if of_platform else ELSEWHERE):
            found += entries_of(key, of_platform=of_platform)
    return tuple(sorted(found, key=lambda entry: bool(entry.table)))


def entries_of(key: Key, *, of_platform: bool) -> Iterator[Entry]:
    """Yield the entries of a key: itself if it is a value, or those of the table that it is."""
    inner = keys_in(key, declared())
    if key.type.endswith(DECLARATIONS):
        if any(one.who != "node" for one in inner):
            yield Entry((key.name,), key, of_platform)
    elif key.type.endswith("table"):
        found = (Entry((key.name, one.name), one, of_platform) for one in inner)
        yield from (entry for entry in found if can_be_stated(entry.key, of_platform=of_platform))
    elif can_be_stated(key, of_platform=of_platform):
        yield Entry((key.name,), key, of_platform)


def can_be_stated(key: Key, *, of_platform: bool) -> bool:
    """Return whether a record of a database may have a key: those of nodes are in their own files."""
    return key.who != "node" or is_reference(key, of_platform=of_platform)


def value_at(record: Table, path: KEY_PATH) -> object:
    """Return the value at a path of a record; None if it is not stated."""
    found: object = record
    for key in path:
        if not isinstance(found, Mapping) or key not in found:
            return None
        found = found[key]
    return found


def set_values(values: Mapping[KEY_PATH, object]) -> Edit:
    """State each value as a whole; None takes it away, and a table that nothing is left in."""

    def edit(before: Table) -> dict[str, Any]:
        after = dict(before)
        for path, value in values.items():
            place(after, path, value)
        return after

    return edit


def place(table: dict[str, Any], path: KEY_PATH, value: object) -> None:
    head, *rest = path
    if not rest:
        table.pop(head, None) if value is None else table.update({head: value})
        return
    stated = table.get(head)
    inner = dict(stated) if isinstance(stated, Mapping) else {}
    place(inner, tuple(rest), value)
    place(table, (head,), inner or None)


def inherited(entry: Entry, record: Table, platform: Table) -> Inherited:
    """Return what a site has that does not state a key, or what the platform has that does not."""
    if entry.of_platform:
        return Inherited(entry.key.default, OF_DEFAULT)
    if takes_platform(entry, record, platform):
        stated = value_at(platform, entry.path)
        if stated is not None:
            return Inherited(text_of(entry.key, stated), OF_PLATFORM)
        return Inherited(platform_default(entry), OF_NODE if is_of_node(entry) else OF_DEFAULT)
    return Inherited(entry.key.default, OF_DEFAULT)


def takes_platform(entry: Entry, record: Table, platform: Table) -> bool:
    """Return whether a site has the platform's value of a key: not of another engine than the platform's."""
    if entry.table and not entry.key.is_shared and shared_options(entry) is None:
        return False
    for selector in SELECTORS:
        own = value_at(record, (entry.table, selector))
        if own is not None and own != value_at(platform, (entry.table, selector)):
            return False
    return bool(entry.table) or entry.name == "key_id"


def shared_options(entry: Entry) -> Key | None:
    """Return the platform's own key of an option of servers."""
    return keys_by_place().get((f"{PLATFORM}.{entry.table}", entry.key.name))


def platform_default(entry: Entry) -> str:
    options = shared_options(entry)
    return options.default if options else entry.key.default


def is_of_node(entry: Entry) -> bool:
    """Return whether the platform's value can only be in a node's file, which is not seen here."""
    options = shared_options(entry)
    return (options or entry.key).who == "node"
