"""
What a release of a project says about itself, in a file that ``multihost_codebase`` writes once, so that plans can be
made and snapshots written without loading the project.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any, NamedTuple

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.registry.snapshot_formats import FORMATS
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.spec.permissions import NO_FOREIGN_WRITING, access_problem, own_accounts
from wagtail_multihost.version import own_version

FORMAT = 1
KEYS = {"format": int, "version": str, "snapshots": list, "codebase": dict}
#: The types of a codebase's values that are not text.
PATHS = ("directory", "virtualenv", "static_root")
NUMBERS = frozenset({"signed_seconds", "page_seconds"})
OPTIONAL = frozenset({"static_root", "static_url", "media_url"})
#: What a version that knows fewer keys states too; the others have defaults.
REQUIRED = frozenset(field.name for field in fields(Codebase) if field.default is MISSING)


class Release(NamedTuple):
    """
    The ``codebase``, the ``version`` of this package that is installed with it (blank where it is not installed), and
    the formats of ``snapshots`` that this version reads.
    """

    codebase: Codebase
    version: str = ""
    snapshots: tuple[int, ...] = ()


def own_release(codebase: Codebase) -> Release:
    """Return the release whose code this process runs."""
    return Release(codebase, own_version(), tuple(sorted(FORMATS)))


def release_text(release: Release) -> str:
    """Return the text of a release's file."""
    values = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(release.codebase).items()}
    document = {"format": FORMAT, "version": release.version, "snapshots": release.snapshots, "codebase": values}
    return f"{json.dumps(document, indent=1)}\n"


def read_release(path: Path) -> Release:
    """
    Return the release that the file at ``path`` describes; raises ConfigurationError when it is something else, or
    another account can change it: servers' configurations are made of it.
    """
    try:
        data, status = read_no_follow(path)
        problem = access_problem(status, NO_FOREIGN_WRITING, own_accounts())
        if problem:
            raise ConfigurationError.because(problem, where=str(path))
        document = json.loads(data)
    except OSError as error:
        raise ConfigurationError.because(f"It cannot be read: {error.strerror}.", where=str(path)) from None
    except (ValueError, RecursionError):
        document = None
    if not is_release(document):
        message = "It was not written by multihost_codebase of this version. Write it again."
        raise ConfigurationError.because(message, where=str(path))
    values = document["codebase"]
    paths = {key: Path(values[key]) for key in PATHS if values.get(key) is not None}
    codebase = Codebase(**{**values, **paths, "pythonpath": tuple(values.get("pythonpath", ()))})
    return Release(codebase, document["version"], tuple(document["snapshots"]))


def is_release(document: Any) -> bool:
    """Return whether a document has what a release's file has, and nothing else."""
    if not isinstance(document, dict) or document.keys() != KEYS.keys() or document["format"] != FORMAT:
        return False
    if not all(isinstance(document[key], kind) for key, kind in KEYS.items()):
        return False
    values = document["codebase"]
    folders = values.get("pythonpath", [])
    others = {"pythonpath", *NUMBERS}
    texts = [value for key, value in values.items() if key not in others and (value is not None or key not in OPTIONAL)]
    return (
        REQUIRED <= values.keys() <= set(Codebase.__slots__)
        and isinstance(folders, list)
        and all(isinstance(text, str) for text in [*texts, *folders])
        and all(type(number) is int for number in document["snapshots"])
        and all(type(values[key]) is int for key in NUMBERS & values.keys())
    )
