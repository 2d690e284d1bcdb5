"""Print what sites have used in a month."""

from __future__ import annotations

from typing import Any, ClassVar

from django.core.management.base import CommandParser

from wagtail_multihost.control.changes import NotAllowedError
from wagtail_multihost.control.command import ControlCommand, own_authority
from wagtail_multihost.control.database_time import database_time
from wagtail_multihost.control.jobs import RefusedJobError, want_job
from wagtail_multihost.control.models import ManagedSite
from wagtail_multihost.control.spreadsheets import csv_text
from wagtail_multihost.control.usage import SiteUsage, parse_month, read_usage, sites_used
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.management.command import COULD_NOT_BE_DONE
from wagtail_multihost.nodeapi.job_kinds import MEASURE_SITE


class Command(ControlCommand):
    help = (
        "Print what each site has used in a month, as CSV: requests and bytes of visitors, the size of its database "
        "and its files as measured last, and the CPU time and the most memory of its processes where nodes count them. "
        "With --measure, ask for all enabled sites to be measured instead."
    )
    exit_codes: ClassVar = {"0": "done", "2": COULD_NOT_BE_DONE}
    examples = (
        "manage.py multihost_usage --month 2026-11 > usage.csv",
        "manage.py multihost_usage --json",
        "manage.py multihost_usage --measure",
    )
    json_help = "print it as JSON"

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--month", metavar="MONTH", help="such as 2026-11, in UTC (default: this month)")
        parser.add_argument(
            "--measure", action="store_true", help="ask nodes to measure the databases and the files of all sites"
        )

    def work(self, **options: Any) -> None:
        if options["measure"]:
            self.measure()
            return
        try:
            month = parse_month(options["month"] or f"{database_time():%Y-%m}")
        except ValueError as error:
            raise ConfigurationError.because(str(error), where="--month") from None
        rows = [*read_usage(sites_used(own_authority(), month), month)]
        if options["json"]:
            self.print_json([row_as_json(row, f"{month:%Y-%m}") for row in rows])
        else:
            text = csv_text(("month", *SiteUsage._fields), [(f"{month:%Y-%m}", *cells_of(row)) for row in rows])
            self.stdout.write(text, ending="")

    def measure(self) -> None:
        """Ask for each enabled site; those that no node has are left out."""
        authority, wanted, left_out = own_authority(), 0, 0
        for site in ManagedSite.objects.filter(retired_at=None, enabled=True).order_by("identifier"):
            try:
                want_job(authority, MEASURE_SITE, site, {})
                wanted += 1
            except (RefusedJobError, NotAllowedError):
                left_out += 1
        self.stdout.write(f"{wanted} sites are to be measured.")
        if left_out:
            self.stdout.write(f"{left_out} sites cannot be: no node has them, or too many jobs of theirs wait.")


def cells_of(row: SiteUsage) -> tuple[object, ...]:
    return tuple("" if cell is None else str(cell) if not isinstance(cell, int | float) else cell for cell in row)


def row_as_json(row: SiteUsage, month: str) -> dict[str, object]:
    seen_at = row.seen_at.isoformat() if row.seen_at else None
    return {"month": month, **row._asdict(), "uid": str(row.uid), "seen_at": seen_at}
