"""A site's own code, for customers who bring theirs: options on top of the platform's codebase."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from wagtail_multihost.spec.kinds import Kind
from wagtail_multihost.spec.options import OPTIONAL_PATH, Options, option, text
from wagtail_multihost.spec.validation import parse_path

MODULE_FORM = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*", re.ASCII)
CALLABLE_FORM = re.compile(rf"{MODULE_FORM.pattern}:[A-Za-z_]\w*", re.ASCII)


def check_paths(values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        parse_path(Path(value))
    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeOptions(Options):
    """What a site runs instead of the platform's code; what it does not state is the platform's."""

    target: ClassVar[str] = "code"

    directory: Path | None = option(None, OPTIONAL_PATH, "The folder of the project.", per_site=True)
    virtualenv: Path | None = option(None, OPTIONAL_PATH, "The virtual environment.", per_site=True)
    wsgi: str = option(
        "",
        text("`package.module:name`", CALLABLE_FORM, wanted="be a name such as mysite.wsgi:application", optional=True),
        "The WSGI callable.",
        per_site=True,
    )
    settings_module: str = option(
        "",
        text("dotted name", MODULE_FORM, wanted="be a dotted name", optional=True),
        "The settings module.",
        per_site=True,
    )
    pythonpath: tuple[str, ...] = option(
        (), Kind("list of absolute paths", tuple, check_paths), "Further folders to import from.", per_site=True
    )
