"""Writing derived names into a registry file, so that a later change of the rules moves no data."""

from __future__ import annotations

import os
import secrets
import stat
import tomllib
from pathlib import Path
from typing import Any

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.base import Registry
from wagtail_multihost.registry.toml import TomlRegistry
from wagtail_multihost.spec.site import SiteSpec


def pin(registry: Registry) -> list[str]:
    """
    Write the uid and every derived name of each site that lacks one into the registry's file; comments,
    order and permissions stay. Returns the ids of the sites that were pinned.

    Raises ConfigurationError when the registry has problems or is not a TOML file.
    """
    if not isinstance(registry, TomlRegistry):
        raise ConfigurationError.because("Only a registry in a TOML file can be pinned.", where=registry.name)
    sites = [site for site in registry.load(requires_pins=False).sites if not site.pinned]
    if sites:
        text = registry.path.read_bytes().decode("utf-8-sig")
        try:
            replace(registry.path, pinned(text, sites))
        except OSError as error:
            raise ConfigurationError.because(
                f"The pins cannot be written: {error.strerror}.", where=registry.name
            ) from None
    return [site.id for site in sites]


def pinned(text: str, sites: list[SiteSpec]) -> str:
    """Return the TOML ``text`` with the pins of ``sites``."""
    import tomlkit  # loads only for this command

    document: Any = tomlkit.parse(text)
    expected = tomllib.loads(text)
    for site in sites:
        names = {name: getattr(site.names, name) for name in site.names.__slots__}
        written, plain = document["sites"][site.id], expected["sites"][site.id]
        inline = isinstance(written, tomlkit.items.InlineTable)
        for table, empty in ((written, tomlkit.inline_table() if inline else tomlkit.table()), (plain, {})):
            table["uid"] = str(site.uid)
            table.setdefault("names", empty)
            for name, value in names.items():
                table["names"][name] = value
    result = tomlkit.dumps(document)
    if tomllib.loads(result) != expected:
        raise ConfigurationError.because("The pins cannot be written without changing other keys; write them by hand.")
    return result


def replace(path: Path, text: str) -> None:
    """Write the file by a rename, with the permissions and the owner it had; a symbolic link to it stays."""
    path = path.resolve()
    status = path.stat()
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            if (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
            file.flush()
            os.fsync(descriptor)
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
