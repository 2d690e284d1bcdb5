"""Seal the derived keys of sites, for the operator of a managed fleet."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import Any, ClassVar

from django.core.management.base import CommandError, CommandParser

from wagtail_multihost.exceptions import COULD_NOT
from wagtail_multihost.files.writing import NewFile, write_files
from wagtail_multihost.management.command import MultihostCommand
from wagtail_multihost.management.progress import choose_watch
from wagtail_multihost.nodeapi.operator_v1 import FALLBACKS, SECRET_KEY
from wagtail_multihost.resolver.secret_key import with_own_keys
from wagtail_multihost.running import registry_of
from wagtail_multihost.sealing import (
    IN_TRANSIT,
    SEALED_FORMAT,
    fingerprint_of,
    parse_public_key,
    purpose_of,
    seal_text,
)
from wagtail_multihost.spec.site import SiteSpec


class Command(MultihostCommand):
    help = (
        "Seal the keys that sites derive from the platform's key, so that the nodes of a managed fleet go on with the "
        "same ones: visitors stay logged in. Run it on the machine that has the platform's key, which stays there. "
        "The file can be opened by the operator's recovery key alone: multihost-operator take FILE. Sites with a key "
        "of their own in a file or a variable are left out."
    )
    exit_codes: ClassVar = {"0": "done", "2": "the registry is not valid, or the file could not be written"}
    json_help = "print the ids of the sites whose keys are in the file, as JSON"
    examples = (
        "manage.py multihost_seal_keys --recipient KEY --output keys.json",
        "manage.py multihost_seal_keys --recipient KEY --output keys.json --site aurora",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--recipient", required=True, metavar="KEY", help="what multihost-operator init prints after: recovery"
        )
        parser.add_argument("--output", type=Path, required=True, metavar="FILE", help="the file to write")
        parser.add_argument("--site", nargs="+", action="extend", default=[], metavar="ID", help="only these sites")

    def run(self, **options: Any) -> None:
        try:
            recovery = parse_public_key(options["recipient"])
        except ValueError as error:
            raise CommandError(f"--recipient: {error}", returncode=COULD_NOT) from None
        registry, watch = registry_of(options["registry"]), choose_watch(options)
        known = [site.id for site in registry.load(requires_pins=False, watch=watch).sites]
        if unknown := sorted(set(options["site"]).difference(known)):
            raise CommandError(f"The registry has no site {', '.join(unknown)}.", returncode=COULD_NOT)
        contents = registry.read_sites(options["site"] or known, watch=watch)
        derived = [with_own_keys(contents.platform, site) for site in contents.sites if site.secret_key is None]
        document = {
            "format": SEALED_FORMAT,
            "recovery": fingerprint_of(recovery),
            "sites": {str(site.uid): seal_keys(site, recovery) for site in derived},
        }
        path = os.path.abspath(options["output"])
        try:
            write_files([NewFile(path, f"{json.dumps(document, indent=1)}\n".encode())])
        except OSError as error:
            raise CommandError(f"{path}: It cannot be written: {error.strerror}.", returncode=COULD_NOT) from None
        if options["json"]:
            self.print_json({"sites": [site.id for site in derived]})
        elif options["verbosity"] >= 1:
            self.stderr.write(f"The keys of {len(derived)} sites are sealed in {path}.")


def seal_keys(site: SiteSpec, recovery: bytes) -> dict[str, str]:
    """Return the keys of a site that has keys of its own, sealed, by the paths of theirs in its record."""
    former = json.dumps([key.reveal() for key in site.secret_key_fallbacks])
    texts = {SECRET_KEY: site.secret_key.reveal() if site.secret_key else "", FALLBACKS: former}
    return {
        field: base64.b64encode(seal_text(text, recovery, purpose_of(str(site.uid), field, IN_TRANSIT))).decode()
        for field, text in texts.items()
    }
