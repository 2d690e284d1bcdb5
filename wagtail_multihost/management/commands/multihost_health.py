"""Check how a site's processes are, ask a running server, or drain."""

from __future__ import annotations

import logging
import os
import pwd
import re
import sys
import time
import traceback
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, ClassVar

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from wagtail_multihost.exceptions import COULD_NOT, ConfigurationError, MultihostError
from wagtail_multihost.health.asking import (
    EXIT_CODES,
    FAIL,
    ServerQuery,
    add_arguments,
    drain_word,
    exit_code,
    format_reply,
    status_word,
)
from wagtail_multihost.health.drain import Drain
from wagtail_multihost.health.options import HealthSettings
from wagtail_multihost.health.process import health_settings, probe_entries, site_tokens
from wagtail_multihost.health.report import Report
from wagtail_multihost.identity.own import own_identity
from wagtail_multihost.management.as_site import own_identity_or_start
from wagtail_multihost.management.command import MultihostCommand
from wagtail_multihost.running import current, own_id
from wagtail_multihost.spec.permissions import ROOT
from wagtail_multihost.version import own_version

LEADING_WORD = re.compile(r"^(?:pass|warn|fail|draining)\b", re.MULTILINE)
NAME = __name__.rpartition(".")[2]


class Command(MultihostCommand):
    help = (
        "Run the health probes of a site in this process and show what they find; with --url, ask a running server "
        "instead. Or drain the site's processes in this container, so that they get no new visitors."
    )

    exit_codes: ClassVar = EXIT_CODES
    examples = (
        "manage.py multihost_health --site aurora",
        "manage.py multihost_health --site aurora --json \\",
        "    --url unix:/run/multihost/aurora.sock",
        "manage.py multihost_health --site aurora --token > token",
        "manage.py multihost_health --site aurora --drain --wait 10",
    )
    note = "multihost-health asks a server without loading the settings, and starts much faster."

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        return super().create_parser(prog_name, subcommand, **options, allow_abbrev=False)

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--site", metavar="ID", help="the id of the site (default: MULTIHOST_SITE)")
        work = add_arguments(parser, asks_always=False)
        work.add_argument("--token", action="store_true", help="print the token that the site's endpoint accepts")

    def run_from_argv(self, argv: list[str]) -> None:
        """Exit with a code that says what is known, with --probe 0 or 1, whatever goes wrong."""
        could_not = FAIL if "--probe" in argv else COULD_NOT
        try:
            super().run_from_argv(argv)
        except SystemExit as end:
            if "--probe" in argv and end.code not in (0, None):
                sys.exit(FAIL)
            raise
        except KeyboardInterrupt:
            sys.exit(could_not)
        except Exception:
            traceback.print_exc()
            drop_output()
            sys.exit(could_not)

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["probe"]:
            super().handle(*args, **options)
            return
        try:
            with silent_logs():
                self.run(**options)
        except MultihostError as error:
            self.stdout.write(" ".join(str(error).split()))
            sys.exit(FAIL)
        finally:
            self.stdout.flush()

    def run(self, **options: Any) -> None:
        if options["site"]:
            own_identity_or_start(NAME, options["site"], options["registry"])
        elif not options["url"]:
            refuse_no_site()
        stated = health_settings()
        if options["token"]:
            self.print_token()
        elif options["url"]:
            self.ask(stated, Namespace(**options))
        elif options["drain"] or options["undrain"]:
            self.drain(stated, **options)
        else:
            self.look(stated, **options)

    def print_token(self) -> None:
        if not own_id():
            raise ConfigurationError.because("No site is named, so there is no token: give --site.", where="--site")
        self.stdout.write(site_tokens()[0])

    def ask(self, stated: HealthSettings, options: Namespace) -> None:
        """Ask the server at ``--url``."""
        token = site_tokens()[0] if own_id() else ""
        query = ServerQuery(options, prefix=stated.options.prefix, token=token, accounts=server_accounts())
        reply = query.reply()
        if options.drain or options.undrain:
            self.stdout.write(drain_word(reply))
            self.wait(options.drain, options.wait)
            return
        word = status_word(reply)
        text = word if options.probe else format_reply(reply, json=options.json)
        self.stdout.write(text, None if options.probe or options.json else self.coloured)
        self.end(word, probe=options.probe)

    def drain(self, stated: HealthSettings, **options: Any) -> None:
        """Write or remove the drain file: as the site's account, because its folder may hold links."""
        drain = Drain(stated.options.drain_file, own_id())
        if not stated.options.drain_file:
            self.caution(shared_folder_caution(), options["verbosity"])
        try:
            drain.begin() if options["drain"] else drain.end()
        except OSError as error:
            raise CommandError(f"{drain.path}: {error.strerror}", returncode=COULD_NOT) from None
        if drain.is_on() != options["drain"]:
            message = f"{drain.path}: The file was written or removed, but has no effect."
            raise CommandError(message, returncode=COULD_NOT)
        self.stdout.write(f"{'draining' if options['drain'] else 'serving'}: {drain.path}")
        self.wait(options["drain"], options["wait"])

    def wait(self, is_draining: bool, seconds: float) -> None:
        self.stdout.flush()
        time.sleep(seconds if is_draining else 0)

    def look(self, stated: HealthSettings, **options: Any) -> None:
        """Run the probes once, in this process."""
        from wagtail_multihost.health.sampler import run_once  # loaded only to run probes here

        site = own_id()
        with redirect_stdout(sys.stderr):  # for what a probe of the project's own prints
            report = run_once(probe_entries(stated, site), (site,) if site else (), stated.options)
        word = "draining" if Drain(stated.options.drain_file, site).is_on() else str(report.status)
        if options["probe"]:
            self.stdout.write(format_line(word, report))
        else:
            text = format_report("health.json" if options["json"] else "health.txt", word, report, stated, site)
            self.stdout.write(text, None if options["json"] else self.coloured)
        self.end(word, probe=options["probe"])

    def coloured(self, text: str) -> str:
        """Return ``text`` with coloured status words at the starts of its lines."""
        styles = {"pass": self.style.SUCCESS, "warn": self.style.WARNING}
        return LEADING_WORD.sub(lambda found: str(styles.get(found[0], self.style.ERROR)(found[0])), text)

    def end(self, word: str, *, probe: bool) -> None:
        if code := exit_code(word, probe=probe):
            sys.exit(code)


