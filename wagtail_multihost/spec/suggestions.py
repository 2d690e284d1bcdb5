"""What somebody may have meant who wrote a word that is not accepted."""

from __future__ import annotations

from collections.abc import Iterable

LEAST_ALIKE = 0.75
MOST_WRONG = 3  # characters: with more of them it is another word, and not the same one misspelt


def closest(word: str, accepted: Iterable[str]) -> str:
    """Return the accepted word of which ``word`` is a misspelling, in any case; blank where there is none."""
    from difflib import SequenceMatcher, get_close_matches  # loads only for a message

    folded = {fold(name): name for name in accepted}
    for found in get_close_matches(fold(word), folded, 1, LEAST_ALIKE):
        alike = sum(block.size for block in SequenceMatcher(None, fold(word), found).get_matching_blocks())
        if max(len(word), len(found)) - alike <= MOST_WRONG:
            return folded[found]
    return ""


def suggest(word: str, accepted: Iterable[str]) -> str:
    """Return the question whether that word was meant, after a blank; nothing where there is none."""
    close = closest(word, accepted)
    return f" Did you mean {close}?" if close else ""


def fold(word: str) -> str:
    return word.casefold().replace("-", "_")
