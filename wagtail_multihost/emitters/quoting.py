"""One quoting function per grammar. Nothing reaches a template except through one of these."""

from __future__ import annotations

import re
import shlex

from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.variables import EXPANDED

# Anything else might be nginx's punctuation, a "~" (regular expression) or a "." or "*" (wildcard).
NGINX_BARE = re.compile(r"[A-Za-z0-9/\[][A-Za-z0-9._/:@+=,\[\]-]*")
# nginx's parser reads a configuration in blocks of 4,096 bytes (ngx_conf_file.c, NGX_CONF_BUFFER).
NGINX_LENGTH = 4000
# Expanded by uWSGI in every value, while it reads the file and in the passes after it (core/utils.c, magic_sub).
UWSGI_MAGIC = re.compile(r"%|\$\(|@\(")
# Words with a special meaning as keys of a map; a backslash before one takes it away
# (https://nginx.org/en/docs/http/ngx_http_map_module.html).
NGINX_MAP_WORDS = frozenset({"default", "hostnames", "include", "volatile"})
GLOB_SPECIAL = re.compile(r"[*?\[\\]")
# Anything else might be a quote, an escape, or punctuation of systemd's.
SYSTEMD_BARE = re.compile(r"[A-Za-z0-9/][A-Za-z0-9._/:@+=,-]*")


def nginx_quote(value: str) -> str:
    """
    Return ``value`` as one argument of an nginx directive.

    Raises RenderError for what cannot be written there: ``$`` (always a variable), control characters, and more than
    4,000 bytes.
    """
    if len(value) <= NGINX_LENGTH and NGINX_BARE.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    if "$" in value or not value.isprintable() or len(escaped.encode()) > NGINX_LENGTH:
        raise RenderError(f"The value {shown(value)} cannot be written in an nginx configuration.")
    return f'"{escaped}"'


def nginx_quote_key(value: str) -> str:
    """Return ``value`` as a key of an nginx map. Raises as nginx_quote."""
    return nginx_quote(f"\\{value}" if value in NGINX_MAP_WORDS else value)


def nginx_quote_include(path: str) -> str:
    """Return ``path`` as the argument of nginx's ``include``, a pattern if it looks like one. Raises as nginx_quote."""
    return nginx_quote(literal_pattern(path) if any(special in path for special in "*?[") else path)


def literal_pattern(path: str) -> str:
    """Return the pattern of glob(3) that matches ``path`` only."""
    return GLOB_SPECIAL.sub(lambda match: r"[\\]" if match[0] == "\\" else f"[{match[0]}]", path)


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
    if UWSGI_MAGIC.search(value) or not value.isprintable() or value != value.strip():
        raise RenderError(f"The value {shown(value)} cannot be written in a uWSGI configuration.")
    return value


def uwsgi_quote_variable(value: str) -> str:
    """
    Return ``value`` as an assignment of uWSGI's option ``env``. A ``%`` is doubled: the reader of the file would take
    it, and what follows, for something to expand.

    Raises RenderError as uwsgi_quote does, but for a ``%`` only before an opening bracket, where the passes after that
    would expand it.
    """
    if any(start in value for start in EXPANDED) or not value.isprintable() or value != value.strip():
        raise RenderError(f"The value {shown(value)} cannot be written in a uWSGI configuration.")
    return value.replace("%", "%%")


def uwsgi_quote_route(value: str) -> str:
    """
    Return ``value`` as part of the action of a uWSGI route, where ``$1`` and ``${NAME}`` are expanded too.

    Raises RenderError as uwsgi_quote, and for every ``$``.
    """
    if "$" in value:
        raise RenderError(f"The value {shown(value)} cannot be written in a uWSGI route.")
    return uwsgi_quote(value)


def uwsgi_quote_part(value: str) -> str:
    """
    Return ``value`` as a part of a uWSGI option that separates its parts, or an address from a port, by colons.

    Raises RenderError as uwsgi_quote, and for every colon.
    """
    if ":" in value:
        raise RenderError(f"The value {shown(value)} cannot be written in a uWSGI configuration: it contains a colon.")
    return uwsgi_quote(value)


def systemd_quote(value: str) -> str:
    """
    Return ``value`` as one word of a systemd setting that takes a list (``Environment=``, ``ReadWritePaths=``), or as a
    field of tmpfiles.d. A ``%`` is doubled: it starts a specifier (systemd.unit(5), tmpfiles.d(5)).

    Raises RenderError for control characters, which would end the line or the text.
    """
    return systemd_unexpanded(value).replace("%", "%%")


def systemd_quote_argument(value: str) -> str:
    """Return ``value`` as an argument of ``ExecStart=``, where ``$`` is special too. Raises as systemd_quote."""
    return systemd_quote(value).replace("$", "$$")


def systemd_quote_program(value: str) -> str:
    """
    Return ``value`` as the program of ``ExecStart=``.

    Raises RenderError as systemd_quote; for anything but an absolute path, since characters before one have meanings;
    for quotes and backslashes, which systemd does not accept in a program's path; and for ``$``, which it expands in
    the first argument and not in the path.
    """
    if not value.startswith("/") or any(special in value for special in "$\\\"'"):
        raise RenderError(f"The program {shown(value)} cannot be written in a systemd unit.")
    return systemd_quote(value)


def systemd_quote_line(value: str) -> str:
    """
    Return ``value`` as the whole value of a systemd setting in which quotes are literal (``WorkingDirectory=``,
    ``ListenStream=``).

    Raises RenderError for control characters, for blanks at either end, which do not survive, and for a backslash,
    which as the last character would join the next line to this one.
    """
    if not value.isprintable() or value != value.strip() or "\\" in value:
        raise RenderError(f"The value {shown(value)} cannot be written in a systemd unit.")
    return value.replace("%", "%%")


def systemd_quote_part(value: str) -> str:
    """
    Return ``value`` as a path in a systemd setting with colons between its parts (``BindPaths=``).

    Raises RenderError as systemd_quote, and for every colon and every backslash: ``TemporaryFileSystem=`` removes
    escapes twice.
    """
    if ":" in value or "\\" in value:
        raise RenderError(
            f"The value {shown(value)} cannot be written in a systemd unit: it contains a colon or a backslash."
        )
    return systemd_quote(value)


def systemd_unexpanded(value: str) -> str:
    if SYSTEMD_BARE.fullmatch(value):
        return value
    if not value.isprintable():
        raise RenderError(f"The value {shown(value)} cannot be written in a systemd unit.")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def shell_quote(value: str) -> str:
    """Return ``value`` as one word of a shell command. Raises RenderError for control characters."""
    if not value.isprintable():
        raise RenderError(f"The value {shown(value)} cannot be passed to a shell.")
    return shlex.quote(value)


def uwsgi_quote_shell(value: str) -> str:
    """
    Return ``value`` as part of a path that uWSGI puts between double quotes and passes to a shell.

    Raises RenderError as uwsgi_quote, and for characters that a shell would interpret there.
    """
    if any(character in value for character in '"$`\\'):
        raise RenderError(f"The value {shown(value)} cannot be passed to a shell by uWSGI.")
    return uwsgi_quote(value)