def drop_output() -> None:
    """Keep Python from writing again, at exit, what could not be written: it would change the exit code."""
    with suppress(OSError, ValueError):  # it is not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse_no_site() -> None:
    """Raise ConfigurationError where the project resolves sites and this process has none."""
    running = current()
    if running and running.site is None:
        raise ConfigurationError.because("No site is named: give --site, or set MULTIHOST_SITE.", where="--site")


def server_accounts() -> set[int]:
    """
    Return the accounts whose servers are sent the site's token: elsewhere a neighbour may be listening. This process
    runs as the site's account, or as one that the operator chose.
    """
    return {ROOT, os.geteuid(), *stated_account()}


def stated_account() -> Iterator[int]:
    own = own_identity()
    if own and (user := own.platform.account_of(own.site.id)):
        with suppress(KeyError):
            yield pwd.getpwnam(user).pw_uid


def shared_folder_caution() -> Iterator[str]:
    if own_id() and settings.FILE_UPLOAD_TEMP_DIR is None:
        yield (
            "The site has no folder of its own for temporary files, so its processes may look for the drain file "
            "elsewhere. Set DRAIN_FILE in MULTIHOST_HEALTH."
        )


def format_line(word: str, report: Report) -> str:
    """Return the status word and the codes of what is wrong, in one line."""
    reasons = [
        f"{result.entry.name} {outcome.code}"
        for result in report.results
        for outcome in result.outcomes
        if outcome.status
    ]
    return f"{word}: {', '.join(reasons)}" if reasons else word


def format_report(name: str, word: str, report: Report, stated: HealthSettings, site: str) -> str:
    """Return the report in the form of the endpoint's path ``name``, with all details."""
    from wagtail_multihost.health.formats import find_form
    from wagtail_multihost.health.seen import Health

    health = Health(
        word=word,
        report=report,
        details=True,
        now=time.monotonic(),
        prefix=stated.options.prefix,
        service=site,
        version=own_version(),
    )
    return find_form(name, "").write(health)[0].decode()


@contextmanager
def silent_logs() -> Iterator[None]:
    """Keep log messages of probes out of the output, which must be one line."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
