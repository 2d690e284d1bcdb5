"""A bar for who waits at a terminal."""

from __future__ import annotations

import sys
from typing import Any

PROGRESS_FROM = 500  # files


def progress_bar(total: int) -> Any:
    """Return what wraps an iterable of ``total`` files with a progress bar, where there is someone to see it."""
    if total < PROGRESS_FROM or not sys.stderr.isatty():
        return iter
    from tqdm import tqdm  # loads only for who looks

    return lambda files: tqdm(files, total=total, unit=" files", leave=False)
