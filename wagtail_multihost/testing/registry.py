"""The registry with two sites that the kit writes if an adopter gives none."""

from __future__ import annotations

import secrets
from pathlib import Path

TEXT = """\
[platform]
name = "isolation"
data = "{data}"
origin = "https://{{hostname}}"
secret_key = "{key}"
"""
SITE = """
[sites.{site}]
hostnames = ["{site}.isolation.test"]
"""
#: The ids of the two sites.
SITES = ("left", "right")


def write_registry(folder: Path, sites: tuple[str, str] = SITES) -> Path:
    """Write a registry of ``sites`` that keep everything in the process or below ``folder``; return its path."""
    path = folder / "sites.toml"
    text = TEXT.format(data=folder / "data", key=secrets.token_urlsafe(48))
    path.write_text(text + "".join(SITE.format(site=site) for site in sites), encoding="utf-8")
    return path
