"""Registries of any size."""

from __future__ import annotations

from pathlib import Path

PLATFORM = """\
[platform]
name = "aviary"
data = "{folder}/data"
secret_key = "not-a-secret-not-a-secret-not-a-secret"
"""
SITE = """
[sites.{site}]
hostnames = ["{site}.example.org", "www.{site}.example.org"]
"""


def write_registry(path: Path, sites: int) -> Path:
    """Write a registry of ``sites`` sites with two hostnames each, and return its path."""
    tables = [SITE.format(site=f"site-{number:05}") for number in range(1, sites + 1)]
    path.write_text("".join([PLATFORM.format(folder=path.parent), *tables]))
    return path
