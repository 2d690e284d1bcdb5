"""Events in words, and who made them."""

from __future__ import annotations

from collections.abc import Iterable

from wagtail.admin.utils import get_user_display_name

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.changes import (
    CHANGED,
    CREATED,
    DISABLED,
    ENABLED,
    MOVED,
    PLATFORM_CHANGED,
    REFRESH,
    RETIRED,
)
from wagtail_multihost.control.models import Event
from wagtail_multihost.control.people import known_people

TITLES = {
    CREATED: "Site created",
    CHANGED: "Site changed",
    ENABLED: "Site enabled",
    DISABLED: "Site disabled",
    MOVED: "Site moved",
    RETIRED: "Site retired",
    PLATFORM_CHANGED: "Platform changed",
    REFRESH: "All nodes asked to read again",
}
#: So many changed keys are named.
NAMED = 8
SOMEONE = "Someone else"
OPERATOR = "An operator"


def title_of(event: Event) -> str:
    """Return what happened; a type of a later version is called by its name."""
    return TITLES.get(event.type, event.type)


def keys_in_words(event: Event) -> str:
    """Return which keys changed; of a new site that is all that it has, and says nothing."""
    keys = [] if event.type == CREATED else event.metadata.get("changed", [])
    rest = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    return ", ".join(map(str, keys[:NAMED])) + rest


def reason_of(event: Event) -> str:
    return str(event.metadata.get("reason", ""))


def names_of_actors(authority: Authority, actors: Iterable[str]) -> dict[str, str]:
    """
    Return what those who made changes are called, in one query, as far as it is told to who asks.
    """
    kinds = {actor: actor.partition(":")[::2] for actor in set(actors)}
    keys = {int(key) for kind, key in kinds.values() if kind == "user" and key.isdecimal()}
    people = known_people(authority).filter(pk__in=keys)
    names = {str(person.pk): get_user_display_name(person) for person in people} if keys else {}
    return {actor: name_of_actor(authority, kind, key, names) for actor, (kind, key) in kinds.items()}


def name_of_actor(authority: Authority, kind: str, key: str, names: dict[str, str]) -> str:
    if kind == "user":
        return str(names.get(key, f"User {key}" if authority.is_operator else SOMEONE))
    if not authority.is_operator:
        return OPERATOR if kind == "operator" else SOMEONE
    return f"{kind.capitalize()} {key}"
