"""Documents whose values have types of their own, as TOML's and JSON's do."""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import Path

from wagtail_multihost.registry.record import KEY_PATH, RegistrySource
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.type_words import wrong_type

BARE = frozenset(f"{string.ascii_letters}{string.digits}_-")


def dotted(path: KEY_PATH) -> str:
    """Return a path of keys as TOML has it, without control characters."""
    return ".".join(key if key and BARE.issuperset(key) else shown(key) for key in path)


class TypedSource(RegistrySource):
    """Keys are dotted paths in the file ``path``; a boolean is a boolean and a number a number."""

    def __init__(self, path: Path, environ: Mapping[str, str], *, reads_secrets: bool, revision: int = 0) -> None:
        self.path = path
        self.base = path.parent
        self.environ = environ
        self.reads_secrets = reads_secrets
        self.revision = revision

    def label(self, path: KEY_PATH) -> str:
        keys = dotted(path)
        return f"{self.path.name}: {keys}" if keys else self.path.name

    def boolean(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise ValueError(wrong_type(bool, value))
        return value

    def integer(self, value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(wrong_type(int, value))
        return value

    def texts(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise ValueError(wrong_type(list, value))
        return tuple(self.text(item) for item in value)
