"""Text from somebody else, for a terminal or a log: nothing in it controls the one or forges lines of the other."""

from __future__ import annotations

import unicodedata


def escape_unprintable(text: str, *, kept: str = "\n\t") -> str:
    """
    Return ``text`` with everything escaped that does not show as itself: control characters of both sets, marks that
    change the direction of writing, characters without a width. Those of ``kept`` stay.
    """
    return "".join(letter if is_harmless(letter) or letter in kept else escape_letter(letter) for letter in text)


def one_line(value: object) -> str:
    """Return ``value`` as text on one line, escaped like :func:`escape_unprintable`."""
    return escape_unprintable(str(value).strip("\r\n").replace("\n", " "), kept="")


def is_harmless(letter: str) -> bool:
    return letter.isprintable() or unicodedata.category(letter) == "Zs"  # blanks of other widths, as French has them


def escape_letter(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
