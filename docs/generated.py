"""
The parts of the reference that are rendered from the code's own declarations.

committed.py puts the Markdown of the function NAME where a page says ``<!-- generated: NAME -->``. Needs neither Sphinx
nor configured Django settings.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields
from enum import Enum
from functools import partial
from pathlib import Path
from textwrap import dedent
from typing import Any

from django.core.management.base import BaseCommand, DjangoHelpFormatter

from wagtail_multihost.emitters import Plan, emit, emitters
from wagtail_multihost.health import contrib as contrib_modules
from wagtail_multihost.health import probes as probe_modules
from wagtail_multihost.health.options import DEFAULT_PROBES, HealthOptions
from wagtail_multihost.health.probe import CODES, Probe, is_required
from wagtail_multihost.management import commands as command_modules
from wagtail_multihost.monitor import command as monitor_command
from wagtail_multihost.node import command as agent_command
from wagtail_multihost.node.options import AgentOptions
from wagtail_multihost.nodeapi.event_types import EVENT_TYPES
from wagtail_multihost.nodeapi.incident_words import KINDS as INCIDENT_KINDS
from wagtail_multihost.nodeapi.job_kinds import KINDS
from wagtail_multihost.operations.courier import command as courier_command
from wagtail_multihost.operations.operator import command as operator_command
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.keys import REQUIRED, Key, declared, table_names
from wagtail_multihost.resolver.explain import mask_value
from wagtail_multihost.resolver.mail import REPLACED
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.resolver.setting import Setting
from wagtail_multihost.spec.codebase import Codebase
from wagtail_multihost.spec.declared import DECLARED

EXAMPLES = Path(__file__).parent / "examples"
#: The OpenAPI document, which tests/control compares with the code: nothing here needs Django settings.
CONTROL_API = Path(__file__).parent / "reference" / "control-api.json"
CONTROL_ROOT = "/api/control/v1"
#: Defaults that are literals of TOML, not words.
LITERAL = re.compile(r'["\[0-9]|(true|false)$')
#: A cross-reference of Sphinx in a docstring, which Markdown does not know.
ROLE = re.compile(r":\w+:`~?([^`]+)`")
#: What a settings module has in the place of a type of this package.
STATED_AS = {"Criticality": "str"}
#: What a project may have that the resolver takes over or overlays.
PROJECT = {
    "TIME_ZONE": "UTC",
    "LANGUAGE_CODE": "en-us",
    "WAGTAILSEARCH_BACKENDS": {"default": {"BACKEND": "wagtail.search.backends.database"}},
    "CACHE_MIDDLEWARE_KEY_PREFIX": "",
    "SECURE_CSP": {"img-src": ["'self'"]},
    "SECURE_CSP_REPORT_ONLY": {"img-src": ["'self'"]},
    "LOGGING": {"version": 1, "handlers": {"console": {"class": "logging.StreamHandler"}}},
    "SESSION_ENGINE": "django.contrib.sessions.backends.file",
    "TASKS": {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}},
    "WAGTAILADMIN_NOTIFICATION_FROM_EMAIL": "webmaster@example.org",
    "WAGTAILAPI_BASE_URL": "https://www.example.org",
    "WAGTAILFRONTENDCACHE_LOCATION": "http://127.0.0.1:6081",
}
# Which of these are set depends on the version of Django.
MAIL = dict.fromkeys(REPLACED, "The site's own mail server, before Django 6.1; removed if MAILERS replaces it.")


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def command_parsers() -> dict[str, tuple[BaseCommand, argparse.ArgumentParser]]:
    """Return every command of the package with its parser, by name."""
    found = {}
    for module in pkgutil.iter_modules(command_modules.__path__):
        command = importlib.import_module(f"{command_modules.__name__}.{module.name}").Command()
        found[module.name] = (command, command.create_parser("manage.py", module.name))
    return found


def own_actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the arguments that the command itself declares; Django's own are documented by Django."""
    return [action for action in parser._actions if not set(action.option_strings) & DjangoHelpFormatter.show_last]


def commands() -> str:
    return "\n\n".join(command_section(name, command, parser) for name, (command, parser) in command_parsers().items())


def command_section(name: str, command: BaseCommand, parser: argparse.ArgumentParser) -> str:
    rows = []
    for action in own_actions(parser):
        if "--help" in action.option_strings:
            continue
        metavar = action.metavar if isinstance(action.metavar, str) else ""
        words = " ".join([*action.option_strings[-1:], metavar]).strip()
        rows.append([f"`{words}`", f"{str(action.help)[:1].upper()}{str(action.help)[1:]}."])
    text = f"## `{name}`\n\n{command.help}\n\n{table(['Argument', 'Meaning'], rows)}"
    return f"{text}\n\n```text\n{parser.epilog.strip()}\n```" if parser.epilog else text


