"""Hypothesis strategies: values that specs accept, as hostile as they get."""

from __future__ import annotations

from pathlib import PurePosixPath

from hypothesis import strategies as st

from wagtail_multihost.spec.identifiers import parse_hostname

#: Characters with a meaning to some parser, and some that need more than a byte.
PUNCTUATION = " \"'\\#;{}[]()*?~!^|<>&=,.:@+-_`/"
LETTERS = "abz09Zé√𝄞"
KEYWORDS = ("default", "hostnames", "include", "volatile")

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True).filter(lambda label: "--" not in label)


def is_hostname(name: str) -> bool:
    try:
        return parse_hostname(name) == name
    except ValueError:
        return False


hostnames = (
    st.lists(labels, min_size=2, max_size=5).map(".".join).filter(is_hostname).filter(lambda name: len(name) <= 253)
)
site_ids = st.one_of(
    st.sampled_from(KEYWORDS), st.from_regex(r"[a-z][a-z0-9]{0,12}(-[a-z0-9]{1,8}){0,2}", fullmatch=True)
)


def segments(without: str = "") -> st.SearchStrategy[str]:
    """Return names of folders made of letters and punctuation, less the characters in ``without``."""
    alphabet = [character for character in PUNCTUATION + LETTERS if character not in f"/{without}"]
    names = st.text(alphabet, min_size=1, max_size=12)
    return names.filter(lambda name: name not in (".", ".."))


def paths(without: str = "") -> st.SearchStrategy[PurePosixPath]:
    """Return absolute paths made of ``segments``."""
    return st.lists(segments(without), min_size=1, max_size=3).map(lambda parts: PurePosixPath("/", *parts))
