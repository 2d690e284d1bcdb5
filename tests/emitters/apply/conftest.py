"""A folder of small files, targets that write them, and a hook that counts its calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest

from tests.emitters.conftest import make_plan, make_site
from wagtail_multihost.emitters import EmittedFile, Emitter, Plan, Stage, Validation
from wagtail_multihost.emitters.apply import ApplyRequest, ApplyResult, apply
from wagtail_multihost.emitters.rendering import OWNERSHIP_LINE

HOOK = """\
changed=$(sed 's,.*/,,' "$MULTIHOST_CHANGED" | sort | paste -sd,)
printf '%s|%s|%s\\n' "$MULTIHOST_TARGETS" "$changed" "$(sed -n 2p "$2" 2>/dev/null)" >> "$1"
"""
FAILING = ("sh", "-c", "exit 3")


def emitted(path: str, text: str, **options: object) -> EmittedFile:
    return EmittedFile(PurePosixPath(path), f"{OWNERSHIP_LINE}\n{text}\n", **options)  # type: ignore[arg-type]


def text_of(path: Path) -> str:
    """Return an emitted file's text, without the line of ownership."""
    first, _, text = path.read_text().partition("\n")
    assert first == OWNERSHIP_LINE
    return text.rstrip("\n")


@dataclass
class World:
    """
    The output folder ``directory``, and the ``texts`` that its files are to have, by their relative paths. A file
    below ``conf/sites`` is of the site that it is named after.
    """

    folder: Path
    texts: dict[str, str] = field(default_factory=dict)
    validations: list[tuple[str, ...]] = field(default_factory=list)
    has_generation: bool = True

    @property
    def directory(self) -> Path:
        return self.folder / "out"

    @property
    def emitter(self) -> Emitter:
        return Emitter(
            name="fake",
            summary="files of a test",
            folders=("conf", "conf/sites"),
            emit=self.emit,
            validate=self.validate,
            generation=(lambda token: emitted("conf/generation", token)) if self.has_generation else None,
        )

    def emit(self, plan: Plan) -> Iterator[EmittedFile]:
        for path, text in self.texts.items():
            site = Path(path).stem if path.startswith("conf/sites/") else ""
            if not site or not plan.only or site in plan.only:
                yield emitted(path, text, site=site)

    def validate(self, stage: Stage) -> Iterator[Validation]:
        for command in self.validations:
            yield Validation(tuple(word.replace("STAGE", str(stage.folder)) for word in command), "the files")

    @property
    def hook(self) -> tuple[str, ...]:
        """A hook that logs its calls, and the text of ``conf/main`` that it saw."""
        return ("sh", "-c", HOOK, "hook", str(self.folder / "reloads"), str(self.directory / "conf/main"))

    @property
    def reloads(self) -> list[str]:
        log = self.folder / "reloads"
        return log.read_text().splitlines() if log.exists() else []

    def plan(self, *sites: str) -> Plan:
        ids = [Path(path).stem for path in self.texts if path.startswith("conf/sites/")]
        return make_plan(*map(make_site, ids), directory=self.directory, only=frozenset(sites))

    def request(self, *sites: str, **options: object) -> ApplyRequest:
        values = {
            "emitters": (self.emitter,),
            "directory": self.directory,
            "load": lambda: self.plan(*sites),
            "sites": frozenset(sites),
            "lock_timeout": 30,
            "verify_timeout": 0.3,
        }
        return ApplyRequest(**{**values, **options})  # type: ignore[arg-type]

    def apply(self, *sites: str, **options: object) -> ApplyResult:
        return apply(self.request(*sites, **options))

    def found(self) -> dict[str, str]:
        """Return the text of every file in the output folder, but for the generation."""
        paths = [path for path in self.directory.rglob("*") if path.is_file() and ".multihost" not in path.parts]
        texts = {str(path.relative_to(self.directory)): text_of(path) for path in paths}
        return {path: text for path, text in texts.items() if path != "conf/generation"}

    def remembered(self) -> set[str]:
        """Return what is kept for the next run."""
        return {path.name for path in (self.directory / ".multihost").iterdir()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Three files, two of them of sites; none is written yet."""
    return World(tmp_path, {"conf/main": "one", "conf/sites/aurora": "a", "conf/sites/borealis": "b"})