def process_options(make_parser: Callable[[], argparse.ArgumentParser]) -> str:
    """Return the options of a process that is no command of Django."""
    parser = make_parser()
    rows = []
    for action in parser._actions:
        if action.option_strings and "--help" not in action.option_strings:
            metavar = action.metavar if isinstance(action.metavar, str) else ""
            words = " ".join([*action.option_strings[-1:], metavar]).strip()
            rows.append([f"`{words}`", f"{str(action.help)[:1].upper()}{str(action.help)[1:]}."])
    return f"{table(['Option', 'Meaning'], rows)}\n\n```text\n{str(parser.epilog).strip()}\n```"


def agent_keys() -> str:
    """Return the keys of the table [agent] of the node file."""
    rows = []
    for one in fields(AgentOptions):
        default = "required" if one.default is MISSING else key_default(one.default)
        rows.append([f"`{one.name}`", default, one.metadata["meaning"]])
    return table(["Key", "Default", "Meaning"], rows)


def key_default(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, int | float) else "none"


def operator() -> str:
    """Return the commands of the operator, with their options."""
    parser = operator_command.make_parser()
    (commands,) = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    meanings = {choice.dest: str(choice.help) for choice in commands._choices_actions}
    common = {"folder", "development", "database", "help"}
    rows = []
    for name, inner in commands.choices.items():
        words = [f"`{option_words(action)}`: {action.help}" for action in inner._actions if action.dest not in common]
        rows.append([f"`{name}`", f"{meanings[name][:1].upper()}{meanings[name][1:]}.", "; ".join(words)])
    run = commands.choices["run"]
    for action in run._actions:
        if action.dest in common - {"help"}:
            rows.append([f"`{option_words(action)}`", f"{str(action.help)[:1].upper()}{str(action.help)[1:]}.", ""])
    listed = table(["Command or option", "Meaning", "Its own arguments"], rows)
    return f"{listed}\n\n```text\n{str(parser.epilog).strip()}\n```"


def option_words(action: argparse.Action) -> str:
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    return " ".join([*action.option_strings[-1:], metavar]).strip()


def job_kinds() -> str:
    """Return the kinds of jobs."""
    rows = [
        (
            f"`{kind.name}`",
            kind.meaning,
            " ".join(f"`{name}`: {one.meaning}" for name, one in kind.parameters.items()) or "none",
            "operators of the platform" if kind.for_operators else kind.right,
            f"each {kind.runner} that has the site" if kind.on_each else kind.runner,
            f"{kind.seconds} s",
        )
        for kind in KINDS.values()
    ]
    return table(("Kind", "What is done", "Parameters", "Right over the site", "Who does it", "At most"), rows)


def incident_kinds() -> str:
    """Return the kinds of incidents."""
    return table(("Kind", "What it means"), [(f"`{kind}`", meaning) for kind, meaning in INCIDENT_KINDS.items()])


def event_types() -> str:
    """Return the types of events."""
    return table(("Type", "What has happened"), [(f"`{name}`", title) for name, title in EVENT_TYPES.items()])


def settings_of(example: str | None) -> list[Setting]:
    """Return what the resolver sets for the first site of an example, or in build mode."""
    if example is None:
        return list(ResolvedSettings().settings(PROJECT))
    contents = open_registry(EXAMPLES / example, {}).load()
    own = {name for name, _ in contents.sites[0].project_settings}
    resolved = ResolvedSettings(contents.platform, contents.sites[0])
    return [setting for setting in resolved.settings(PROJECT) if setting.name not in own]


def settings() -> str:
    found = {
        setting.name: setting
        for name in ("servers.toml", "every-key.toml", "minimal.toml")
        for setting in settings_of(name)
    }
    inert = {setting.name: setting for setting in settings_of(None)}
    rules = {name: f"{setting.rule[:1].upper()}{setting.rule[1:]}." for name, setting in found.items()} | MAIL
    rules.setdefault("MAILERS", "Every alias is the site's own mail server, on Django 6.1 and later.")
    rows = [[f"`{name}`", rules[name], inert_value(name, inert)] for name in sorted(rules)]
    return table(["Setting", "Rule", "In build mode"], rows)


def inert_value(name: str, inert: dict[str, Setting]) -> str:
    if name not in inert:
        return "the project's"
    if name == "SECRET_KEY":
        return "random"
    return f"`{mask_value(inert[name].value)}`"


