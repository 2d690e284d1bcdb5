"""One Django setting, and why it has its value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from wagtail_multihost.spec.secret import Secret

Project: TypeAlias = Mapping[str, object]


class Setting(NamedTuple):
    """
    ``name`` and ``value`` of a Django setting, the ``rule`` that made the value (a phrase), and the
    ``source`` that the rule read. Secrets in the value are still :class:`Secret`.
    """

    name: str
    value: object
    rule: str
    source: str


class Absent:
    """The value of a setting that the process must not have, whatever the project states."""

    def __repr__(self) -> str:
        return "(not set)"


ABSENT = Absent()


def reveal_secrets(value: object) -> object:
    """Return a copy of ``value`` with every secret in clear text, as Django needs it."""
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, Mapping):
        return {key: reveal_secrets(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [reveal_secrets(inner) for inner in value]
    return value


def aliases_of(project: Project, name: str) -> dict[str, dict[str, object]]:
    """Return a copy, two levels deep, of the project's setting ``name``: alias to options."""
    value = project.get(name)
    if not isinstance(value, Mapping):
        return {}
    return {str(alias): dict(options) for alias, options in value.items() if isinstance(options, Mapping)}
