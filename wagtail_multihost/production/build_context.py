"""Which of a platform's files a container image or a repository would contain: key, registry, sites' data."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from wagtail_multihost.production import ProductionFinding
from wagtail_multihost.production.ignore_files import leaves_out
from wagtail_multihost.registry import DEFAULT_FILE
from wagtail_multihost.registry.declarations import PROJECT_SETTINGS
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
    """Return the folder with manage.py: ``directory``, from which settings are imported, or one just above it."""
    candidates = [directory, *directory.parents][:DEPTH]
    return next((folder for folder in candidates if os.path.isfile(folder / MANAGE)), directory)


def own_paths(project: Path, data: Path | None, others: Iterable[Path]) -> list[Path]:
    """Return those of the data folder's contents, the registry at its usual path, and ``others`` that exist."""
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
                "exclude it: images would contain the platform's secrets or its sites' data.",
                f"Put {shown(ignore_line(path, folder, data))} at the end of {ignore}, or move it out of that folder.",
            )


def build_files(path: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each folder above ``path`` with each Dockerfile or the like in it."""
    for folder in path.parents[:-1]:
        for name in BUILD_FILES:
            for found in sorted(folder.glob(name)):
                if found.suffix != SUFFIX:
                    yield folder, found


def ignore_file(folder: Path, build_file: Path) -> Path:
    """Return the ignore file that a build reads: one named after the build file comes before the folder's."""
    own = build_file.with_name(f"{build_file.name}{SUFFIX}")
    return own if os.path.isfile(own) else folder / SUFFIX


def repository_findings(project: Path, paths: Iterable[Path], data: Path | None = None) -> Iterator[ProductionFinding]:
    """Yield each of ``paths`` in the project that a repository would contain."""
    for path in paths:
        if path.is_relative_to(project) and not is_ignored(path, project):
            yield ProductionFinding(
                f"{shown(str(path))} is in the project, and no {GITIGNORE} excludes it: a commit would contain the "
                "platform's secrets or its sites' data.",
                f"Put {shown(ignore_line(path, project, data))} at the end of {project / GITIGNORE}, or move "
                "it out of the project.",
            )


def is_ignored(path: Path, project: Path) -> bool:
    """Return whether the .gitignore of the project, or one above it in its repository, excludes ``path``."""
    folders = [project, *project.parents]
    top = next((number for number, folder in enumerate(folders) if os.path.exists(folder / ".git")), 0)
    is_out, is_folder = False, os.path.isdir(path)
    for folder in reversed(folders[: top + 1]):  # the nearest one decides
        parts = path.relative_to(folder).parts
        lines = read_lines(folder / GITIGNORE)
        is_out = leaves_out(lines, parts, at_any_depth=True, is_out=is_out, is_folder=is_folder)
    return is_out


def ignore_line(path: Path, folder: Path, data: Path | None) -> str:
    """Return the line that excludes ``path``, or the whole data folder if ``path`` is in it."""
    if data and data != folder and data.is_relative_to(folder) and path.is_relative_to(data):
        return f"{data.relative_to(folder)}/"
    return f"{path.relative_to(folder)}{'/' if os.path.isdir(path) else ''}"


def read_lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError:
        return []


def has_secret(document: object, key: str = "") -> bool:
    """Return whether a registry's ``document`` has a secret as a value, not by reference to a variable or file."""
    if isinstance(document, Mapping):
        return any(has_secret(value, inner_key(key, str(name))) for name, value in document.items())
    if isinstance(document, list | tuple):
        return any(has_secret(value, key) for value in document)
    if not isinstance(document, str) or key.endswith("_file"):
        return False
    is_stated = key in SECRET_KEYS and not document.startswith("env:")
    return is_stated or "@" in document.partition("://")[2].partition("/")[0]


def inner_key(key: str, name: str) -> str:
    """Return the key that a nested value belongs to: in a keyring, whose names are ids, that of the keyring."""
    return key if key in SECRET_KEYS and not name.endswith("_file") else name


def has_project_secret(document: Mapping[str, object]) -> bool:
    """Return whether a site states a secret of the project's own, which the platform declares, as a value."""
    secrets = {name for name, found in table_in(document, "platform", PROJECT_SETTINGS).items() if is_secret(found)}
    return any(
        name in secrets and isinstance(value, str) and not value.startswith("env:")
        for site in table_in(document, "sites")
        for name, value in table_in(document, "sites", site, PROJECT_SETTINGS).items()
    )


def is_secret(declaration: object) -> bool:
    return isinstance(declaration, Mapping) and declaration.get("secret") is True


def table_in(document: Mapping[str, object], *path: str) -> Mapping[str, object]:
    """Return the table at a path, an empty one if there is none."""
    for key in path:
        found = document.get(key)
        document = found if isinstance(found, Mapping) else {}
    return document
