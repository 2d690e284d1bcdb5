"""
What pages repeat of the code and of the examples, between markers, so that it can be read on a code host too.

``<!-- generated: NAME -->`` begins the Markdown of the function NAME in generated.py, ``<!-- example: FILE -->`` a
file, ``<!-- example: FILE from WORD -->`` the file from the first line with that word on, and
``<!-- difference: OLD NEW -->`` what changed between two files. ``<!-- end -->`` ends each. A marker without an end
gets its text and its end from ``pytest tests/test_docs_committed.py --regenerate``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import unified_diff
from itertools import dropwhile
from pathlib import Path
from textwrap import indent

from docs.generated import PARTS

MARKED = re.compile(
    r"^(?P<indent> *)<!-- (?P<kind>generated|example|difference): (?P<what>[^\n]+?) -->$"
    r"(?:\n(?:(?! *<!-- (?:generated|example|difference): ).*\n)*? *<!-- end -->$)?",
    re.MULTILINE,
)
#: Pygments' words for files whose names do not say what they are in.
LANGUAGES = {
    ".json": "json",
    ".py": "python",
    ".service": "ini",
    ".sh": "sh",
    ".socket": "ini",
    ".toml": "toml",
    ".yaml": "yaml",
    "Dockerfile": "docker",
}


def names_of(kind: str, text: str) -> Iterator[str]:
    """Yield what the markers of one kind in a page's text name."""
    for found in MARKED.finditer(text):
        if found["kind"] == kind:
            yield found["what"]


def filled_in(text: str, folder: Path) -> str:
    """Return the text of a page in ``folder`` with everything between markers made anew."""
    return MARKED.sub(lambda found: marked(found, folder), text)


def marked(found: re.Match[str], folder: Path) -> str:
    body = indent(RENDERED[found["kind"]](found["what"], folder), found["indent"])
    start = f"{found['indent']}<!-- {found['kind']}: {found['what']} -->"
    return f"{start}\n\n{body}\n\n{found['indent']}<!-- end -->"


def part(name: str, folder: Path) -> str:
    return PARTS[name]()


def example(what: str, folder: Path) -> str:
    name, _, word = what.partition(" from ")
    path = folder / name
    lines = path.read_text(encoding="utf-8").splitlines()
    shown = list(dropwhile(lambda line: word not in line, lines))
    if not shown:
        raise ValueError(f"No line of {name} has {word!r}.")
    return fenced(LANGUAGES.get(path.suffix or path.name, "text"), shown)


def difference(what: str, folder: Path) -> str:
    old, new = what.split()
    texts = ((folder / name).read_text(encoding="utf-8").splitlines() for name in (old, new))
    names = (Path(name).name for name in (old, new))
    return fenced("diff", unified_diff(*texts, *names, lineterm=""))


def fenced(language: str, lines: Iterator[str] | list[str]) -> str:
    return "\n".join([f"```{language}", *lines, "```"])


RENDERED = {"generated": part, "example": example, "difference": difference}
