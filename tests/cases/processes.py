"""Processes of sites, with what their variables say and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PLATFORM = """
[platform]
name = "rig"
secret_key = "a-platform-key-0123456789-0123456789-0123456789"
"""
START = "import django; django.setup()\n"


def asked(
    registry: Path, script: str, environ: Mapping[str, str] | None = None, *, path: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Return what a process of the site aurora has printed that ran ``script``; ``path`` has packages of its own."""
    variables = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "tests.cases.project",
        "MULTIHOST_REGISTRY": str(registry),
        "MULTIHOST_SITE": "aurora",
        "PYTHONPATH": ":".join(map(str, filter(None, (path, ROOT)))),
        **(environ or {}),
    }
    return subprocess.run(
        [sys.executable, "-c", f"{START}{script}"],
        env=variables,
        cwd=registry.parent,
        capture_output=True,
        text=True,
        timeout=120,
    )


def registry_of(folder: Path, site: str) -> Path:
    """Write a registry whose site aurora has the lines ``site``; return its path."""
    path = folder / "sites.toml"
    path.write_text(f'{PLATFORM}data = "{folder}/data"\n[sites.aurora]\nhostnames = ["aurora.example.org"]\n{site}')
    path.chmod(0o600)
    return path
