"""Where specs come from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.base import Contents, Registry
from wagtail_multihost.registry.environment import EnvironmentRegistry
from wagtail_multihost.registry.toml import TomlRegistry
from wagtail_multihost.spec.identifiers import shown

__all__ = ["Contents", "Registry", "open_registry"]

REGISTRY_VARIABLE = "MULTIHOST_REGISTRY"
DEFAULT_FILE = "sites.toml"
ACCEPTED = "the path of a TOML file, a file:// URL, or env: (this process's MULTIHOST_SITE_ variables)"


def open_registry(url: str | Path | None, environ: Mapping[str, str]) -> Registry:
    """
    Return the registry at ``url``; with None the one that ``MULTIHOST_REGISTRY`` in ``environ`` names, or
    else the file ``sites.toml`` in the working folder. Nothing is read yet.

    Raises ConfigurationError when the URL is blank or of an unknown kind.
    """
    text = str(environ.get(REGISTRY_VARIABLE, DEFAULT_FILE) if url is None else url)
    if not text.strip():
        raise ConfigurationError.because(f"It is blank; accepted: {ACCEPTED}.", where=REGISTRY_VARIABLE)
    if text in ("env:", "env://"):
        return EnvironmentRegistry(environ)
    try:
        parts = urlsplit(text)
    except ValueError:
        raise ConfigurationError.because(f"It is not a URL; accepted: {ACCEPTED}.", where=REGISTRY_VARIABLE) from None
    if parts.scheme == "file" and not parts.netloc:
        return TomlRegistry(Path(unquote(parts.path)), environ)
    if "://" in text:
        # The URL is not repeated: it may hold a password.
        raise ConfigurationError.because(
            f"URLs with the scheme {shown(parts.scheme)} are not known; accepted: {ACCEPTED}.", where=REGISTRY_VARIABLE
        )
    return TomlRegistry(Path(text), environ)
