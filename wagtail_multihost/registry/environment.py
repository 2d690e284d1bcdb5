"""A registry of one site in environment variables."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import SITE_VARIABLE
from wagtail_multihost.registry.base import Registry, records_of
from wagtail_multihost.registry.record import KEY_PATH, Record, RegistrySource
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.type_words import TRUE_OR_FALSE, WHOLE_NUMBER

SITE_PREFIX = "MULTIHOST_SITE_"
PLATFORM_PREFIX = "MULTIHOST_PLATFORM_"
NESTED = "__"
# What Kubernetes tells each pod of each Service of its namespace
# (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
SERVICE_HOST, SERVICE_PORT = "_SERVICE_HOST", "_SERVICE_PORT"
SERVICE_LINK = re.compile(r"_SERVICE_HOST|_SERVICE_PORT(_[A-Z0-9_]+)?|_PORT(_[0-9]+_[A-Z]+(_(PROTO|PORT|ADDR))?)?")
#: Tables whose keys are names in capitals.
NAMED = ("PROJECT_SETTINGS", "ENV")
BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}

CLASH = (
    "The installed package 'environ' is not django-environ, which reads variables; environ-config installs another one "
    "of the same name. Run: pip uninstall environ-config, then pip install --force-reinstall django-environ."
)

logger = logging.getLogger(__name__)


class EnvironmentSource(RegistrySource):
    """Keys are variables (``MULTIHOST_SITE_DATABASE__HOST``); every value is text."""

    pins_with = (
        f"Set {SITE_PREFIX}UID, for a new site to what uuidgen prints, and the six {SITE_PREFIX}NAMES{NESTED}… as the "
        "site has them"
    )
    #: Variables describe containers, of which there may be many, each with a folder of its own.
    assumes_development = False
    file_ending = "_FILE"

    def __init__(self, environ: Mapping[str, str], *, reads_secrets: bool) -> None:
        self.base = Path.cwd()
        self.environ = environ
        self.reads_secrets = reads_secrets

    def label(self, path: KEY_PATH) -> str:
        if len(path) == 1 and path[0].startswith("MULTIHOST_"):
            return path[0]
        if path[0] == "sites":
            return SITE_PREFIX + NESTED.join(path[2:]).upper() if path[2:] else SITE_VARIABLE
        return "MULTIHOST_" + "_".join([path[0], NESTED.join(path[1:])]).upper()

    def boolean(self, value: object) -> bool:
        if isinstance(value, bool):  # a part of a URL
            return value
        word = self.text(value).strip().lower()
        if word not in BOOLEANS:
            raise ValueError(f"The value {shown(word)} is not accepted: it must be {TRUE_OR_FALSE}.")
        return BOOLEANS[word]

    def integer(self, value: object) -> int:
        if isinstance(value, int):  # a part of a URL
            return value
        text = self.text(value).strip()
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise ValueError(f"The value {shown(text)} is not accepted: it must be a {WHOLE_NUMBER}.")
        return int(text)

    def texts(self, value: object) -> tuple[str, ...]:
        parts = split_list(self.text(value))
        if not all(part.strip() for part in parts):
            raise ValueError("It has an empty item between commas.")
        return tuple(part.strip() for part in parts)


class EnvironmentRegistry(Registry):
    """The registry of the one site that ``MULTIHOST_SITE`` and ``MULTIHOST_SITE_…`` describe."""

    name = "The environment"
    url = "env:"
    assumes_development = EnvironmentSource.assumes_development

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        load_parser()  # another package of its name is told at once, and not by the first list

    def read_tables(self, *, reads_secrets: bool) -> tuple[Record, list[Record]]:
        site = self.environ.get(SITE_VARIABLE)
        if site is None:
            raise ConfigurationError.because(
                "It is not set, but the registry is the environment. Set it to the id of the one site there.",
                where=SITE_VARIABLE,
            )
        links = service_links(self.environ)
        if links:
            logger.warning(
                "The variables %s describe a Kubernetes Service, and are not read as keys: rename the Service, or set "
                "enableServiceLinks: false in the pod.",
                ", ".join(links),
            )
        source = EnvironmentSource(self.environ, reads_secrets=reads_secrets)
        return records_of_variables(site, self.environ, source, left_out=links)


def records_of_variables(
    site: str, variables: Mapping[str, str], source: EnvironmentSource, *, left_out: Collection[str] = ()
) -> tuple[Record, list[Record]]:
    """Return the records of the platform and of the one ``site`` that the ``variables`` describe."""
    clashes: list[str] = []
    read = {name: value for name, value in variables.items() if name not in left_out}
    platform, own = (nested_table(prefix, read, clashes) for prefix in (PLATFORM_PREFIX, SITE_PREFIX))
    record, sites = records_of(platform, {site: own}, source)
    for name in clashes:
        record.report("It is set together with variables for its single keys; set one or the other.", (name,))
    return record, sites


def nested_table(prefix: str, variables: Mapping[str, str], clashes: list[str]) -> dict[str, object]:
    """Return the variables with ``prefix`` as a table; ``__`` in a name leads into a table of it."""
    table: dict[str, object] = {}
    for name in sorted(variables):
        if not name.startswith(prefix):
            continue
        first, *rest = name.removeprefix(prefix).split(NESTED)
        keys = [first.lower(), *(rest if first == "SETTINGS" else (key.lower() for key in rest))]
        if first in NAMED and rest:
            keys[1] = rest[0]
        if not put_value(table, keys, variables[name]):
            clashes.append(name)
    return table


def service_links(environ: Mapping[str, str]) -> list[str]:
    """Return those variables that start as ours do, and that Kubernetes has set for a Service."""
    bases = [
        name.removesuffix(SERVICE_HOST)
        for name in environ
        if name.startswith((SITE_PREFIX, PLATFORM_PREFIX)) and name.endswith(SERVICE_HOST) and NESTED not in name
    ]
    bases = [base for base in bases if f"{base}{SERVICE_PORT}" in environ]
    return sorted(
        {
            name
            for base in bases
            for name in environ
            if name.startswith(base) and SERVICE_LINK.fullmatch(name.removeprefix(base))
        }
    )


def put_value(table: dict[str, object], keys: list[str], value: str) -> bool:
    """Put ``value`` at the path ``keys``; False when a part of the path is a value already."""
    for key in keys[:-1]:
        inner = table.setdefault(key, {})
        if not isinstance(inner, dict):
            return False
        table = inner
    table[keys[-1]] = value
    return True


def split_list(text: str) -> list[str]:
    """Return the comma-separated values of ``text``, split by django-environ's parser."""
    return [str(part) for part in load_parser().parse_value(text, list)]


def load_parser() -> Any:
    """Return django-environ's class Env; raises ConfigurationError if another package has taken its name."""
    try:
        import environ  # loads only where sites are described by variables
    except ImportError:
        environ = None
    if not hasattr(environ, "Env"):
        raise ConfigurationError.because(CLASH)
    return environ.Env
