"""What all ``multihost_…`` commands have in common."""

from __future__ import annotations

import os
import select
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper

from wagtail_multihost.exceptions import COULD_NOT, MultihostError
from wagtail_multihost.spec.printing import escape_unprintable

NO_READER = 128 + 13  # what shells report of a program that SIGPIPE ended


class Printed:
    """A command's output stream that shows control sequences, which a site may have written, escaped."""

    def __init__(self, stream: OutputWrapper | Printed) -> None:
        self.stream = stream

    def write(self, text: str = "", style_func: Callable[[str], str] | None = None, ending: str | None = None) -> None:
        self.stream.write(escape_unprintable(text), style_func, ending)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class MultihostCommand(BaseCommand):
    """A command that runs without a site and a database, and exits 2 with a report when it cannot do its work."""

    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--registry",
            metavar="URL",
            help=(
                "the registry: a TOML file, a folder of snapshots, a file of one site's variables (.env), or env: for "
                "environment variables (default: MULTIHOST_REGISTRY, or sites.toml in the working folder)"
            ),
        )

    def run_from_argv(self, argv: list[str]) -> None:
        """Exit quietly, as other programs do, when the reader of the output has gone: ``| head -1``, or ``>&-``."""
        if sys.stdout is None:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # for as long as the process lives
            self.stdout = OutputWrapper(sys.stdout)
        try:
            try:
                super().run_from_argv(argv)
            finally:
                sys.stdout.flush()
        except BrokenPipeError:
            left = [stream for stream in (sys.stdout, sys.stderr) if has_no_reader(stream)]
            if not left:  # it was another pipe, or a connection
                raise
            # Python writes what is left when it exits (https://docs.python.org/3/library/signal.html#note-on-sigpipe).
            for stream in left:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            sys.exit(NO_READER)

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.stderr = Printed(self.stderr)  # type: ignore[assignment]  # it has what commands use of one
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout = Printed(self.stdout)  # type: ignore[assignment]
        try:
            self.run(**options)
        except MultihostError as error:
            raise CommandError(str(error), returncode=COULD_NOT) from None
        finally:
            # Before an error is reported: if the reader of the output has gone, the command exits quietly instead.
            self.stdout.flush()

    def caution(self, sentences: Iterable[str], verbosity: int) -> None:
        """Write sentences to stderr, unless ``verbosity`` is 0."""
        for sentence in sentences if verbosity >= 1 else ():
            self.stderr.write(f"Caution: {sentence}", self.style.WARNING)

    @abstractmethod
    def run(self, **options: Any) -> None:
        """Do the command's work; a MultihostError becomes the report."""


def has_no_reader(stream: TextIO) -> bool:
    """Return whether ``stream`` is a pipe whose reader has gone."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # it is not a file
        return False
    poll = select.poll()
    poll.register(descriptor, 0)  # errors are always reported
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))
