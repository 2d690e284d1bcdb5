"""Kinds of values that only keys of the platform accept."""

from __future__ import annotations

import re
from pathlib import Path

from wagtail_multihost.exceptions import SecretUnreadableError
from wagtail_multihost.spec.identifiers import DIGITS, parse_platform_name, shown
from wagtail_multihost.spec.kinds import Kind, accept_any
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.type_words import STRING
from wagtail_multihost.spec.validation import parse_path

HEADER = r"HTTP_[A-Z0-9_]+"
ACCOUNT_FORM = r"[a-z_][a-z0-9_-]{0,31}"


def parse_sockets(value: Path) -> Path:
    """Return ``value`` when it is a folder that a server's address can have."""
    if ":" in str(value):
        raise ValueError(
            "The folder of sockets is not accepted: it must not have a colon, which comes before a port in an address."
        )
    return parse_path(value)


def parse_origin(value: str) -> str:
    """Return ``value`` when it is ``http://{hostname}`` or ``https://{hostname}``, with or without a port."""
    start, name, port = value.partition("{hostname}")
    digits = port.removeprefix(":")
    has_port = port != digits and DIGITS.issuperset(digits) and len(digits) <= 5 and 1 <= int(digits or 0) <= 65535
    if start not in ("http://", "https://") or not name or (port and not has_port):
        raise ValueError(f"The origin {shown(value)} is not accepted: write https://{{hostname}}.")
    return value


def check_platform_key(secret: Secret) -> Secret:
    """Return the platform's key when it can be read and is long enough."""
    from wagtail_multihost.spec.keys import PLATFORM_KEY_LENGTH  # loads only where the platform's key is

    try:
        length = len(secret.reveal())
    except SecretUnreadableError as error:
        raise ValueError(str(error)) from None
    if length < PLATFORM_KEY_LENGTH:
        raise ValueError(f"The platform's key is too short: at least {PLATFORM_KEY_LENGTH} characters are needed.")
    return secret


def account_kind(what: str) -> Kind:
    """Return the kind of names of users or groups, as ``what`` says, which may have ``{site}`` in them."""

    def check(value: str) -> str:
        if not re.fullmatch(ACCOUNT_FORM, value.replace("{site}", "a")):
            raise ValueError(
                f"The {what} {shown(value)} is not accepted: it must be a {what}'s name, {{site}} in it or not."
            )
        return value

    return Kind(f"{what} name", str, check)


def parse_header(value: tuple[str, ...]) -> tuple[str, ...]:
    """Return ``value`` when it is the pair of texts that Django asks for."""
    if len(value) != 2 or not re.fullmatch(HEADER, value[0]) or not value[1].isalnum():
        raise ValueError('Write it as Django does: ["HTTP_X_FORWARDED_PROTO", "https"].')
    return value


NAME = Kind("slug, at most 20 characters", str, parse_platform_name)
FOLDER = Kind("path", Path, parse_path)
SOCKETS = Kind("path", Path, parse_sockets)
ORIGIN = Kind(STRING, str, parse_origin)
PLATFORM_KEY = Kind("secret, at least 32 characters", Secret, check_platform_key)
KEYRING = Kind("table of secrets", Secret, accept_any, "take_keyring")
GROUP, ACCOUNT = account_kind("group"), account_kind("user")
HEADER_PAIR = Kind("list of two strings", tuple, parse_header)
NODES = Kind("table of addresses", dict, accept_any, "take_texts_by_name")