def keys_of(table_name: str) -> str:
    """Return the keys of one table of a registry."""
    found = [key for key in declared() if key.table == table_name]
    has_kinds = any(key.kind for key in found)
    kind = [key.name.capitalize() for key in found if key.name in ("engine", "backend")] if has_kinds else []
    rows = [[f"`{key.name}`", *([key.kind] if has_kinds else []), typed(key), shown(key), key.meaning] for key in found]
    return table(["Key", *kind, "Type", "Default", "Meaning"], rows)


def typed(key: Key) -> str:
    """Return a key's type, with a link to the table that it holds."""
    label = key.name if key.name in table_names() else key.path
    is_elsewhere = label in table_names() and key.type.endswith("table")
    return f"[{key.type}](#{label.replace('.', '')})" if is_elsewhere else key.type


def shown(key: Key) -> str:
    return f"`{key.default}`" if LITERAL.match(key.default) else key.default


def example_plan(example: str) -> Plan:
    """Return what the emitters would be given for an example registry."""
    contents = open_registry(EXAMPLES / example, {}).load()
    codebase = Codebase(
        directory=Path("/srv/project"),
        virtualenv=Path("/srv/venv"),
        wsgi="mysite.wsgi:application",
        settings_module="mysite.settings.production",
        static_root=Path("/srv/project/static"),
    )
    source = "/srv/project/sites.toml"
    return Plan(contents.platform, contents.enabled, codebase, source, Path("/etc/multihost"), source=source)


#: Examples whose files are listed besides those of a plain one, and what it is in them that brings more.
BRINGING = {
    "embedded.toml": "with `platform.uwsgi.http`",
    "gunicorn.toml": 'with `platform.runner = "gunicorn"`',
    "every-key.toml": "",
}
#: The example whose files each target always has.
PLAIN = {"embedded": "embedded.toml"}
#: Targets that an example is not for.
UNFIT = {
    *(("uwsgi", "gunicorn.toml"), ("uwsgi", "every-key.toml"), ("systemd", "every-key.toml")),
    *(("embedded", "gunicorn.toml"), ("embedded", "every-key.toml")),
}
#: Parts of the names of files that something else brings.
BROUGHT = {
    "50-site.conf": "for what the site states of its own",
    "multihost-snapshot": "with `platform.snapshots`",
    "multihost-publish": "if `publish` is not 0",
    "multihost-emperor": 'with `platform.runner = "uwsgi"`',
    "nginx/sites/": "for options that nginx does not accept variables for",
    "health.conf": "if `health_from` is stated",
    "balancers.conf": "if `health_from` is stated",
    "limits.conf": "if a `rate` or `client_connections` is stated",
    "cache.conf": "if any pages are kept",
    "buckets.conf": "if `bucket_media` is not off",
    "upstreams.conf": "with `platform.nodes`",
}


def emitted_files() -> str:
    rows = []
    for target in emitters():
        plain = {file.path for file in emit(target, example_plan(PLAIN.get(target, "street.toml")))}
        for example, brought in BRINGING.items():
            if (target, example) in UNFIT:
                continue
            for file in emit(target, example_plan(example)):
                path = str(file.path).replace(file.site, "SITE") if file.site else str(file.path)
                when = "always" if file.path in plain else brought
                when = next((reason for part, reason in BROUGHT.items() if part in path), when)
                rows.append((target, f"`{path}`", "each site" if file.site else "all sites", f"{file.mode:04o}", when))
    return table(["Target", "File", "Belongs to", "Mode", "Written"], dict.fromkeys(rows))


def health_options() -> str:
    """Return the keys of ``MULTIHOST_HEALTH``."""
    rows = [
        [
            f"`{key.name.upper()}`",
            key.metadata[DECLARED].kind.label,
            literal(key.default),
            key.metadata[DECLARED].meaning,
        ]
        for key in fields(HealthOptions)
    ]
    names = ", ".join(f"`{name}`" for name in DEFAULT_PROBES)
    probes = ["`PROBES`", "dictionary", names, "[The probes](#probes), under names of your own; they replace these."]
    return table(["Key", "Type", "Default", "Meaning"], [*rows, probes])


