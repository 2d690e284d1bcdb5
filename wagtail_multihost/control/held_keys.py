"""
Which keys of a record a wave holds back, and which count on every node at once: whether and under which names a site is
served, who it is, and what its visitors' sessions depend on.
"""

from __future__ import annotations

from typing import Any

from wagtail_multihost.control.declared_keys import Table, find_key
from wagtail_multihost.control.differences import differences
from wagtail_multihost.control.drafts import is_move

#: What is stated for hostnames goes with them, and sessions end if nodes do not agree on cookies and keys. ``nodes``
#: and ``labels`` decide nothing that a node serves.
SITE_AT_ONCE = frozenset(
    {
        *("uid", "names", "nodes", "labels", "admins", "watched_pages"),
        *("enabled", "state", "hostnames", "aliases", "tls"),
        *("epoch", "key_id", "secret_key", "secret_key_file", "secret_key_fallbacks"),
        *("session_cookie", "csrf_cookie", "language_cookie"),
    }
)
PLATFORM_AT_ONCE = frozenset({"name", "key_id", "nodes"})


def lay_over(former: Table, newest: Table, *, of_platform: bool = False) -> dict[str, Any]:
    """Return the former record with those of the newest one's keys that count at once."""
    at_once = PLATFORM_AT_ONCE if of_platform else SITE_AT_ONCE
    held = {key: value for key, value in former.items() if key not in at_once}
    return {**held, **{key: value for key, value in newest.items() if key in at_once}}


def can_be_held(before: Table, after: Table, *, of_platform: bool = False) -> bool:
    """
    Return whether a change has something that can be held back. What says where data is cannot: nodes that disagree on
    it would write to two places.
    """
    if not before or lay_over(before, after, of_platform=of_platform) == dict(after):
        return False
    changed = differences(before, after)
    if not of_platform:
        return not any(map(is_move, changed))
    keys = (find_key(one.path, of_platform=True) for one in changed)
    return not any(key is not None and key.place for key in keys)
