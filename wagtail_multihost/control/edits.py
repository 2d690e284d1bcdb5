"""Edits of records. Each is applied to the record as it is when the change has the lock, so that no other is lost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wagtail_multihost.control.changes import Edit
from wagtail_multihost.control.declared_keys import PINS, Table
from wagtail_multihost.control.models import HOSTNAME
from wagtail_multihost.registry.record import KEY_PATH
from wagtail_multihost.spec.identifiers import parse_hostname

HOSTNAMES, ALIASES = "hostnames", "aliases"


def replace_record(record: Table) -> Edit:
    """Make ``record`` the record. The uid and the names, which never change, may be left out."""
    return lambda before: {**{key: before[key] for key in PINS if key in before}, **record}


def merge_patch(patch: Table) -> Edit:
    """Change what ``patch`` states and remove what it has as None (RFC 7396)."""
    return lambda before: merged(before, patch)


def merged(before: object, patch: Table) -> dict[str, Any]:
    found = dict(before) if isinstance(before, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, Mapping):
            found[key] = merged(found.get(key), value)
        else:
            found[key] = value
    return found


def set_value(path: KEY_PATH, value: object) -> Edit:
    """State one key (``("database", "host")``); None removes it."""
    patch: Any = value
    for key in reversed(path):
        patch = {key: patch}
    return merge_patch(patch)


def add_hostname(name: str, role: str) -> Edit:
    """Add a hostname, or move it to another ``role``. Raises ValueError for what is no hostname."""
    host = parse_hostname(name)
    key = HOSTNAMES if role == HOSTNAME else ALIASES

    def edit(before: Table) -> dict[str, Any]:
        if host in map(normalize_hostname, before.get(key, [])):
            return dict(before)
        rest = remove_hostname(host)(before)
        return {**rest, key: [*rest.get(key, []), host]}

    return edit


def remove_hostname(name: str) -> Edit:
    """Take a hostname or an alias away, however the record writes it."""
    gone = normalize_hostname(name)

    def edit(before: Table) -> dict[str, Any]:
        kept = {
            key: [host for host in before[key] if normalize_hostname(host) != gone]
            for key in (HOSTNAMES, ALIASES)
            if key in before
        }
        return {**before, **kept}

    return edit


def normalize_hostname(text: str) -> str:
    """Return a hostname in its one form; what is none, as it is."""
    try:
        return parse_hostname(text)
    except ValueError:
        return text


def make_canonical(name: str) -> Edit:
    """Make a name of the site the one that its other hostnames redirect to."""
    name = parse_hostname(name)

    def edit(before: Table) -> dict[str, Any]:
        rest = remove_hostname(name)(before)
        return {**rest, HOSTNAMES: [name, *rest.get(HOSTNAMES, [])]}

    return edit
