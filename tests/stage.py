"""
Copy what the tests read, and not the package, into a folder: so that they import the installed wheel.

Called by tox: python tests/stage.py CHECKOUT FOLDER
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

FOLDERS = ("tests", "example_project", "docs", "benchmarks")
FILES = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "SECURITY.md",
    "pyproject.toml",
    "setup.cfg",
    "tox.ini",
)
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".venv", "_build", "static", "data")


def main(checkout: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for name in FOLDERS:
        if (checkout / name).is_dir():
            ignore = LEFT_OUT if name == "example_project" else shutil.ignore_patterns("__pycache__", "_build")
            shutil.copytree(checkout / name, folder / name, ignore=ignore)
    for name in FILES:
        shutil.copy2(checkout / name, folder / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
