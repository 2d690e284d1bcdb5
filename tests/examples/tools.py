"""The programs that read the examples, and the examples' folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(os.environ.get("MULTIHOST_CHECKOUT", Path(__file__).parents[2]))
EXAMPLES = ROOT / "docs" / "examples"


def run_tool(name: str, *words: str | Path, text: str = "") -> str:
    """Run a program of this environment, or one of Debian's, and return what it prints; it must be content."""
    own = Path(sys.executable).parent / name
    command = [str(own if own.exists() else name), *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, input=text, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def read_yaml(name: str) -> Any:
    """Return the one document of an example."""
    return yaml.safe_load((EXAMPLES / name).read_text(encoding="utf-8"))


def read_objects(name: str) -> dict[str, Any]:
    """Return the objects of an example for Kubernetes by their kind."""
    documents = yaml.safe_load_all((EXAMPLES / name).read_text(encoding="utf-8"))
    return {document["kind"]: document for document in documents}
