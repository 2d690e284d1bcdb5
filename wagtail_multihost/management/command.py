"""What all ``multihost_…`` commands have in common."""

from __future__ import annotations

import gc
import importlib.util
import os
import select
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser, OutputWrapper

from wagtail_multihost.exceptions import COULD_NOT, MultihostError
from wagtail_multihost.health.options import SETTING, stated_prefix
from wagtail_multihost.production.transport import Transport
from wagtail_multihost.registry import REGISTRY_VARIABLE, Registry, open_registry
from wagtail_multihost.resolver.resolved import latest
from wagtail_multihost.resolver.storages import media_url
from wagtail_multihost.spec.codebase import Codebase, protected
from wagtail_multihost.spec.printing import printable

PROGRESS_FROM = 500  # files
NO_READER = 128 + 13  # what shells report of a program that SIGPIPE ended


class Printed:
    """A stream of a command on which nothing steers the terminal that a site may have written: it is shown escaped."""

    def __init__(self, stream: OutputWrapper | Printed) -> None:
        self.stream = stream

    def write(self, text: str = "", style_func: Callable[[str], str] | None = None, ending: str | None = None) -> None:
        self.stream.write(printable(text), style_func, ending)

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
                "the registry: a TOML file, a folder of snapshots or env: (default: MULTIHOST_REGISTRY, or sites.toml "
                "in this folder)"
            ),
        )

    def run_from_argv(self, argv: list[str]) -> None:
        """End quietly, as other programs do, when who reads the output has gone: ``| head -1``, or ``>&-``."""
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
            # Python writes what is left when it ends (https://docs.python.org/3/library/signal.html#note-on-sigpipe).
            for stream in left:
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            sys.exit(NO_READER)

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.stderr = Printed(self.stderr)  # type: ignore[assignment]  # it has what is used of one
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout = Printed(self.stdout)  # type: ignore[assignment]
        try:
            self.run(**options)
        except MultihostError as error:
            raise CommandError(str(error), returncode=COULD_NOT) from None
        finally:
            # Before an error is told: where the reader of the output has gone, there is nobody to tell.
            self.stdout.flush()

    def caution(self, sentences: Iterable[str], verbosity: int) -> None:
        """Write sentences to stderr, unless nothing is to be said."""
        for sentence in sentences if verbosity >= 1 else ():
            self.stderr.write(f"Caution: {sentence}", self.style.WARNING)

    @abstractmethod
    def run(self, **options: Any) -> None:
        """Do the command's work; a MultihostError becomes the report."""


def has_no_reader(stream: TextIO) -> bool:
    """Return whether ``stream`` is a pipe that nobody reads any more."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):  # it is no file
        return False
    poll = select.poll()
    poll.register(descriptor, 0)  # errors are told of without being asked for
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


@contextmanager
def collector_paused() -> Iterator[None]:
    """
    Do without Python's cycle collector. All that is read from a registry is in use until the end, yet the
    collector would look through it again and again: a tenth of the time with 10,000 sites.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def registry_of(url: str | None) -> Registry:
    """Return the registry of a command's ``--registry``, or else the one that the settings module resolves."""
    applied = latest()
    if url is None and applied and REGISTRY_VARIABLE not in os.environ:
        return open_registry(applied.by.registry, os.environ)
    return open_registry(url, os.environ)


def progress(total: int) -> Any:
    """Return what wraps an iterable of ``total`` files with a progress bar, where there is someone to see it."""
    if total < PROGRESS_FROM or not sys.stderr.isatty():
        return iter
    from tqdm import tqdm  # loads only for who looks

    return lambda files: tqdm(files, total=total, unit=" files", leave=False)


def static_files() -> list[tuple[str, Path]]:
    """Return the folder of static files, which no site's files may be in, as ``Registry.load`` takes it."""
    return protected(Path(settings.STATIC_ROOT).absolute() if settings.STATIC_ROOT else None)


def project_settings() -> dict[str, object]:
    """Return the project's settings as they were before ``apply``."""
    applied = latest()
    return applied.project if applied else {}


def codebase() -> Codebase:
    """Return the project that this command belongs to, as its settings describe it."""
    module, _, name = str(settings.WSGI_APPLICATION or default_wsgi()).rpartition(".")
    static_url = str(settings.STATIC_URL)
    return Codebase(
        directory=package_parent(str(settings.SETTINGS_MODULE)),
        virtualenv=Path(sys.prefix),
        wsgi=f"{module}:{name}",
        settings_module=str(settings.SETTINGS_MODULE),
        static_root=Path(settings.STATIC_ROOT).absolute() if settings.STATIC_ROOT else None,
        static_url=static_url if static_url.startswith("/") else None,
        media_url=url if (url := media_url(project_settings())).startswith("/") else None,
        health_prefix=stated_prefix(getattr(settings, SETTING, None)),
    )


def transport() -> Transport:
    """Return what the settings of this process say of http and https."""
    return Transport(
        redirects=bool(settings.SECURE_SSL_REDIRECT),
        hsts=int(settings.SECURE_HSTS_SECONDS or 0),
        has_header=bool(settings.SECURE_PROXY_SSL_HEADER),
    )


def default_wsgi() -> str:
    return f"{str(settings.SETTINGS_MODULE).partition('.')[0]}.wsgi.application"


def package_parent(module: str) -> Path:
    """Return the folder that must be on the import path for ``module``."""
    spec = importlib.util.find_spec(module.partition(".")[0])
    places = list(spec.submodule_search_locations or []) if spec else []
    origin = places[0] if places else (spec.origin if spec and spec.origin else "settings.py")
    return Path(origin).absolute().parent
