"""Making a control project: Django's own ``startproject`` with the template beside this file."""

from __future__ import annotations

import keyword
import secrets
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from django.core.management.templates import TemplateCommand

from wagtail_multihost.exceptions import MultihostError

TEMPLATE = Path(__file__).with_name("project_template")
#: What holds the secret key: for its owner alone.
VARIABLES = "variables.env"
OLDEST_WAGTAIL = 8
INSTALL = "Install wagtail-multihost[control]."


class StartProjectError(MultihostError):
    """A control project cannot be made."""


class ProjectTemplate(TemplateCommand):
    """Django's own. A hidden file has another name in the package, where git would obey it."""

    rewrite_template_suffixes = (("gitignore-tpl", ".gitignore"), *TemplateCommand.rewrite_template_suffixes)

    def validate_name(self, name: str, name_or_dir: str = "name") -> None:
        refuse_name(name)


def start_project(name: str, folder: Path | None = None) -> Path:
    """Make the project ``name`` in ``folder``, or in a folder of its name; return the folder."""
    folder = Path(folder or name).absolute()
    refuse_missing_packages()
    refuse_name(name)
    refuse_folder(folder)
    options: dict[str, Any] = {
        "template": str(TEMPLATE),
        "extensions": ["py", "md", "env"],
        "files": [],
        "verbosity": 0,
        "secret_key": secrets.token_urlsafe(50),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ProjectTemplate().handle("project", name, str(folder), **options)
        (folder / VARIABLES).chmod(0o600)
        (folder / "manage.py").chmod(0o755)
    except OSError as error:
        raise StartProjectError(f"{error.filename or folder} cannot be written: {error.strerror}.") from None
    return folder


def refuse_missing_packages() -> None:
    if find_spec("psycopg") is None:
        raise StartProjectError(f"psycopg is not installed, which the control site needs. {INSTALL}")
    try:
        found = version("wagtail")
    except PackageNotFoundError:
        raise StartProjectError(f"Wagtail is not installed. {INSTALL}") from None
    if int(found.partition(".")[0]) < OLDEST_WAGTAIL:
        raise StartProjectError(f"The control site needs Wagtail {OLDEST_WAGTAIL} or later; {found} is installed.")


def refuse_name(name: str) -> None:
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        raise StartProjectError(
            f"A project cannot be called {name!r}: its name is a Python package's, such as fleet_control."
        )
    # A folder of that name where we are is no module; refuse_folder speaks of it.
    if name in sys.builtin_module_names or ((found := find_spec(name)) is not None and found.origin is not None):
        raise StartProjectError(f"There is a Python module {name} already; choose another name for the project.")


def refuse_folder(folder: Path) -> None:
    if folder.is_dir():
        if any(folder.iterdir()):
            raise StartProjectError(f"{folder} is not empty; name a folder that is, or that is not there yet.")
    elif folder.exists() or folder.is_symlink():
        raise StartProjectError(f"{folder} is not a folder.")
