"""
What .dockerignore and .gitignore exclude.

Their grammars differ and are larger than what is read here
(https://docs.docker.com/build/concepts/context/#dockerignore-files, https://git-scm.com/docs/gitignore). A line counts
as an exclusion only where it certainly is one, and as an exception from one wherever it might be.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

#: The grammars agree on ``*`` and ``?``; a pattern with one of these may mean something else in each.
UNSURE = frozenset("[]\\{}")


def leaves_out(
    lines: Iterable[str], path: Sequence[str], *, at_any_depth: bool, is_out: bool = False, is_folder: bool = False
) -> bool:
    """
    Return whether ``lines`` exclude ``path``, given as its parts below the ignore file's folder; the last line that
    applies decides, and ``is_out`` if none does. ``at_any_depth`` is git's rule for a line without a slash inside;
    Docker's lines all start at the top. ``is_folder`` says that the path is a folder.
    """
    for line in (line.strip() for line in lines):
        if not line or line.startswith("#"):
            continue
        is_negative = line.startswith("!")
        pattern = line.removeprefix("!").strip()
        is_anywhere = at_any_depth and "/" not in pattern.rstrip("/")
        if is_negative:
            is_out = is_out and not may_match(pattern, path, is_anywhere=is_anywhere)
        else:
            # To git a slash at the end means folders alone.
            folders = path if is_folder or not pattern.endswith("/") else path[:-1]
            is_out = is_out or surely_matches(pattern, folders, is_anywhere=is_anywhere)
    return is_out


def pattern_parts(pattern: str) -> list[str]:
    return [part for part in pattern.split("/") if part and part != "."]


def surely_matches(pattern: str, path: Sequence[str], *, is_anywhere: bool) -> bool:
    """Return whether a pattern certainly matches ``path``, a folder above it, or everything in one of them."""
    parts = pattern_parts(pattern)
    if not parts or UNSURE.intersection(pattern) or ".." in parts:
        return False
    if parts[0] == "**":
        is_anywhere, parts = True, parts[1:]
    if parts and parts[-1] == "**":
        parts = [*parts[:-1], "*"]
    if "**" in parts:
        return False
    starts = range(len(path)) if is_anywhere else (0,)
    return (bool(path) and not parts) or any(begins_with(path[start:], parts) for start in starts)


def begins_with(path: Sequence[str], parts: Sequence[str]) -> bool:
    return len(parts) <= len(path) and all(map(fnmatchcase, path, parts))


def may_match(pattern: str, path: Sequence[str], *, is_anywhere: bool) -> bool:
    """Return whether a pattern might match ``path``, a folder above it or something in it."""
    parts = pattern_parts(pattern)
    if not parts or UNSURE.intersection(pattern) or "**" in pattern or ".." in parts:
        return True
    starts = range(len(path)) if is_anywhere else (0,)
    return any(all(map(fnmatchcase, path[start:], parts)) for start in starts)
