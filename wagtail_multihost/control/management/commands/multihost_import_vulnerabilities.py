"""Take over what pip-audit has found."""

from __future__ import annotations

import sys
from typing import Any, ClassVar

from django.core.management.base import CommandParser

from wagtail_multihost.control.command import ControlCommand, own_authority
from wagtail_multihost.control.vulnerabilities import MOST_BYTES, parse_audit, save_audits
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.management.command import COULD_NOT_BE_DONE

STDIN = "-"


class Command(ControlCommand):
    help = (
        "Take over what pip-audit has found (pip-audit --format json), so that the sites that run these versions are "
        "marked. What an audit covers replaces what was known of it; nothing is fetched."
    )
    exit_codes: ClassVar = {"0": "done", "2": COULD_NOT_BE_DONE}
    examples = (
        "manage.py multihost_import_vulnerabilities audit.json",
        "pip-audit --format json | manage.py multihost_import_vulnerabilities -",
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "files", nargs="+", metavar="FILE", help=f"what pip-audit printed; {STDIN} reads from the standard input"
        )

    def work(self, **options: Any) -> None:
        authority = own_authority()
        audits = [parse_audit(read_audit(name), name) for name in options["files"]]
        save_audits(authority, audits)
        for name, audit in zip(options["files"], audits, strict=True):
            skipped = f" {audit.skipped} were left out, which have no version." if audit.skipped else ""
            self.stdout.write(f"{name}: {len(audit.audited)} packages, {len(audit.found)} vulnerabilities.{skipped}")


def read_audit(name: str) -> bytes:
    try:
        if name == STDIN:
            data = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with open(name, "rb") as file:
                data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise ConfigurationError.because(f"It cannot be read: {error.strerror}.", where=name) from None
    if len(data) > MOST_BYTES:
        raise ConfigurationError.because(f"It is longer than {MOST_BYTES:,} bytes.", where=name)
    return data
