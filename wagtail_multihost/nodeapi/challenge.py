"""Where the owner of a hostname publishes a challenge: the control app says it, and the courier looks there."""

from __future__ import annotations

from uuid import UUID

#: The record's first label begins with an underscore, so no host has this name
#: (https://www.rfc-editor.org/rfc/rfc8552#section-1.1).
RECORD_LABEL = "_multihost-challenge"
#: Below the prefix that is kept for such files (https://www.rfc-editor.org/rfc/rfc8615#section-3).
FILE_FOLDER = "/.well-known/multihost-challenge"
#: Last labels of names that are nobody's.
RESERVED = ("example", "invalid", "localhost", "test")


def record_name(name: str) -> str:
    """Return the name of the TXT record that proves the hostname ``name``."""
    return f"{RECORD_LABEL}.{name}"


def file_path(challenge: UUID) -> str:
    """Return the path of the file, on the hostname itself, that proves it."""
    return f"{FILE_FOLDER}/{challenge}"


def is_reserved(name: str) -> bool:
    """Return whether nobody can own the hostname ``name`` (https://www.rfc-editor.org/rfc/rfc6761#section-6)."""
    return name.rpartition(".")[2] in RESERVED