def literal(value: object) -> str:
    """Return a default as a settings module would have it."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, tuple):
        return f"`[{', '.join(literal(item).strip('`') for item in value)}]`"
    return f"`{value}`"


def probe_classes(*, all_extras: bool = False) -> dict[str, type[Probe]]:
    """
    Return every probe of the package by its dotted path. Those whose extra is not installed are left out, or with
    ``all_extras`` raise ImportError, as conf.py wants it.
    """
    found = {}
    for package in (probe_modules, contrib_modules):
        for name in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
            try:
                module = importlib.import_module(f"{package.__name__}.{name}")
            except ImportError:
                if all_extras or package is not contrib_modules:
                    raise
                continue
            for value in vars(module).values():
                # isinstance() would ask Django's lazy settings, which are not configured.
                if issubclass(type(value), type) and issubclass(value, Probe) and value.__module__ == module.__name__:
                    found[f"{module.__name__}.{value.__name__}"] = value
    return found


def default_of(option: Field[Any]) -> object:
    return option.default if option.default_factory is MISSING else option.default_factory()


def own_options(probe: type[Probe]) -> list[Field[Any]]:
    """Return the options that not every probe has, or that have another default here."""
    common = {option.name: default_of(option) for option in fields(Probe)}
    return [
        option
        for option in fields(probe)
        if option.init and (option.name not in common or common[option.name] != default_of(option))
    ]


def option_rows(options: Iterable[Field[Any]]) -> str:
    rows = [
        [
            f"`{option.name}`",
            f"`{STATED_AS.get(option.type, option.type)}`",
            shown_default(option),
            option.metadata["meaning"],
        ]
        for option in options
    ]
    return table(["Option", "Type", "Default", "Meaning"], rows)


def shown_default(option: Field[Any]) -> str:
    return REQUIRED if is_required(option) else literal(default_of(option))


def probe_options() -> str:
    """Return the options that all probes have."""
    return option_rows(fields(Probe))


def probe_codes() -> str:
    """Return the codes that any probe may have."""
    return code_rows(CODES)


def code_rows(codes: Mapping[str, str]) -> str:
    return table(["Code", "Meaning"], [[f"`{code}`", meaning] for code, meaning in codes.items()])


def probes() -> str:
    return "\n\n".join(probe_section(path, probe) for path, probe in probe_classes().items())


def probe_section(path: str, probe: type[Probe]) -> str:
    names = [name for name, table in DEFAULT_PROBES.items() if table["BACKEND"] == path]
    facts = [
        "It is about the container, not about one site." if probe.is_shared else "It is about the site.",
        *(f"It runs by default, as `{name}`." for name in names),
    ]
    parts = [f"### `{path}`", ROLE.sub(r"`\1`", dedent(f"    {probe.__doc__}".lstrip("\n")).strip()), " ".join(facts)]
    if own_options(probe):
        parts.append(option_rows(own_options(probe)))
    if probe.codes:
        parts.append(code_rows(probe.codes))
    return "\n\n".join(parts)


def checks() -> str:
    """Return each id with the first line of its section, which is what was found."""
    text = (Path(__file__).parent / "reference" / "checks.md").read_text(encoding="utf-8")
    sections = re.findall(r"^## `(.*)`\n\n(.*)$", text, re.MULTILINE)
    rows = [[f"[`{name}`](checks.md#{name.lower().replace('.', '')})", found] for name, found in sections]
    return table(["Id", "What was found"], rows)


def control_api() -> str:
    """Return the operations of the control app's API, as the committed copy of its OpenAPI document has them."""
    document = json.loads(CONTROL_API.read_text(encoding="utf-8"))
    rows = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            address = path.removeprefix(CONTROL_ROOT)
            query = [one["name"] for one in operation["parameters"] if one["in"] != "path"]
            statuses = ", ".join(sorted(operation["responses"]))
            names = ", ".join(f"`{name}`" for name in query)
            rows.append([f"`{method.upper()} {address}`", f"{operation['summary']}.", names, statuses])
    return table(["Operation", "What it does", "Parameters and headers", "Answers"], rows)


PARTS: dict[str, Callable[[], str]] = {
    "agent": partial(process_options, agent_command.make_parser),
    "agent_keys": agent_keys,
    "checks": checks,
    "commands": commands,
    "control_api": control_api,
    "courier": partial(process_options, courier_command.make_parser),
    "incident_kinds": incident_kinds,
    "job_kinds": job_kinds,
    "monitor": partial(process_options, monitor_command.make_parser),
    "operator": operator,
    "emitted_files": emitted_files,
    "event_types": event_types,
    "health_options": health_options,
    "probe_codes": probe_codes,
    "probe_options": probe_options,
    "probes": probes,
    "settings": settings,
    **{f"keys_{name.replace('.', '_')}": partial(keys_of, name) for name in table_names()},
}
