"""
Show every setting of a site and where it came from, what a change of its keys invalidates, what would change for a
project that runs already, or all registry keys.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.conf import global_settings, settings
from django.core.management.base import CommandError, CommandParser

from wagtail_multihost.exceptions import COULD_NOT
from wagtail_multihost.management.against import lines_against, rows_against
from wagtail_multihost.management.command import MultihostCommand
from wagtail_multihost.project import project_settings
from wagtail_multihost.registry import Registry
from wagtail_multihost.registry.keys import Key, declared
from wagtail_multihost.registry.keys.schema import json_schema
from wagtail_multihost.registry.lines import located_labels
from wagtail_multihost.resolver.explain import Located, Row, explain, explain_project, site_facts
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.resolver.rotation import HOW_TO, SiteCredential, site_credentials
from wagtail_multihost.running import current, registry_of
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

HEADINGS = {
    "fact": "Who the site is, and where its data goes",
    "setting": "Settings that its process gets",
    "project": "Settings of the project that every site shares",
}


class Command(MultihostCommand):
    help = (
        "Show who a site is, where its data goes, and every setting that its process gets: the value (secrets as ***), "
        "the rule that made it, the key that it was read from, with file and line, and what it replaced. None of the "
        "site's secrets is read, except with --against. Secrets in the project's own settings are recognised by name, "
        "in URLs, or by how they look; read the output before you share it."
    )
    exit_codes: ClassVar = {
        "0": "done, also where --against finds differences",
        "2": "the site is unknown, disabled or has problems, the module of --against cannot be used, or the arguments "
        "do not fit together",
    }
    examples = (
        "manage.py multihost_explain aurora",
        "manage.py multihost_explain aurora --rotation",
        "manage.py multihost_explain --variables",
        "manage.py multihost_explain --schema > sites.schema.json",
    )
    json_help = "print one JSON array"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("site", metavar="SITE", nargs="?", help="the id of the site")
        parser.add_argument(
            "--all", action="store_true", help="also show the project's own settings that differ from Django's defaults"
        )
        parser.add_argument(
            "--rotation",
            action="store_true",
            help=(
                "instead, show each key and password of the site, where it is kept, and what stops working when it is "
                "changed: sessions, links in mails, queued tasks. Nothing is changed"
            ),
        )
        parser.add_argument(
            "--against",
            metavar="MODULE",
            help="show instead what would change for a project that runs with this settings module today, without "
            "resolve(): each setting now and then, what that means for the live site, and the key that keeps it. Keys "
            "and passwords are read to compare them, and never shown",
        )
        parser.add_argument(
            "--variables",
            action="store_true",
            help="without a site: list every key that a registry accepts, and the variable that sets it",
        )
        parser.add_argument(
            "--schema",
            action="store_true",
            help="without a site: print the JSON Schema of a registry file, with which editors complete and check it",
        )

    def run(self, **options: Any) -> None:
        refuse_arguments(options)
        if options["variables"]:
            self.report([row_of_key(key) for key in declared()], map(lines_of_key, declared()), **options)
            return
        if options["schema"]:
            self.print_json(json_schema())
            return
        self.run_for_site(**options)

    def run_for_site(self, **options: Any) -> None:
        registry = registry_of(options["registry"])
        platform, site = registry.site(options["site"], reads_secrets=False)
        located = located_labels(registry)
        if options["rotation"]:
            refuse_snapshots(registry)
            self.report_rotation(list(site_credentials(platform, site, located)), **options)
        elif options["against"]:
            self.report_differences(platform, site, **options)
        else:
            self.report_settings(ResolvedSettings(platform, site), located, **options)

    def report_rotation(self, found: list[SiteCredential], **options: Any) -> None:
        texts = [*map(lines_of_credential, found), [f"How to change them: {HOW_TO}"]]
        self.report([entry._asdict() for entry in found], texts, **options)

    def report_differences(self, platform: PlatformSpec, site: SiteSpec, /, **options: Any) -> None:
        project = project_settings()
        own = current_settings(project) if current() else {}
        rows = rows_against(options["against"], platform, site, own)
        self.report(rows, lines_against(options["against"], rows, has_own=bool(own)), **options)

    def report_settings(self, resolved: ResolvedSettings, located: Located, **options: Any) -> None:
        project = project_settings()
        parts = [site_facts(resolved, located), explain(resolved, project, located)]
        if options["all"]:
            parts.append(explain_project(resolved, project, current_settings(project), vars(global_settings)))
        rows = [row for part in parts for row in part]
        self.report(rows, (lines for part in parts for lines in lines_of_rows(part)), **options)

    def report(self, rows: list[Any], texts: Iterable[list[str]], **options: Any) -> None:
        """Print ``rows`` for machines, or the lines of each for readers, the first as a heading."""
        if options["json"]:
            self.print_json(rows)
            return
        for first, *rest in texts:
            self.stdout.write(self.style.MIGRATE_HEADING(first))
            for line in rest:
                self.stdout.write(f"    {line}")


def refuse_arguments(options: Mapping[str, Any]) -> None:
    """Raise CommandError unless the arguments ask for one thing."""
    general = [option for option in ("variables", "schema") if options[option]]
    chosen = [option for option in ("all", "rotation", "against") if options[option] not in (None, False)]
    if general and (options["site"] is not None or chosen or len(general) > 1):
        message = f"--{general[0]} applies to any registry: give neither a site nor other options but --json."
        raise CommandError(message, returncode=COULD_NOT)
    if options["site"] is None and not general:
        raise CommandError("Name a site, or give --variables or --schema.", returncode=COULD_NOT)
    if len(chosen) > 1:
        raise CommandError(f"Give either {' or '.join(f'--{option}' for option in chosen)}.", returncode=COULD_NOT)
    if options["against"] is not None and not options["against"].strip():
        raise CommandError("--against names no settings module.", returncode=COULD_NOT)


def refuse_snapshots(registry: Registry) -> None:
    """Raise CommandError for snapshots: they have the keys, and not how these were made."""
    from wagtail_multihost.registry.snapshot import SnapshotRegistry  # loaded only for --rotation

    if isinstance(registry, SnapshotRegistry):
        origins = " or ".join(sorted({str(snapshot.document["registry"]) for snapshot in registry.read.values()}))
        message = f"Keys cannot be changed in snapshots. Name the registry that they were written from: {origins}"
        raise CommandError(message, returncode=COULD_NOT)


def current_settings(project: Mapping[str, object]) -> dict[str, object]:
    """Return the settings of this process that the resolver did not make, and the project's values for the others."""
    running = current()
    made = running.values if running else {}
    stated = [name for name in dir(settings) if name.isupper() and settings.is_overridden(name) and name not in made]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Django warns of deprecated settings when they are read
        return {**project, **{name: getattr(settings, name) for name in stated if hasattr(settings, name)}}


