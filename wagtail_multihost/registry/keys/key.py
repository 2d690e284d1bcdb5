"""A key of a registry, as it is declared."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from wagtail_multihost.registry.environment import NESTED, PLATFORM_PREFIX, SITE_PREFIX
from wagtail_multihost.registry.platform_record import OWN_FILES, OWN_KEYS, SHAREABLE

PLATFORM = "platform"
SITE = "sites.ID"
SETTINGS = "settings"
REQUIRED = "required"
NONE = "none"
#: Tables of a site that the platform has too, as defaults of all sites.
SHARED_TABLES = ("database", "cache", "storage", "mail", "frontend", "tls", SETTINGS)


class Key(NamedTuple):
    """
    A key of a registry: its ``table`` (``sites.ID`` for a site's own, ``database`` for a table in it), ``name``,
    ``type``, ``default`` (a literal of TOML, or words) and ``meaning``; ``kind`` is the engine or the backend that
    takes it, blank for all.
    """

    table: str
    name: str
    type: str
    default: str
    meaning: str
    kind: str = ""

    @property
    def path(self) -> str:
        """The key as a registry file has it, ``sites.ID.database.host`` for example."""
        return f"{self.table if '.' in self.table or self.table == PLATFORM else f'{SITE}.{self.table}'}.{self.name}"

    @property
    def variables(self) -> tuple[str, ...]:
        """The variables that set it where the registry is the environment: the site's, then the platform's."""
        name = self.name.upper()
        if self.table in (PLATFORM, SITE):
            return (f"{PLATFORM_PREFIX if self.table == PLATFORM else SITE_PREFIX}{name}",)
        inner = f"{self.table.rpartition('.')[2].upper()}{NESTED}{name}"
        if self.table.startswith(f"{PLATFORM}."):
            return (f"{PLATFORM_PREFIX}{inner}",)
        own = (f"{SITE_PREFIX}{inner}",)
        return (*own, f"{PLATFORM_PREFIX}{inner}") if self.is_accepted_by_platform else own

    @property
    def is_accepted_by_platform(self) -> bool:
        """Whether the platform may have a default of it for its sites; paths must have ``{site}`` in them then."""
        if self.table not in SHARED_TABLES:
            return False
        return self.table in (*SHAREABLE, "tls", SETTINGS) or self.name not in OWN_KEYS or self.name == "path"

    @property
    def needs_site_in_platform(self) -> bool:
        """Whether the platform's default of it must have ``{site}`` in it."""
        return self.table in SHARED_TABLES and self.table not in SHAREABLE and self.name in ("path", *OWN_FILES)


def secret(table: str, name: str, default: str, meaning: str, kind: str = "", *, type: str = "secret") -> Iterator[Key]:
    """Yield a secret's two keys: itself, and with ``_file`` the path of a file that holds it."""
    yield Key(table, name, type, default, meaning, kind)
    yield Key(table, f"{name}_file", "path", NONE, f"The file that holds the `{name}`.", kind)
