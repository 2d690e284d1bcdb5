"""The commands of the control app are documented with all that they accept, and pages state no other words."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import find_commands, load_command_class
from django.core.management.base import DjangoHelpFormatter

from wagtail_multihost.control import management

ROOT = Path(__file__).parents[2]
NAMES = sorted(name for name in find_commands(management.__path__[0]) if name.startswith("multihost_"))
REFERENCE = ROOT / "docs" / "reference" / "control.md"
CALL = re.compile(r"manage\.py (multihost_\w+[^|;&)>`\n]*)")


def parser_of(name: str) -> Any:
    parser = load_command_class("wagtail_multihost.control", name).create_parser("manage.py", name)
    parser.called_from_command_line = False
    return parser


def section(name: str) -> str:
    found = re.search(
        rf"^### `{name}`\n(.*?)(?=^##|\Z)", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    assert found, name
    return found[1]


def calls() -> Iterator[tuple[str, list[str]]]:
    for path in sorted((ROOT / "docs").rglob("*.md")):
        for call in CALL.findall(path.read_text(encoding="utf-8").replace("\\\n", " ")):
            words = shlex.split(call)
            if words[0] in NAMES:
                yield path.name, words


@pytest.mark.parametrize("name", NAMES)
def test_command_is_documented_as_it_is(name: str) -> None:
    """Its help, each argument with its meaning, and its exit codes."""
    parser, text = parser_of(name), section(name)
    assert load_command_class("wagtail_multihost.control", name).help in text
    assert parser.epilog.strip() in text
    own = [action for action in parser._actions if not set(action.option_strings) & DjangoHelpFormatter.show_last]
    for action in own:
        if "--help" not in action.option_strings:
            words = " ".join([*action.option_strings[-1:], action.metavar or ""]).strip()
            assert f"| `{words}` | {action.help[:1].upper()}{action.help[1:]}. |" in text


def test_command_lines_of_pages_are_accepted() -> None:
    found = list(calls())
    assert {words[0] for _, words in found} == set(NAMES)
    for page, (name, *words) in found:
        assert parser_of(name).parse_args([word for word in words if word != "…"]), page
