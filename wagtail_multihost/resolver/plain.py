"""
Settings in the types of JSON, so that those of two processes can be compared. Secrets are in the clear: what is shown
goes through resolver.masking.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

from wagtail_multihost.resolver.masking import DEEPEST, unmasked_text
from wagtail_multihost.spec.secret import Secret

Plain = object


def plain(value: object, depth: int = 0) -> Plain:
    """Return ``value`` in the types of JSON; a :class:`Secret` stays one, and other objects become their type."""
    if isinstance(value, Secret | bool | int | float | None) or depth > DEEPEST:
        return value if depth <= DEEPEST else "…"
    if isinstance(value, Mapping):
        return {plain_text(key): plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner, depth + 1) for inner in value]
    if isinstance(value, Set):
        return sorted((plain(inner, depth + 1) for inner in value), key=str)
    return plain_text(value)


def plain_text(value: object) -> str:
    try:
        return str(value) if isinstance(value, int | float | None) else unmasked_text(value)
    except Exception:  # a lazy translation, whose catalogue may not load
        return f"<{type(value).__name__}>"


def plain_settings(values: Mapping[str, object]) -> dict[str, Plain]:
    """Return all settings of a module's or an object's ``values``."""
    return {name: plain(value) for name, value in values.items() if name.isupper()}