def lines_of_rows(rows: list[Row]) -> Iterable[list[str]]:
    for index, row in enumerate(rows):
        if index == 0:
            yield [f"# {HEADINGS[str(row['kind'])]}"]
        # The reference says what a fact means, and nothing more is known about the project's settings.
        shown = {"setting": ("rule", "source"), "fact": ("source",)}.get(str(row["kind"]), ())
        origin = "; ".join(str(row[key]) for key in shown if row[key])
        note = [f"overrides the project's {json.dumps(row['overrode'])}"] if row["overrides"] else []
        yield [f"{row['name']} = {json.dumps(row['value'])}", *([origin] if origin else []), *note]


def lines_of_credential(credential: SiteCredential) -> list[str]:
    origin = "; ".join(part for part in (credential.made, credential.source) if part)
    return [
        credential.name,
        origin,
        "A change invalidates:",
        *(f"- {sentence}" for sentence in credential.invalidates),
    ]


def row_of_key(key: Key) -> dict[str, Any]:
    """Return the declaration of a key, and the variables that set it, as JSON prints them."""
    row = {name: value for name, value in key._asdict().items() if name not in ("shape", "reader", "schema")}
    return {**row, "path": key.path, "variables": list(key.variables)}


def lines_of_key(key: Key) -> list[str]:
    kind = f" ({key.kind})" if key.kind else ""
    return [f"{key.path}{kind}", f"{key.type}; default: {key.default}", key.meaning, ", ".join(key.variables)]
