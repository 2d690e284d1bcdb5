"""LOGGING: the site's id in each line, and log files of the site."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from wagtail_multihost.resolver.setting import Project, Setting, reveal_secrets
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

LOGGING = "LOGGING"
SITE_FILTER = "wagtail_multihost.backends.log_filter.SiteFilter"
#: The name of our filter, and of the formatter of handlers that have none.
OURS = "multihost_site"
FOLDER = "logs"
#: How each style of a format (https://docs.python.org/3/library/logging.html#logging.Formatter) writes the site, and
#: what shows that it is written already.
SITE_IN = {"%": ("%(site)s", "%(site)"), "{": ("{site}", "{site"), "$": ("${site}", "site}")}
PLAIN_FORMAT = {"%": "%(message)s", "{": "{message}", "$": "${message}"}
PLAIN_FORMATTERS = ("logging.Formatter",)
# Not folders: the streams of the process.
DEVICES = ("/dev/", "/proc/")


def log_settings(platform: PlatformSpec, site: SiteSpec, project: Project) -> Iterator[Setting]:
    """
    Yield LOGGING with the site in every line of the project's handlers, and in files of the site's own. Nothing
    where the project has no LOGGING with handlers.
    """
    stated = project.get(LOGGING)
    if not isinstance(stated, Mapping) or not stated.get("handlers") or stated.get("incremental"):
        return
    value: Any = reveal_secrets(stated)  # a copy
    value["filters"] = {**(value.get("filters") or {}), OURS: {"()": SITE_FILTER, "site": site.id}}
    value["formatters"] = {**(value.get("formatters") or {}), OURS: {}}
    for name, formatter in value["formatters"].items():
        value["formatters"][name] = add_site_to_format(formatter)
    folder = platform.local_path(site.id, FOLDER)
    taken: dict[str, str] = {}
    for name, handler in value["handlers"].items():
        handler["filters"] = [*(handler.get("filters") or ()), OURS]
        if is_standard_handler(handler) and not handler.get("formatter"):
            handler["formatter"] = OURS
        if "filename" in handler:
            handler["filename"] = log_file_path(str(handler["filename"]), name, site, folder, taken)
    yield Setting(LOGGING, value, "the project's, with the site in every line and in the path of files", "")


def is_standard_handler(handler: Mapping[str, object]) -> bool:
    """Return whether a handler is one of the standard library's, whose lines are made by its formatter alone."""
    return str(handler.get("class", "")).startswith("logging.")


def add_site_to_format(formatter: object) -> object:
    """Put the site in front of a plain formatter's format, unless the format has it already."""
    if not isinstance(formatter, Mapping) or "()" in formatter:
        return formatter
    if formatter.get("class", PLAIN_FORMATTERS[0]) not in PLAIN_FORMATTERS:
        return formatter
    style = str(formatter.get("style", "%"))
    if style not in SITE_IN:
        return formatter
    written, recognised = SITE_IN[style]
    text = str(formatter.get("format") or PLAIN_FORMAT[style])
    return {**formatter, "format": text if recognised in text or "$site" in text else f"{written} {text}"}


def log_file_path(filename: str, handler: str, site: SiteSpec, folder: Path, taken: dict[str, str]) -> str:
    """Return the path of a log file: unchanged when the site's id is a word of it, else one in ``folder``."""
    if filename.startswith(DEVICES) or re.search(rf"(?<![A-Za-z0-9-]){site.id}(?![A-Za-z0-9-])", filename):
        return filename
    name = Path(filename).name
    if taken.setdefault(name, filename) != filename:
        name = f"{handler}-{name}"
    return str(folder / name)
