"""A disk of a few hundred kilobytes, in memory, for who fills it: nothing but the test's own processes sees it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PAGE = 4096
#: The size of the disk.
PAGES = 256
# The mount goes with the last process of its namespace.
MOUNT = 'mount -t tmpfs -o size="$1" small "$2" && shift 2 && exec "$@"'
PACKAGE = Path(__file__).parents[2]


def run_on_small_disk(folder: Path, code: str) -> str:
    """Run ``code`` as a Python program in which ``folder``, its first argument, is such a disk; return its output."""
    words = ["unshare", "--mount", "sh", "-c", MOUNT, "sh", str(PAGES * PAGE), str(folder)]
    done = subprocess.run(
        [*words, sys.executable, "-c", code, str(folder)],
        env={"PATH": os.defpath, "PYTHONPATH": str(PACKAGE), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def fill(folder: Path, pages: int) -> Path:
    """Fill the disk that ``folder`` is on but for some ``pages``; return the file that does."""
    path = folder / "filling"
    with open(path, "wb", buffering=0) as file:
        found = os.statvfs(folder)
        for _ in range(max(0, found.f_bavail * found.f_frsize // PAGE - pages)):
            file.write(bytes(PAGE))
    return path
