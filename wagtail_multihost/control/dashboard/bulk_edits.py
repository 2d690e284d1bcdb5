"""What bulk actions make of a site's record. Each leaves one as it is that is so already."""

from __future__ import annotations

from typing import Any

from wagtail_multihost.control.changes import Edit
from wagtail_multihost.control.declared_keys import Table
from wagtail_multihost.spec.site import STATES


def set_enabled(enabled: bool) -> Edit:
    """Let the site be served, or not."""

    def edit(before: Table) -> dict[str, Any]:
        is_so = bool(before.get("enabled", True)) == enabled
        return dict(before) if is_so else {**before, "enabled": enabled}

    return edit


def set_state(state: str) -> Edit:
    """Give the site another state."""

    def edit(before: Table) -> dict[str, Any]:
        is_so = before.get("state", STATES[0]) == state
        return dict(before) if is_so else {**before, "state": state}

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
