"""One quoting function per grammar. Nothing reaches a template but through one of these."""

from __future__ import annotations

import re

from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.identifiers import shown

# Outside of these, nginx's own punctuation, a "~" (regular expression) or a "." or "*" (wildcard) may be meant.
NGINX_BARE = re.compile(r"[A-Za-z0-9/\[][A-Za-z0-9._/:@+=,\[\]-]*")
# nginx's parser reads a configuration in blocks of 4,096 bytes (ngx_conf_file.c, NGX_CONF_BUFFER).
NGINX_LENGTH = 4000
# Expanded by uWSGI in every value, while it reads the file and in the passes after it (core/utils.c, magic_sub).
UWSGI_MAGIC = ("%", "$(", "@(")


def nginx_quote(value: str) -> str:
    """
    Return ``value`` as one argument of an nginx directive.

    Raises RenderError for what has no spelling there: ``$`` (always a variable), control characters,
    and more than 4,000 bytes.
    """
    if "$" in value or not value.isprintable() or len(value.encode()) > NGINX_LENGTH:
        raise RenderError(f"The value {shown(value)} cannot be written in an nginx configuration.")
    if NGINX_BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def nginx_quote_around(before: str, variable: str, after: str = "") -> str:
    """Return one argument: ``before``, the nginx variable (one of our own), ``after``. Raises as nginx_quote."""
    escaped = [nginx_quote(f" {part}")[2:-1] for part in (before, after)]
    return f'"{escaped[0]}${variable}{escaped[1]}"'


def uwsgi_quote(value: str) -> str:
    """
    Return ``value`` as the value of a uWSGI option in an ini file, where quoting does not exist.

    Raises RenderError for what uWSGI would expand (``%``, ``$(…)``, ``@(…)``: the last may run commands),
    and for control characters and blanks at either end, which do not survive.
    """
    if any(magic in value for magic in UWSGI_MAGIC) or not value.isprintable() or value != value.strip():
        raise RenderError(f"The value {shown(value)} cannot be written in a uWSGI configuration.")
    return value
