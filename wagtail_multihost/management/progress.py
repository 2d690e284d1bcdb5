"""A progress bar, for people who wait at a terminal."""

from __future__ import annotations

import sys
from typing import Any

PROGRESS_FROM = 500  # files


def progress_bar(total: int) -> Any:
    """Return a function that shows a progress bar for an iterable of ``total`` files; at no terminal, ``iter``."""
    if total < PROGRESS_FROM or not sys.stderr.isatty():
        return iter
    from tqdm import tqdm  # loaded only where it is seen

    return lambda files: tqdm(files, total=total, unit=" files", leave=False)
