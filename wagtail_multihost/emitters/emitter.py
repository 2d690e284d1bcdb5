"""What a target is: how its files are made, and how they are validated before they are used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wagtail_multihost.emitters.files import EmittedFile, Plan
from wagtail_multihost.spec.options import Options


@dataclass(frozen=True, slots=True)
class Stage:
    """
    A scratch copy of a target's files: the ``plan`` that they were made from, the ``folder`` that has them at the
    relative paths that they will have, and which of them are ``changed``. The folder is not the plan's directory.
    """

    plan: Plan
    folder: Path
    changed: frozenset[PurePosixPath]


@dataclass(frozen=True, slots=True)
class Validation:
    """A ``command`` (program and arguments) that exits 0 when the files that it reads, ``what``, are accepted."""

    command: tuple[str, ...]
    what: str


def no_validations(stage: Stage) -> Iterator[Validation]:
    return iter(())


def no_cautions(plan: Plan) -> Iterator[str]:
    return iter(())


def no_paths(site: str) -> Iterable[PurePosixPath]:
    return ()


def no_line(plan: Plan) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Emitter:
    """
    A target: its ``name``, a ``summary`` for lists, the ``folders`` below the output folder that contain its files (a
    ``*`` in a name stands for any characters), ``emit``, which yields the files of a plan, and ``validate``, which
    yields the commands that check a stage. ``options`` is the class that declares what a registry may state in the
    tables of the target's name, and ``cautions`` yields a sentence for anything in a plan that is seldom intended.

    ``runs_sites`` says that the files belong on a machine that sites run on, and not on the front server.
    ``generation`` makes the file whose token (letters and digits) the running server shows once it uses the file.
    ``paths_of`` returns the paths that files of a site's id can have: if the site is chosen, those that are not
    emitted are removed. ``emits_all`` says that all files are emitted whatever sites are chosen, so all others are
    removed. ``wants_proxy_line`` says of a plan whether clients must begin with a line of the PROXY protocol.
    """

    name: str
    summary: str
    folders: tuple[str, ...]
    emit: Callable[[Plan], Iterator[EmittedFile]]
    validate: Callable[[Stage], Iterator[Validation]] = no_validations
    options: type[Options] | None = None
    cautions: Callable[[Plan], Iterator[str]] = no_cautions
    runs_sites: bool = False
    generation: Callable[[str], EmittedFile] | None = None
    paths_of: Callable[[str], Iterable[PurePosixPath]] = no_paths
    emits_all: bool = False
    wants_proxy_line: Callable[[Plan], bool] = no_line
