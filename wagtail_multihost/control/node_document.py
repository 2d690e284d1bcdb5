"""The node's own file: reading it, and writing into it with everything else that it has kept."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wagtail_multihost.control.declared_keys import FILE, Table
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.files.writing import PRIVATE, NewFile, write_files
from wagtail_multihost.registry.node_file import NodeToml

#: What others than its owner and its group may never have.
MODES = 0o640
HEAD = "# What only this machine decides, beside the registry in PostgreSQL. It belongs to root.\n"


def read_node_document(path: Path) -> dict[str, Any]:
    """
    Return what the node's file says; nothing if there is none. Raises ConfigurationError, also for a file that others
    may write.
    """
    return {} if is_missing(path) else NodeToml(path).document()


def is_missing(path: Path) -> bool:
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        pass  # whoever reads it is told why
    return False


def merged_text(path: Path, found: Table) -> str:
    """Return the text of the node's file with what was ``found`` in it; comments and other keys stay."""
    import tomlkit  # loads only for this command

    before = read_node_document(path)
    text = "" if is_missing(path) else NodeToml(path).text()
    document: Any = tomlkit.parse(text or HEAD)
    expected = write_into(document, before, found)
    result = tomlkit.dumps(document) if expected != before else text
    if tomllib.loads(result) != expected:
        raise ConfigurationError.because("It cannot be changed without changing other keys.", where=str(path))
    return result


def write_into(document: Any, before: Table, found: Table) -> dict[str, Any]:
    """State ``found`` in a document of tomlkit, where it is not stated ``before``; return what it says then."""
    after = dict(before)
    for key, value in found.items():
        # A secret has one place: a value takes that of a file, and the other way round.
        other = key.removesuffix(FILE) if key.endswith(FILE) else f"{key}{FILE}"
        if other in after and other not in found:
            del after[other], document[other]
        inner = before.get(key)
        if isinstance(value, Mapping) and isinstance(inner, Mapping):
            after[key] = write_into(document[key], inner, value)
        elif key not in before or inner != value:
            after[key] = document[key] = value
    return after


def write_node_document(path: Path, text: str) -> bool:
    """
    Write the node's file, and return whether it changed. A new one is readable by its owner alone. Raises
    ConfigurationError.
    """
    place = path.resolve()
    try:
        mode, owner = PRIVATE, None
        if place.exists():
            if place.read_text(encoding="utf-8") == text:
                return False
            status = place.stat()
            mode = (stat.S_IMODE(status.st_mode) & MODES) | PRIVATE
            owner = None if os.geteuid() else (status.st_uid, status.st_gid)
        write_files([NewFile(str(place), text.encode(), mode, owner)])
    except OSError as error:
        raise ConfigurationError.because(f"It cannot be written: {error.strerror}.", where=str(path)) from None
    return True
