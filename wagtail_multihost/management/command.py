"""What all ``multihost_…`` commands have in common."""

from __future__ import annotations

import json
import os
import select
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, TextIO

from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper

from wagtail_multihost.epilog import format_epilog
from wagtail_multihost.exceptions import COULD_NOT, MultihostError, problems_of
from wagtail_multihost.management.help import HelpFormatter
from wagtail_multihost.spec.printing import escape_unprintable

COULD_NOT_BE_DONE = "could not be done"
NO_READER = 128 + 13  # what shells report of a program that SIGPIPE ended


class Printed:
    """A command's output stream that shows control sequences, which a site may have written, escaped."""

    def __init__(self, stream: OutputWrapper | Printed) -> None:
        self.stream = stream
        self.is_blank = True

    def write(self, text: str = "", style_func: Callable[[str], str] | None = None, ending: str | None = None) -> None:
        self.is_blank = False
        self.stream.write(escape_unprintable(text), style_func, ending)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


class MultihostCommand(BaseCommand):
    """A command that runs without a site and a database, and exits 2 with a report when it cannot do its work."""

    requires_system_checks: list[str] = []
    #: What scripts rely on: each exit code with its meaning.
    exit_codes: ClassVar[Mapping[str, str]] = {"0": "done", "2": COULD_NOT_BE_DONE}
    examples: ClassVar[tuple[str, ...]] = ()
    #: What ``--json`` prints; blank for a command that has no data, or declares the option itself.
    json_help: ClassVar[str] = ""
    reads_registry: ClassVar[bool] = True
    #: What the help says after the examples.
    note: ClassVar[str] = ""

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **options)
        # Not as options: the method that django-configurations puts in the place of Django's takes none.
        parser.epilog, parser.formatter_class = format_epilog(self.exit_codes, self.examples, self.note), HelpFormatter
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        if self.reads_registry:
            parser.add_argument(
                "--registry",
                metavar="URL",
                help=(
                    "the registry: a TOML file, a folder of snapshots, a file of one site's variables (.env), "
                    "postgres://HOST/DATABASE, or env: for environment variables (default: MULTIHOST_REGISTRY, or "
                    "sites.toml in the working folder)"
                ),
            )
        if self.json_help:
            parser.add_argument("--json", action="store_true", help=f"{self.json_help}; problems are JSON too")

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
        except (CommandError, MultihostError) as error:
            self.print_problems(error, as_json=options.get("json", False))
            if isinstance(error, CommandError):
                raise
            raise CommandError(str(error), returncode=COULD_NOT) from None
        finally:
            # Before an error is reported: if the reader of the output has gone, the command exits quietly instead.
            self.stdout.flush()

    def print_problems(self, error: Exception, *, as_json: bool) -> None:
        """Print as JSON why there is no data; what was printed before is one whole document, and stays the only one."""
        out: Any = self.stdout  # one of those above
        if as_json and out.is_blank:
            self.print_json({"problems": [problem.as_row() for problem in problems_of(error)]})

    def print_json(self, data: object) -> None:
        """Print the one document of ``--json``."""
        self.stdout.write(json.dumps(data, indent=2))

    def caution(self, sentences: Iterable[str], verbosity: int) -> None:
        """Write sentences to stderr, unless ``verbosity`` is 0."""
        for sentence in sentences if verbosity >= 1 else ():
            self.stderr.write(f"Caution: {sentence}", self.style.WARNING)

    def tell(self, sentence: str) -> None:
        """Write to stderr, whatever ``--verbosity`` is, what nobody may miss."""
        self.caution([sentence], 1)

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
