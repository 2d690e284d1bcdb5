"""Which Django the settings are for. The resolver runs before Django, and never imports it."""

from __future__ import annotations

import sys


def django_version() -> tuple[int, int]:
    """Return the version of Django, such as ``(6, 1)``: the loaded one, or else the installed one."""
    loaded = getattr(sys.modules.get("django"), "VERSION", None)
    if loaded:
        return loaded[0], loaded[1]
    from importlib.metadata import version  # takes milliseconds to load, and Django is nearly always there

    major, minor = version("django").split(".")[:2]
    return int(major), int("".join(character for character in minor if character.isdigit()) or "0")
