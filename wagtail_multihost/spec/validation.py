"""Rules for single values that several specs share. Each raises ValueError with a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.spec.identifiers import HOSTNAME_LENGTH, WORD, is_made_of, shown

# Linux keeps 108 bytes, of which the last is zero (https://man7.org/linux/man-pages/man7/unix.7.html).
SOCKET_PATH_BYTES = 107
# What stands before a zone's name is an IPv6 address (https://www.rfc-editor.org/rfc/rfc4007#section-11).
ZONE = r"[A-Za-z0-9._-]{1,15}"
TEMPLATE_FIELD = r"\{([^{}]*)\}"


def parse_printable(value: str, *, what: str, length: int = 200) -> str:
    """Return ``value`` when it is 1 to ``length`` printable ASCII characters and not blank."""
    if not value.strip() or len(value) > length or not (value.isascii() and value.isprintable()):
        raise ValueError(f"{what} {shown(value)} is not accepted: it must be 1 to {length} printable ASCII characters.")
    return value


def parse_server_host(value: str) -> str:
    """Return ``value`` when it is a host name, an IP address or the absolute path of a unix socket."""
    if value.startswith("/"):
        return parse_socket_path(value)
    name = value.removesuffix(".")  # a name with a final dot is looked up as it is, without search domains
    is_name = is_made_of(name, WORD, "-.", HOSTNAME_LENGTH) and name[0] != "_" and name[-1] not in "-._"
    if not is_name and not is_ip_address(value):
        raise ValueError(
            f"The host {shown(value.rpartition('@')[2])} is not accepted: it must be a host name, an IP address "
            "or the absolute path of a unix socket's folder."
        )
    return value


def parse_database_host(value: str) -> str:
    """
    Return ``value`` when libpq takes it for one server: a host name, an IP address or the absolute path of a unix
    socket's folder (https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-HOST). Sockets without a
    file, whose names start with ``@``, psycopg takes for host names.
    """
    if "," in value:
        host = shown(value.rpartition("@")[2])  # before it may stand a password
        raise ValueError(
            f"The host {host} is not accepted: libpq takes what commas part for several servers, and a site has one."
        )
    return parse_server_host(value)


def parse_socket_path(value: str) -> str:
    """Return ``value`` when it can be the path of a unix socket, or of its folder."""
    length = len(value.encode("utf-8", "surrogatepass"))
    if not value.isprintable() or length > SOCKET_PATH_BYTES:
        raise ValueError(
            f"The socket {shown(value)} is not accepted: it must be at most {SOCKET_PATH_BYTES} bytes of printable "
            "characters."
        )
    return value


def is_ip_address(value: str) -> bool:
    """Return whether ``value`` is an IPv4 address, or an IPv6 one, perhaps with a zone."""
    from ipaddress import ip_address  # loads only for what is no name

    address, percent, zone = value.partition("%")
    if percent and not (":" in address and re.fullmatch(ZONE, zone)):
        return False
    try:
        ip_address(address)
    except ValueError:
        return False
    return True


def parse_port(value: int) -> int:
    """Return ``value`` when it is a port, 1 to 65535."""
    if not 1 <= value <= 65535:
        raise ValueError(f"The port {value} is not accepted: it must be 1 to 65535.")
    return value


def parse_path(value: Path) -> Path:
    """Return ``value`` when it is an absolute path without ``..`` and control characters."""
    text = str(value)
    if text == "/" or text.startswith("//"):
        raise ValueError(f"The path {shown(text)} is not accepted: it must name something below one slash.")
    if not text.startswith("/") or ".." in text.split("/") or not text.isprintable():
        raise ValueError(f"The path {shown(text)} is not accepted: it must be absolute, without '..'.")
    return value


def parse_template(value: str, *, fields: frozenset[str]) -> str:
    """Return ``value`` when the only ``{…}`` in it are ``fields``."""
    rest = re.sub(TEMPLATE_FIELD, "", value)
    unknown = set(re.findall(TEMPLATE_FIELD, value)) - fields
    if unknown or "{" in rest or "}" in rest:
        accepted = " and ".join(f"{{{field}}}" for field in sorted(fields))
        raise ValueError(f"The value {shown(value)} is not accepted: only {accepted} may be used in braces.")
    return value


def problem_of(key: str, rule: Callable[..., object], *values: object, **options: object) -> Iterator[Problem]:
    """Yield the problem, under ``key``, that ``rule`` has with the values, if any."""
    try:
        result = rule(*values, **options)
    except ValueError as error:
        yield Problem(key, str(error))
    else:
        if values and result is not values[0] and result != values[0]:
            yield Problem(key, f"The value {shown(values[0])} must be written as {shown(result)}.")


def raise_problems(problems: Iterator[Problem]) -> None:
    """Raise ConfigurationError with all ``problems``, if there are any."""
    found = tuple(problems)
    if found:
        raise ConfigurationError(found)
