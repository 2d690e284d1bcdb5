"""A filter that keeps probes out of the access logs of gunicorn, uvicorn, granian and runserver."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from urllib.parse import unquote

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.health.endpoint import FORMATS
from wagtail_multihost.health.options import SETTING, HealthOptions, read_prefix

# Not drain: the log must show who started or ended one.
READINGS = frozenset({"live", "ready", "startup", *FORMATS})
FAILURES = 400


def is_probe(path: str, prefix: str) -> bool:
    """Return whether ``path`` is the endpoint's, except its drain; other paths below ``prefix`` are the site's."""
    name = path.removeprefix(prefix).removesuffix("/")
    is_reading = name in READINGS or (name.startswith("site/") and name.count("/") == 1)
    return path.startswith(prefix) and is_reading


class ProbeFilter(logging.Filter):
    """
    Drops the records of probes from the loggers ``gunicorn.access``, ``uvicorn.access``, ``granian.access``,
    ``django.server`` and ``django.request``. Records of failed probes (status 400 or higher) are kept unless
    ``keep_failures`` is off. ``prefix`` is the endpoint's; blank takes it from the settings.
    """

    def __init__(self, prefix: str = "", keep_failures: bool = True) -> None:
        super().__init__()
        self.prefix, self.keep_failures = prefix, keep_failures

    def filter(self, record: logging.LogRecord) -> bool:
        path, status = path_and_status(record)
        if not isinstance(path, str) or not is_probe(path, self.prefix or endpoint_prefix()):
            return True
        return self.keep_failures and status_number(status) >= FAILURES


def endpoint_prefix() -> str:
    """Return the prefix from the settings; the default if they are not loaded yet, or have a mistake."""
    from django.conf import settings  # servers configure their logs before Django is needed

    try:
        return read_prefix(getattr(settings, SETTING, None)) if settings.configured else HealthOptions().prefix
    except ConfigurationError:
        return HealthOptions().prefix


def path_and_status(record: logging.LogRecord) -> tuple[object, object]:
    """Return the path and the status of the request that a record is about; the path is None if it is about none."""
    if isinstance(record.args, Mapping):
        return read_atoms(record.args)
    if record.name == "uvicorn.access":
        return read_tuple(record.args, path=2, status=4)
    if record.name == "django.server":
        return read_request_line(record.args)
    request = getattr(record, "request", None)
    return getattr(request, "path_info", None), getattr(record, "status_code", None)


def read_atoms(atoms: Mapping[str, object]) -> tuple[object, object]:
    """Read the mapping of granian (granian/log.py) or gunicorn, whose path is PATH_INFO (gunicorn/glogging.py)."""
    if "path" in atoms:
        return unquote_path(atoms["path"]), atoms.get("status")
    return atoms.get("U"), atoms.get("s")


def read_tuple(words: object, *, path: int, status: int) -> tuple[object, object]:
    """Read the tuple of uvicorn/protocols/http/h11_impl.py: client, method, path, version, status."""
    if not isinstance(words, tuple) or len(words) <= max(path, status):
        return None, None
    return unquote_path(words[path]), words[status]


def read_request_line(words: object) -> tuple[object, object]:
    """Read the tuple of runserver: the request line, the status, the size (django/core/servers/basehttp.py)."""
    if not isinstance(words, tuple) or len(words) < 2 or str(words[0]).count(" ") != 2:
        return None, None
    return unquote_path(str(words[0]).split(" ")[1]), words[1]


def unquote_path(url: object) -> object:
    """Return the decoded path of a request target; anything but text unchanged."""
    return unquote(url.partition("?")[0]) if isinstance(url, str) else url


def status_number(status: object) -> int:
    """Return the status as a number, anything else as a failure; gunicorn may append the reason phrase."""
    digits = str(status)[:3]
    return int(digits) if digits.isascii() and digits.isdigit() else FAILURES
