"""Those who made changes, as others are told of them: a customer learns nobody's login."""

from __future__ import annotations

from collections.abc import Iterable

from wagtail.admin.utils import get_user_display_name

from wagtail_multihost.control.authority import Authority
from wagtail_multihost.control.people import known_people
from wagtail_multihost.spec.printing import one_line

SOMEONE = "Someone else"
OPERATOR = "An operator"


def shown_actor(authority: Authority, actor: str) -> str:
    """Return an actor as programs are told: the account of who ran a command on the machine is for operators."""
    kind, _, _ = actor.partition(":")
    return kind if kind == "operator" and not authority.is_operator else actor


def names_of_actors(authority: Authority, actors: Iterable[str]) -> dict[str, str]:
    """
    Return what those who made changes are called, in one query. Only operators are told the names of people with whom
    they share no group: a customer learns nobody's login. People choose their names themselves: these are on one line.
    """
    kinds = {actor: actor.partition(":")[::2] for actor in set(actors)}
    keys = {int(key) for kind, key in kinds.values() if kind == "user" and key.isdecimal()}
    people = known_people(authority).filter(pk__in=keys)
    names = {str(person.pk): get_user_display_name(person) for person in people} if keys else {}
    return {actor: one_line(name_of_actor(authority, kind, key, names)) for actor, (kind, key) in kinds.items()}


def name_of_actor(authority: Authority, kind: str, key: str, names: dict[str, str]) -> str:
    if kind == "user":
        return str(names.get(key, f"User {key}" if authority.is_operator else SOMEONE))
    if not authority.is_operator:
        return OPERATOR if kind == "operator" else SOMEONE
    return f"{kind.capitalize()} {key}"
