"""What of a platform a container image or a repository would take along: its key, its registry, its sites' data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from wagtail_multihost.production import ProductionFinding
from wagtail_multihost.production.ignore_files import leaves_out
from wagtail_multihost.registry import DEFAULT_FILE
from wagtail_multihost.registry.keys import declared
from wagtail_multihost.registry.platform_key import FILE_NAME
from wagtail_multihost.spec.identifiers import shown

BUILD_FILES = ("Dockerfile", "Dockerfile.*", "*.Dockerfile", "Containerfile")
SUFFIX = ".dockerignore"
GITIGNORE = ".gitignore"
MANAGE = "manage.py"
#: What is in a data folder.
KEPT = (FILE_NAME, "sites")
SECRET_KEYS = frozenset(key.name for key in declared() if key.is_secret and not key.name.endswith("_file"))
#: How far above the settings' package manage.py may be: in it, or above a folder such as src.
DEPTH = 3


def project_folder(directory: Path) -> Path:
    """Return the folder that has manage.py: ``directory``, from which settings are imported, or one just above it."""
    candidates = [directory, *directory.parents][:DEPTH]
    return next((folder for folder in candidates if os.path.isfile(folder / MANAGE)), directory)


def own_paths(project: Path, data: Path | None, others: Iterable[Path]) -> list[Path]:
    """Return what there is of the data folder's contents, the registry in its usual place, and ``others``."""
    paths = [*((data / name for name in KEPT) if data else ()), project / DEFAULT_FILE, *others]
    return [path for path in dict.fromkeys(paths) if os.path.exists(path)]


def context_findings(paths: Iterable[Path], data: Path | None = None) -> Iterator[ProductionFinding]:
    """Yield each of ``paths`` that the build of an image would copy, as ``COPY . .`` does."""
    for path in paths:
        for folder, build_file in build_files(path):
            ignore = ignore_file(folder, build_file)
            parts = path.relative_to(folder).parts
            if leaves_out(read_lines(ignore), parts, at_any_depth=False, is_folder=os.path.isdir(path)):
                continue
            yield ProductionFinding(
                f"{shown(str(path))} is in the build context of {shown(str(build_file))}, and {ignore.name} does not "
                "leave it out: images would have the platform's secrets or its sites' data in them.",
                f"Put {shown(ignore_line(path, folder, data))} at the end of {ignore}, or keep it out of that folder.",
            )


def build_files(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each folder above ``path`` with each file in it that describes an image."""
    for folder in path.parents[:-1]:
        for name in BUILD_FILES:
            for found in sorted(folder.glob(name)):
                if found.suffix != SUFFIX:
                    yield folder, found


def ignore_file(folder: Path, build_file: Path) -> Path:
    """Return the file that a build reads: the one of the build file's own name goes before the folder's."""
    own = build_file.with_name(f"{build_file.name}{SUFFIX}")
    return own if os.path.isfile(own) else folder / SUFFIX


def repository_findings(project: Path, paths: Iterable[Path], data: Path | None = None) -> Iterator[ProductionFinding]:
    """Yield each of ``paths`` in the project that a repository would take."""
    for path in paths:
        if path.is_relative_to(project) and not is_ignored(path, project):
            yield ProductionFinding(
                f"{shown(str(path))} is in the project, and no {GITIGNORE} leaves it out: a commit would have the "
                "platform's secrets or its sites' data in it.",
                f"Put {shown(ignore_line(path, project, data))} at the end of {project / GITIGNORE}, or keep it "
                "elsewhere.",
            )


def is_ignored(path: Path, project: Path) -> bool:
    """Return whether the .gitignore of the project, and those above it in its repository, leave out ``path``."""
    folders = [project, *project.parents]
    top = next((number for number, folder in enumerate(folders) if os.path.exists(folder / ".git")), 0)
    is_out, is_folder = False, os.path.isdir(path)
    for folder in reversed(folders[: top + 1]):  # the nearest one decides
        parts = path.relative_to(folder).parts
        lines = read_lines(folder / GITIGNORE)
        is_out = leaves_out(lines, parts, at_any_depth=True, is_out=is_out, is_folder=is_folder)
    return is_out


def ignore_line(path: Path, folder: Path, data: Path | None) -> str:
    """Return the line that leaves out ``path``, and where it is in the data folder all of that."""
    if data and data != folder and data.is_relative_to(folder) and path.is_relative_to(data):
        return f"{data.relative_to(folder)}/"
    return f"{path.relative_to(folder)}{'/' if os.path.isdir(path) else ''}"


def read_lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError:
        return []


def has_secret(document: object, key: str = "") -> bool:
    """Return whether a registry's ``document`` has a secret as a value, not as a variable's name or a file's path."""
    if isinstance(document, Mapping):
        return any(has_secret(value, inner_key(key, str(name))) for name, value in document.items())
    if isinstance(document, list | tuple):
        return any(has_secret(value, key) for value in document)
    if not isinstance(document, str) or key.endswith("_file"):
        return False
    is_stated = key in SECRET_KEYS and not document.startswith("env:")
    return is_stated or "@" in document.partition("://")[2].partition("/")[0]


def inner_key(key: str, name: str) -> str:
    """Return what a value is called: in a keyring, whose names are ids, it stays a secret."""
    return key if key in SECRET_KEYS and not name.endswith("_file") else name
