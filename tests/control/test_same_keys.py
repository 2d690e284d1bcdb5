"""The control app and nodes agree on which keys no database may state: one asks by path, the other by table."""

from __future__ import annotations

import pytest

from wagtail_multihost.control.declared_keys import NODE_ONLY, Leaf, refusal_of
from wagtail_multihost.registry.keys import NAME, PLATFORM, SITE, Key, declared
from wagtail_multihost.registry.node_keys import SITES, is_key_of_node


def places(key: Key) -> list[tuple[bool, tuple[str, ...]]]:
    """Return where a key may be stated: whether in the platform's record, and its path there."""
    inner = tuple(key.table.replace(NAME, "ANY").split("."))
    if key.table in (PLATFORM, SITE):
        return [(key.table == PLATFORM, (key.name,))]
    if inner[0] == PLATFORM:
        return [(True, (*inner[1:], key.name))]
    return [(False, (*inner, key.name)), *([(True, (*inner, key.name))] if key.is_shared else [])]


@pytest.mark.parametrize(
    ("of_platform", "path"),
    [place for key in declared() if not key.type.endswith(("table", "of declarations")) for place in places(key)],
)
def test_control_refuses_what_nodes_refuse(of_platform: bool, path: tuple[str, ...]) -> None:
    whole = (PLATFORM, *path) if of_platform else (SITES, "aurora", *path)
    assert (refusal_of(Leaf(path, "x"), of_platform=of_platform) == NODE_ONLY) == is_key_of_node(whole)
