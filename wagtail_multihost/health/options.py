"""The setting ``MULTIHOST_HEALTH``: its keys, each declared once, and the probes that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.health.probe import Probe, is_required
from wagtail_multihost.spec.declared import DECLARED
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.kinds import SWITCH, Kind, integer
from wagtail_multihost.spec.options import NETWORKS, OPTIONAL_PATH, Options, option, text
from wagtail_multihost.spec.type_words import FOUND

SETTING = "MULTIHOST_HEALTH"
PREFIX_FORM = re.compile(r"/(?:(?!\.{1,2}/)[A-Za-z0-9._~-]+/)+")
TOKEN_LENGTH = 32
NAME_FORM = re.compile(r"[a-z][a-z0-9_]{0,39}")
PROBES = "wagtail_multihost.health.probes"

DEFAULT_PROBES: Mapping[str, Mapping[str, object]] = {
    "database": {"BACKEND": f"{PROBES}.database.DatabaseProbe"},
    "migrations": {"BACKEND": f"{PROBES}.migrations.MigrationsProbe"},
    "site_row": {"BACKEND": f"{PROBES}.site_row.SiteRowProbe"},
    "cache": {"BACKEND": f"{PROBES}.cache.CacheProbe"},
    "disk": {"BACKEND": f"{PROBES}.disk.DiskProbe"},
    "memory": {"BACKEND": f"{PROBES}.memory.MemoryProbe"},
}


def check_tokens(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return tokens that can be sent in a header and are long enough; no message contains any part of one."""
    for position, value in enumerate(values):
        if not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError(f"The token {position} is not accepted: it must be printable ASCII without spaces.")
        if len(value) < TOKEN_LENGTH:
            raise ValueError(f"The token {position} is too short: it must have at least {TOKEN_LENGTH} characters.")
    return values


TOKENS = Kind("list of tokens", tuple, check_tokens)
PREFIX = text("URL path", PREFIX_FORM, wanted="start and end with a slash, such as /-/")


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthOptions(Options):
    """The keys of ``MULTIHOST_HEALTH`` besides ``PROBES``, in lower case."""

    prefix: str = option("/-/", PREFIX, "The URL path that all paths of the endpoint start with.")
    tokens: tuple[str, ...] = option(
        (), TOKENS, "Tokens that show details and drain, in addition to the site's own (`multihost_health --token`)."
    )
    networks: tuple[str, ...] = option(
        (), NETWORKS, "Networks that see details without a token; never through a proxy that says so."
    )
    interval: int = option(10, integer(1, 86_400), "Seconds until a probe that passed runs again.")
    retry: int = option(2, integer(1, 86_400), "Seconds until a probe that did not pass runs again.")
    stale: int = option(60, integer(2, 864_000), "The age in seconds beyond which a critical result is not believed.")
    idle: int = option(300, integer(10, 864_000), "After how many seconds without a request probes stop running.")
    budget: int = option(900, integer(50, 60_000), "How long, in milliseconds, the first request waits for a report.")
    quorum: int = option(50, integer(0, 100), "The percentage of its sites that must work for a process to be ready.")
    concurrency: int = option(16, integer(1, 1000), "How many probes run at once; stuck ones are not counted.")
    metrics_subjects: bool = option(
        False, SWITCH, "Whether metrics have a label for the subject of a probe: hostnames, names of files."
    )
    drain_file: Path | None = option(
        None,
        OPTIONAL_PATH,
        "The drain file (`{site}` is the site's id); none: one in the site's temporary folder.",
    )


#: What states nothing. A 0 or False does.
ABSENT: tuple[object, ...] = (None, "", (), [])


class MissingOptionError(ValueError):
    """A probe lacks the ``option``."""

    def __init__(self, option: str, sentence: str) -> None:
        self.option = option
        super().__init__(sentence)


@dataclass(frozen=True)
class HealthSettings:
    """``MULTIHOST_HEALTH`` after reading: its options, and the probes by name."""

    options: HealthOptions
    probes: Mapping[str, Probe]


def read_settings(stated: object) -> HealthSettings:
    """Read the setting, a mapping or None; raises ConfigurationError with all problems at once."""
    if stated is None:
        stated = {}
    if not isinstance(stated, Mapping):
        raise ConfigurationError.because("It is not a dictionary.", where=SETTING)
    problems: list[Problem] = []
    options = read_health_options({key: value for key, value in stated.items() if key != "PROBES"}, problems)
    probes = dict(read_probes(stated.get("PROBES", DEFAULT_PROBES), problems))
    if problems:
        raise ConfigurationError(problems)
    return HealthSettings(options, probes)


