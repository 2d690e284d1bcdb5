"""Text that somebody else wrote, for a terminal or a log: nothing in it steers the one or forges lines of the other."""

from __future__ import annotations

import unicodedata


def escape_unprintable(text: str, *, kept: str = "\n\t") -> str:
    """
    Return ``text`` with everything that is not seen as itself shown escaped: control characters of both sets, marks
    that turn the direction of writing, letters without a width. Those of ``kept`` stay.
    """
    return "".join(letter if is_harmless(letter) or letter in kept else escape_letter(letter) for letter in text)


def one_line(value: object) -> str:
    """Return ``value`` as :func:`printable` text on one line."""
    return escape_unprintable(str(value).strip("\r\n").replace("\n", " "), kept="")


def is_harmless(letter: str) -> bool:
    return letter.isprintable() or unicodedata.category(letter) == "Zs"  # blanks of other widths, as French has them


def escape_letter(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
