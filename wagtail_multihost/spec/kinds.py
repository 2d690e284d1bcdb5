"""Kinds of values that several keys accept; those of servers' options are in ``options``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from wagtail_multihost.spec.identifiers import parse_hostname, shown
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.type_words import STRING, TRUE_OR_FALSE
from wagtail_multihost.spec.validation import parse_path, parse_port, parse_printable, parse_server_host


class Kind(NamedTuple):
    """
    What a key accepts: the ``label`` of the reference, the ``type`` that readers make of what is written, and
    ``check``, which returns an accepted value and raises ValueError, with a sentence, for any other. With ``each`` it
    is given one item of a list at a time. ``reader`` names the method that reads it, if it is not that of the type, and
    ``schema`` has what JSON Schema says about it beyond the type, as pairs.
    """

    label: str
    type: type
    check: Callable[[Any], object]
    reader: str = ""
    each: bool = False
    schema: tuple[tuple[str, object], ...] = ()


def accept_any(value: object) -> object:
    return value


def choice(*words: str, what: str = "value") -> Kind:
    """Return the kind of one of the ``words``; ``what`` names it in the sentence that refuses others."""

    def check(value: str) -> str:
        if value not in words:
            raise ValueError(f"The {what} {shown(value)} is not known; accepted: {', '.join(words)}.")
        return value

    quoted = [f'`"{word}"`' for word in words]
    return Kind(f"{', '.join(quoted[:-1])} or {quoted[-1]}", str, check, schema=(("enum", words),))


def integer(least: int, most: int | None = None, *, what: str = "number", unit: str = "", reader: str = "") -> Kind:
    """Return the kind of integers from ``least`` to ``most``, of a ``unit`` that the sentence of refusal names."""
    wanted = f"{least} or more" if most is None else f"{least} to {most}"

    def check(value: int) -> int:
        if value < least or (most is not None and value > most):
            raise ValueError(f"The {what} {value} is not accepted: it must be {wanted}{unit and f' {unit}'}.")
        return value

    limits = (("minimum", least),) if most is None else (("minimum", least), ("maximum", most))
    return Kind(wanted, int, check, reader, schema=limits)


SWITCH = Kind(TRUE_OR_FALSE, bool, accept_any)
SECRET = Kind("secret", Secret, accept_any)
SECRETS = Kind("list of secrets", Secret, accept_any, "take_secrets")
KEY_ID = Kind("key id", str, accept_any)
#: Tables whose keys are declared on their own: options, those of each target in a table of its name, Django's
#: settings, and what the platform declares and sites state.
OPTIONS = Kind("table", dict, accept_any)
TARGETS = Kind("table", dict, accept_any)
SETTINGS = Kind("table", dict, accept_any)
DECLARATIONS = Kind("table of declarations", dict, accept_any)
PROJECT_VALUES = Kind(
    "table of values",
    dict,
    accept_any,
    schema=(("additionalProperties", {"type": ["string", "integer", "number", "boolean", "array"]}),),
)
VARIABLES = Kind(
    "table of strings", dict, accept_any, schema=(("additionalProperties", {"type": "string", "minLength": 1}),)
)
TABLES = (OPTIONS, TARGETS, SETTINGS, DECLARATIONS, PROJECT_VALUES, VARIABLES)
#: A path that may be in a site's own folder: ``{site}`` in it stands for the id.
SITE_PATH = Kind("path", Path, parse_path, "take_site_path")
PORT = Kind("1 to 65535", int, parse_port, schema=(("minimum", 1), ("maximum", 65535)))
SERVER_HOST = Kind("host, IP address or absolute path of a unix socket", str, parse_server_host)
USERNAME = Kind(STRING, str, lambda value: parse_printable(value, what="The username"))
HOSTNAME = Kind("hostname", str, parse_hostname)
HOSTNAMES = Kind("list of hostnames", tuple, parse_hostname, "take_hosts", each=True)