def read_prefix(stated: object) -> str:
    """Read the prefix alone, without importing any probe; raises ConfigurationError."""
    problems: list[Problem] = []
    found = {"PREFIX": stated["PREFIX"]} if isinstance(stated, Mapping) and "PREFIX" in stated else {}
    prefix = read_health_options(found, problems).prefix
    if problems:
        raise ConfigurationError(problems)
    return prefix


def read_health_options(stated: Mapping[str, Any], problems: list[Problem]) -> HealthOptions:
    declared = {field.name.upper(): field for field in fields(HealthOptions)}
    for key in [key for key in stated if key not in declared]:
        problems.append(unknown_key(f"{SETTING}[{key!r}]", key, [*declared, "PROBES"]))
    values = {}
    for key, field in declared.items():
        if key in stated:
            try:
                kind = field.metadata[DECLARED].kind
                values[field.name] = kind.check(convert_value(stated[key], kind))
            except (TypeError, ValueError) as error:
                problems.append(Problem(f"{SETTING}[{key!r}]", str(error)))
    return HealthOptions(**values)


def convert_value(value: Any, kind: Kind) -> Any:
    """Return ``value`` in the type of its kind: settings may have lists for tuples, and text for paths."""
    if kind.type is tuple and isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if kind.type is Path and isinstance(value, str | Path):
        return Path(value)
    if type(value) is kind.type:
        return value
    found = "a list" if isinstance(value, tuple) else FOUND.get(type(value), type(value).__name__)
    raise TypeError(f"It is {found}; accepted: {kind.label}.")


def read_probes(stated: object, problems: list[Problem]) -> Iterator[tuple[str, Probe]]:
    if not isinstance(stated, Mapping):
        problems.append(Problem(f"{SETTING}['PROBES']", "It is not a dictionary of probes."))
        return
    for name, table in stated.items():
        where = f"{SETTING}['PROBES'][{name!r}]"
        try:
            yield str(name), read_probe(name, table)
        except MissingOptionError as error:
            problems.append(Problem(f"{where}['OPTIONS'][{error.option!r}]", str(error)))
        except (ImportError, TypeError, ValueError) as error:
            problems.append(Problem(where, str(error)))
        except Exception as error:  # a project's own probe may raise anything, and the text may contain a secret
            problems.append(Problem(where, f"The probe does not accept its OPTIONS: it raises {type(error).__name__}."))


def read_probe(name: object, table: object) -> Probe:
    if not isinstance(name, str) or not NAME_FORM.fullmatch(name):
        raise ValueError(f"The name {shown(str(name))} is not accepted: it must match {NAME_FORM.pattern}.")
    if not isinstance(table, Mapping) or set(table) - {"BACKEND", "OPTIONS"} or "BACKEND" not in table:
        raise ValueError("It must be a dictionary with BACKEND, the dotted path of a probe, and optionally OPTIONS.")
    backend, options = import_probe(str(table["BACKEND"])), table.get("OPTIONS", {})
    if not isinstance(options, Mapping):
        raise TypeError(f"Its OPTIONS are {type(options).__name__}; they must be a dictionary.")
    accepted = [field.name for field in fields(backend) if field.init]
    for key in [str(key) for key in options if key not in accepted]:
        raise ValueError(unknown_key("", key, accepted).message)
    refuse_missing_options(backend, options)
    probe = backend(**options)
    Probe.__post_init__(probe)  # a project's own may not call it, and the sampler relies on it
    return probe


def refuse_missing_options(backend: type[Probe], options: Mapping[str, object]) -> None:
    """Raise MissingOptionError for an option that the probe cannot do without."""
    for needed in fields(backend):
        if needed.init and is_required(needed) and options.get(needed.name) in ABSENT:
            meaning = needed.metadata.get("meaning", "")
            raise MissingOptionError(needed.name, f"It is missing: {backend.__name__} requires it. {meaning}".strip())


def import_probe(path: str) -> type[Probe]:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module), name)
    except (AttributeError, ImportError, ValueError) as error:
        reason = str(error).removesuffix(".")
        raise ImportError(f"The probe {shown(path)} cannot be imported: {reason}.") from None
    except (Exception, SystemExit) as error:  # a module may raise anything, and the text may contain a secret
        raise ImportError(f"The probe {shown(path)} cannot be imported: {type(error).__name__}.") from error
    if not isinstance(found, type) or not issubclass(found, Probe):
        raise TypeError(f"{shown(path)} is not a probe: it must derive from {Probe.__module__}.{Probe.__name__}.")
    return found


def unknown_key(where: str, key: object, accepted: Iterable[str]) -> Problem:
    from wagtail_multihost.spec.suggestions import suggest  # loads only if there is a mistake

    accepted = sorted(accepted)
    hint = suggest(str(key), accepted)
    return Problem(where, f"The key {shown(str(key))} is not known.{hint} Accepted: {', '.join(accepted)}.")
