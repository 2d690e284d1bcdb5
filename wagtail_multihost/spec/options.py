"""
Options of servers, each declared once: its default, what it accepts and what it means. What reads them from
registries, what checks them and the reference are all made from these declarations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import Field, dataclass, replace
from functools import lru_cache
from ipaddress import ip_network
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, TypeVar

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.declared import declarations, key, value_problems
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.kinds import Kind
from wagtail_multihost.spec.validation import parse_path, raise_problems

OptionValue: TypeAlias = "str | int | bool | Path | tuple[str, ...] | None"
#: A site's own options, over the platform's: names and values.
Overrides: TypeAlias = tuple[tuple[str, OptionValue], ...]
Stated = TypeVar("Stated", bound="Options")

SIZE_FORM = re.compile(r"[0-9]{1,6}[kmg]?")
NAME_FORM = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
VERSION_FORM = re.compile(r"[0-9]{1,3}\.[0-9]{1,3}(?:\.[0-9]{1,3})?")


def option(default: OptionValue, kind: Kind, meaning: str, *, per_site: bool = False, **options: Any) -> Any:
    """
    Declare an option; with ``per_site`` a site may state its own. Further ``options`` are those of ``Declared``.
    Paths and accounts are the node's: root opens paths and switches to accounts.
    """
    options.setdefault("who", "node" if kind.type is Path or kind is USER else "platform")
    return key(kind, meaning, default, per_site=per_site, snapshot="left out", **options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """
    The options of one ``target``, in the table of its name. Raises ConfigurationError for values that are not accepted.
    """

    target: ClassVar[str] = ""
    #: Whether the front server of several machines needs all of them.
    front: ClassVar[bool] = False

    def __post_init__(self) -> None:
        raise_problems(self.problems())

    def problems(self) -> Iterator[Problem]:
        for one, declared in declarations(type(self)):
            yield from value_problems(one.name, declared.kind, getattr(self, one.name))

    @property
    def account(self) -> str:
        """The account that the target gives all sites where the platform's ``user`` states none; blank for none."""
        return ""

    def with_overrides(self: Stated, overrides: Overrides) -> Stated:
        """Return these options with a site's own on top."""
        return overlay_options(self, overrides) if overrides else self


@lru_cache(maxsize=256)
def overlay_options(options: Stated, overrides: Overrides) -> Stated:
    return replace(options, **dict(overrides))


def site_fields(kind: type[Options]) -> tuple[Field[Any], ...]:
    """Return the declarations of what a site may state."""
    return tuple(one for one, declared in declarations(kind) if declared.per_site)


def front_fields(kind: type[Options]) -> tuple[Field[Any], ...]:
    """Return the declarations of what the front server of several machines needs."""
    return tuple(one for one, declared in declarations(kind) if kind.front or declared.front)


def text(label: str, form: re.Pattern[str], *, wanted: str, optional: bool = False) -> Kind:
    """Return the kind of text of a ``form``, which ``wanted`` describes; if ``optional`` it may be blank."""

    def check(value: str) -> str:
        if (value or not optional) and not form.fullmatch(value):
            raise refusal_error(value, wanted)
        return value

    return Kind(label, str, check)


def texts(label: str, form: re.Pattern[str], *, wanted: str, optional: bool = True) -> Kind:
    """Return the kind of lists of texts of a ``form``, which ``wanted`` describes."""

    def check(values: tuple[str, ...]) -> tuple[str, ...]:
        if not values and not optional:
            raise ValueError("At least one is needed.")
        for value in values:
            if not form.fullmatch(value):
                raise refusal_error(value, wanted)
        return values

    return Kind(label, tuple, check)


def refusal_error(value: str, wanted: str) -> ValueError:
    return ValueError(f"The value {shown(value)} is not accepted: it must {wanted}.")


def check_networks(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        try:
            ip_network(value)
            if "%" in value or not (value + "/0" * ("/" not in value)).partition("/")[2].isdigit():
                raise ValueError  # nginx takes neither zones nor masks
        except ValueError:
            raise ValueError(
                f"The value {shown(value)} is not accepted: it must be an IP address or a network such as 10.0.0.0/8."
            ) from None
    return values


PATH = Kind("path", Path, parse_path)
OPTIONAL_PATH = Kind("path", Path, lambda value: value if value is None else parse_path(value))
SIZE_WANTED = "be bytes, or a number with k, m or g after it, such as 512m, of at most six digits"
SIZE = text("size", SIZE_FORM, wanted=SIZE_WANTED)
OPTIONAL_SIZE = text("size", SIZE_FORM, wanted=SIZE_WANTED, optional=True)
USER = text("user name", NAME_FORM, wanted="be a user's name: a-z, digits, - and _, at most 32")
VERSION = text("version", VERSION_FORM, wanted="be a version such as 1.22 or 1.22.1")
NETWORKS = Kind("list of IP addresses and networks", tuple, check_networks)
