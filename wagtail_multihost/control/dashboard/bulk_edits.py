"""What bulk actions make of a site's record. Each leaves one as it is that is so already."""

from __future__ import annotations

from typing import Any

from wagtail_multihost.control.changes import Edit
from wagtail_multihost.control.declared_keys import Table
from wagtail_multihost.control.edits import set_value
from wagtail_multihost.spec.site import STATES


def set_enabled(enabled: bool) -> Edit:
    """Let the site be served, or not."""
    return set_unless_so("enabled", enabled, True)


def set_state(state: str) -> Edit:
    """Give the site another state."""
    return set_unless_so("state", state, STATES[0])


def set_unless_so(key: str, value: object, default: object) -> Edit:
    """Give a key another value; the ``default`` is not stated."""

    def edit(before: Table) -> dict[str, Any]:
        if before.get(key, default) == value:
            return dict(before)
        return set_value((key,), None if value == default else value)(before)  # type: ignore[return-value]

    return edit


def set_label(key: str, value: str) -> Edit:
    """Give the site a label, or take it away if the ``value`` is blank."""

    def edit(before: Table) -> dict[str, Any]:
        labels = {name: text for name, text in before.get("labels", {}).items() if name != key}
        if value:
            labels[key] = value
        elif key not in before.get("labels", {}):
            return dict(before)
        rest = {name: table for name, table in before.items() if name != "labels"}
        return {**rest, "labels": labels} if labels else rest

    return edit
