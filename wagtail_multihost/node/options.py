"""What the agent is told by its node: the table ``[agent]`` of the node file, which only root may change."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.registry.node_file import AGENT, NodeFile
from wagtail_multihost.registry.postgres_url import postgres_url_problem
from wagtail_multihost.spec.identifiers import parse_slug, shown
from wagtail_multihost.spec.platform import NODE_LENGTH
from wagtail_multihost.spec.suggestions import suggest

#: Seconds.
LONGEST = 86_400
TARGET = re.compile(r"[a-z][a-z0-9_]*")
Parse = Callable[[object], Any]


def parse_registry(value: object) -> str:
    if not isinstance(value, str) or postgres_url_problem(value):
        raise ValueError("It must be postgres:///?service=NAME, or such an address without a password.")
    return value


def parse_node(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("It must be the id of this node.")
    return parse_slug(value, what="The node", length=NODE_LENGTH)


def parse_path(value: object) -> Path:
    if not isinstance(value, str) or not value.startswith("/"):
        raise ValueError("It must be an absolute path.")
    return Path(value)


def parse_command(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(word, str) and word for word in value):
        raise ValueError("It must be a list of a program and its arguments: no shell reads it.")
    return tuple(value)


def parse_targets(value: object) -> tuple[str, ...]:
    words = parse_command(value)
    if not all(TARGET.fullmatch(word) for word in words):
        raise ValueError('It must be a list of targets, such as ["nginx", "uwsgi"].')
    return words


def parse_seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < LONGEST:
        raise ValueError(f"It must be a number of seconds, more than 0 and less than {LONGEST}.")
    return float(value)


def parse_text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("It must be a text.")
    return value


def option(parse: Parse, default: object = MISSING) -> Any:
    return field(default=default, metadata={"parse": parse})


@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """
    What the agent of a ``node`` does: the ``registry`` that it follows, the ``targets`` that it applies below
    ``output`` for the ``release`` of the project, and the hook that ``reload``\\ s the servers. It asks at least each
    ``poll`` seconds whether anything has changed, and each ``integrity`` seconds whether the disk is as it was left.
    """

    registry: str = option(parse_registry)
    node: str = option(parse_node)
    targets: tuple[str, ...] = option(parse_targets)
    output: Path = option(parse_path)
    release: Path = option(parse_path)
    state: Path | None = option(parse_path, None)
    reload: tuple[str, ...] = option(parse_command, ())
    reload_timeout: float = option(parse_seconds, 60.0)
    verify: str = option(parse_text, "")
    verify_timeout: float = option(parse_seconds, 10.0)
    poll: float = option(parse_seconds, 30.0)
    integrity: float = option(parse_seconds, 300.0)


def read_agent_options(node: NodeFile) -> AgentOptions:
    """Return what the node file says; raises ConfigurationError with all problems of the table."""
    if node.path is None:
        raise ConfigurationError.because(f"There is no node file, which must have a table [{AGENT}].", where=node.label)
    problems: list[Problem] = []
    values = dict(parse_values(node.agent, node.label, problems))
    if problems:
        raise ConfigurationError(problems)
    return AgentOptions(**values)


def parse_values(table: Mapping[str, object], label: str, problems: list[Problem]) -> Any:
    """Yield the values of the table by name; problems are reported."""
    known = {one.name: one for one in fields(AgentOptions)}
    for name in table:
        if name not in known:
            hint = suggest(name, known)
            problems.append(Problem(f"{label}: {AGENT}.{name}", f"The key {shown(name)} is not known.{hint}"))
    for name, one in known.items():
        where = f"{label}: {AGENT}.{name}"
        if name not in table:
            if one.default is MISSING:
                problems.append(Problem(where, "It is missing."))
            continue
        try:
            yield name, one.metadata["parse"](table[name])
        except ValueError as error:
            problems.append(Problem(where, str(error)))
