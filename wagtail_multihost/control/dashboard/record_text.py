"""Values of records as text that people edit, and back. What is not edited has the same value afterwards."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from wagtail_multihost.control.texts import REFUSED, unkept_texts
from wagtail_multihost.registry.keys import Key

#: How a value is edited: on one line, a line for each item, ``NAME = value`` lines, ``NAME.key = value`` lines, or
#: chosen from what is accepted.
Shape: TypeAlias = Literal["line", "lines", "pairs", "declarations", "choice"]
YES, NO = "true", "false"
NUMBER = re.compile(r"-?[0-9]{1,20}")
NO_PAIR = "Line {number} is not accepted: write NAME = value."
NO_DECLARATION = "Line {number} is not accepted: write NAME.key = value, for example COLOUR.default = red."
TWICE = "Line {number} is not accepted: {name} has a value already."
DECLARED_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\.[a-z_]+")


def shape_of(key: Key) -> Shape:
    """Return how the values of a key are edited."""
    if key.type.endswith("of declarations"):
        return "declarations"
    if key.shape is dict:
        return "pairs"
    if key.shape is tuple or key.reader == "take_secrets":
        return "lines"
    return "choice" if choices_of(key) else "line"


def choices_of(key: Key) -> tuple[str, ...]:
    """Return what a key accepts, as text; nothing where that cannot be listed."""
    return (YES, NO) if key.shape is bool else tuple(dict(key.schema).get("enum", ()))  # type: ignore[arg-type]


def text_of(key: Key, value: object) -> str:
    """Return a value as text; None, for what is not stated, is blank."""
    if value is None:
        return ""
    shape = shape_of(key)
    if shape == "lines" and isinstance(value, list):
        return "\n".join(quote(str(item)) for item in value)
    if shape == "pairs" and isinstance(value, Mapping):
        return "\n".join(f"{quote(name, also='=')} = {quote(str(item))}" for name, item in value.items())
    if shape == "declarations" and isinstance(value, Mapping):
        return "\n".join(declaration_lines(value))
    if isinstance(value, bool):
        return YES if value else NO
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def declaration_lines(table: Mapping[str, object]) -> Iterator[str]:
    for name, declared in table.items():
        for key, value in declared.items() if isinstance(declared, Mapping) else ():
            yield f"{name}.{key} = {json.dumps(value, ensure_ascii=False)}"


def value_of(key: Key, text: str) -> object:
    """
    Return the value that a text states, None if it is blank. What is of another type than the key's, such as a word
    where a number is accepted, stays text: the readers of records say what is wrong with it. Raises ValueError for a
    text that states nothing.
    """
    text = same_lines(text)
    if not text:
        return None
    value = parse_text(key, text)
    if next(unkept_texts(value), None) is not None:
        raise ValueError(REFUSED)
    return value


def same_lines(text: str) -> str:
    """Return a text as it is compared: browsers end lines in their own way."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()


def parse_text(key: Key, text: str) -> object:
    shape = shape_of(key)
    if shape == "lines":
        return [unquote(line) for line in text.split("\n") if line.strip()]
    if shape == "pairs":
        return parse_pairs(text)
    if shape == "declarations":
        return parse_declarations(text)
    if key.shape is bool:
        return {YES: True, NO: False}.get(text, text)
    return int(text) if key.shape is int and NUMBER.fullmatch(text) else text


def parse_pairs(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for number, line in numbered_lines(text):
        name, rest = split_pair(line)
        if not name:
            raise ValueError(NO_PAIR.format(number=number))
        if name in pairs:
            raise ValueError(TWICE.format(number=number, name=name))
        pairs[name] = unquote(rest)
    return pairs


def parse_declarations(text: str) -> dict[str, dict[str, object]]:
    tables: dict[str, dict[str, object]] = {}
    for number, line in numbered_lines(text):
        left, rest = split_pair(line)
        if not DECLARED_NAME.fullmatch(left):
            raise ValueError(NO_DECLARATION.format(number=number))
        name, _, key = left.partition(".")
        if key in tables.setdefault(name, {}):
            raise ValueError(TWICE.format(number=number, name=left))
        tables[name][key] = literal(rest)
    return tables


def numbered_lines(text: str) -> Iterator[tuple[int, str]]:
    return ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1) if line.strip())


def split_pair(line: str) -> tuple[str, str]:
    """Return the name and the text after the first ``=`` that is not in a quoted name; blank if there is none."""
    end = quoted_end(line)
    head, equals, rest = line[end:].partition("=")
    if not equals or (end and head.strip()):
        return "", ""
    return (unquote(line[:end]) if end else head.strip()), rest.strip()


def quoted_end(line: str) -> int:
    """Return where a quoted text at the start of a line ends; 0 if there is none."""
    if not line.startswith('"'):
        return 0
    try:
        return json.JSONDecoder().raw_decode(line)[1]
    except ValueError:
        return 0


def quote(text: str, *, also: str = "") -> str:
    """Return a text as it can stand on a line; one that would not come back from there is quoted."""
    is_plain = text == text.strip() and text.isprintable() and not text.startswith('"') and text
    return text if is_plain and not any(mark in text for mark in also) else json.dumps(text)


def unquote(text: str) -> str:
    """Return what a part of a line says."""
    text = text.strip()
    return str(json.loads(text)) if quoted_end(text) == len(text) and text else text


def literal(text: str) -> object:
    """Return a number, true, false, a list or a quoted text; any other text is itself."""
    try:
        return json.loads(text, parse_constant=str, parse_float=finite_number)
    except (ValueError, RecursionError):
        return text


def finite_number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text
