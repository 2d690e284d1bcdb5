"""Unit files as systemd reads them (systemd.syntax(7)), for what an emitted unit says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

Unit = dict[str, list[tuple[str, str]]]
# Escapes of quoted and unquoted words that emitted files use; others would be misread here, and are refused.
ESCAPE = re.compile(r"\\(.)")


def read_unit(*texts: str) -> Unit:
    """Return the assignments of each section of a unit and its drop-ins; an empty one takes back those before it."""
    unit: Unit = {}
    for text in texts:
        section: list[tuple[str, str]] = []
        # A line that ends in a backslash goes on in the next one.
        for line in text.replace("\\\n", " ").split("\n"):
            line = line.strip()
            if line.startswith("[") and line.endswith("]"):
                section = unit.setdefault(line[1:-1], [])
            elif line and line[0] not in "#;":
                key, equals, value = line.partition("=")
                assert equals, line
                assign(section, key.rstrip(), value.lstrip())
    return unit


def assign(section: list[tuple[str, str]], key: str, value: str) -> None:
    if value:
        section.append((key, value))
    else:
        section[:] = [pair for pair in section if pair[0] != key]


def values(unit: Unit, section: str, key: str) -> list[str]:
    return [value for name, value in unit.get(section, []) if name == key]


def last(unit: Unit, section: str, key: str) -> str:
    """Return the value of a setting that has one."""
    return values(unit, section, key)[-1]


def expanded(text: str, instance: str = "") -> str:
    """Return ``text`` with the specifiers that emitted units use."""

    def specifier(match: re.Match[str]) -> str:
        return {"%%": "%", "%i": instance}[match[0]]

    return re.sub("%.?", specifier, text)


def words(text: str, instance: str = "") -> list[str]:
    """Return the words of a value, without their quotes and escapes, with specifiers expanded."""
    return [expanded(word, instance) for word in split(text)]


def split(text: str) -> Iterator[str]:
    word, quote, position = None, "", 0
    while position < len(text):
        character = text[position]
        position += 1
        if character == "\\":
            escaped = text[position]
            assert escaped in "\\\"'", f"The escape \\{escaped} is not one that is emitted."
            word, position = (word or "") + escaped, position + 1
        elif quote and character == quote:
            quote = ""
        elif not quote and character in "\"'":
            quote, word = character, word or ""
        elif not quote and character == " ":
            if word is not None:
                yield word
            word = None
        else:
            word = (word or "") + character
    assert not quote, text
    if word is not None:
        yield word


def command(text: str, instance: str = "", environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the program and the arguments of ``ExecStart=``, where a dollar sign is doubled or names a variable."""
    program, *arguments = words(text, instance)

    def variable(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else (environ or {})[match[1]]

    return [program, *(re.sub(r"\$\$|\$\{?([A-Z_]+)\}?", variable, word) for word in arguments)]


def environment(unit: Unit, instance: str = "") -> dict[str, str]:
    """Return the variables of a service."""
    assigned = [word for value in values(unit, "Service", "Environment") for word in words(value, instance)]
    return dict(word.split("=", 1) for word in assigned)
