"""What the help of every command ends with: its exit codes and its examples, in one layout."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import fill

WIDTH = 78  # columns; argparse leaves two of 80 free


def format_epilog(codes: Mapping[str, str], examples: Iterable[str] = (), note: str = "") -> str:
    """Return the end of a help text: ``codes`` with what each means, command lines as written, and a ``note``."""
    width = max(map(len, codes))
    lines = [
        fill(meaning, WIDTH, initial_indent=f"  {code:<{width}}  ", subsequent_indent=" " * (width + 4))
        for code, meaning in codes.items()
    ]
    shown = [f"  {example}" for example in examples]
    parts = ["\n".join(["Exit codes:", *lines]), "\n".join(["Examples:", *shown]) if shown else ""]
    return "\n\n".join([*filter(None, parts), *([fill(note, WIDTH)] if note else [])])
