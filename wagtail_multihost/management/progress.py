"""A progress bar, for people who wait at a terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from wagtail_multihost.registry.watch import Watch, watch_nothing

SHOWN_AFTER = 2.0  # seconds


def choose_watch(options: Mapping[str, Any]) -> Watch:
    """Return what shows a bar on stderr for what takes long; nothing at no terminal, or with ``--verbosity 0``."""
    if options["verbosity"] < 1 or not sys.stderr.isatty():
        return watch_nothing
    return partial(show_bar, is_plain=options["no_color"] or bool(os.environ.get("NO_COLOR")))


def show_bar(total: int, what: str, *, is_plain: bool) -> Callable[[Iterable[Any]], Iterable[Any]]:
    """Return a function that shows a bar for ``total`` of ``what``: green, or ``is_plain`` of ASCII characters."""
    from tqdm import tqdm  # loaded only where it is seen

    look: dict[str, Any] = {"ascii": True} if is_plain else {"colour": "green"}
    return lambda items: tqdm(
        items, total=total, unit=f" {what}", leave=False, delay=SHOWN_AFTER, file=sys.stderr, **look
    )
