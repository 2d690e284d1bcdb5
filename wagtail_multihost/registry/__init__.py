"""Registries, which specs are read from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.base import Contents, Registry
from wagtail_multihost.spec.identifiers import shown

__all__ = ["Contents", "Registry", "open_registry"]

REGISTRY_VARIABLE = "MULTIHOST_REGISTRY"
SITE_VARIABLE = "MULTIHOST_SITE"
DEFAULT_FILE = "sites.toml"
DATABASE_SCHEMES = ("postgres", "postgresql")
ACCEPTED = (
    "the path of a TOML file, of a folder of snapshots, or of a file of variables (.env), a file:// URL, a postgres:// "
    "URL without a password, or env: (this process's MULTIHOST_SITE_ variables)"
)


def open_registry(url: str | Path | None, environ: Mapping[str, str]) -> Registry:
    """
    Return the registry at ``url``; with None the one that ``MULTIHOST_REGISTRY`` in ``environ`` names, or
    else the file ``sites.toml`` in the working folder. A folder is one of snapshots. Nothing is read yet.

    Raises ConfigurationError when the URL is blank or of an unknown kind.
    """
    text = str(environ.get(REGISTRY_VARIABLE, DEFAULT_FILE) if url is None else url)
    if problem := url_problem(text):
        # Error pages show the variables of every frame, and a URL may hold a password.
        del url, text, environ
        raise ConfigurationError.because(f"{problem}; accepted: {ACCEPTED}.", where=REGISTRY_VARIABLE)
    if text in ("env:", "env://"):
        from wagtail_multihost.registry.environment import EnvironmentRegistry

        return EnvironmentRegistry(environ)
    parts = urlsplit(text)
    if parts.scheme in DATABASE_SCHEMES:
        from wagtail_multihost.registry.postgres import PostgresRegistry

        return PostgresRegistry(text, environ)
    path = unquote(parts.path) if parts.scheme == "file" else text
    try:
        return registry_at(path, environ)
    except FileNotFoundError:  # a relative path, from nowhere
        message = "The working folder no longer exists. Start in another one."
        raise ConfigurationError.because(message, where=path) from None


def url_problem(text: str) -> str:
    """Return why ``text`` names no registry, without repeating it; blank when it does."""
    if not text.strip():
        return "It is blank"
    try:
        parts = urlsplit(text)
    except ValueError:
        return "It is not a URL"
    if parts.scheme in DATABASE_SCHEMES:
        from wagtail_multihost.registry.postgres_url import postgres_url_problem

        return postgres_url_problem(text)
    if "://" not in text or text == "env://" or (parts.scheme == "file" and not parts.netloc):
        return ""
    return f"URLs with the scheme {shown(parts.scheme)} are not supported"


def registry_at(path: str, environ: Mapping[str, str]) -> Registry:
    """Return the registry in a file, or in a folder of snapshots. The modules of the other kinds are not loaded."""
    if path.endswith("/") or os.path.isdir(path):
        from wagtail_multihost.registry.snapshot import SnapshotRegistry

        return SnapshotRegistry(Path(path), environ)
    if path.endswith(".env"):
        from wagtail_multihost.registry.environment_file import EnvironmentFileRegistry

        return EnvironmentFileRegistry(Path(path), environ)
    from wagtail_multihost.registry.toml import TomlRegistry

    return TomlRegistry(Path(path), environ)
