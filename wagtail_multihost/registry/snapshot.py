"""
A folder of snapshots: one file per site, all that the site's process needs.

A site is read only from its own file, so that its process needs no right to any other.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.files.reading import read_no_follow
from wagtail_multihost.registry.base import SITES_PATH, Registry
from wagtail_multihost.registry.record import KEY_PATH, PLATFORM, Record
from wagtail_multihost.registry.snapshot_formats import FORMATS, SEALS, Document, format_problem, unfit_keys
from wagtail_multihost.registry.typed import TypedSource
from wagtail_multihost.spec.declared import declarations
from wagtail_multihost.spec.identifiers import parse_site_id, shown
from wagtail_multihost.spec.permissions import (
    NO_FOREIGN_ACCESS,
    NO_FOREIGN_WRITING,
    ROOT,
    access_problem,
    own_accounts,
)
from wagtail_multihost.spec.platform import PRODUCTION, PlatformSpec

if TYPE_CHECKING:
    from datetime import datetime

SUFFIX = ".json"
PUBLIC_KEY_VARIABLE = "MULTIHOST_SNAPSHOT_PUBLIC_KEY"
#: Keys that other registries derive where they are not stated.
STATED = ("uid", "names", "secret_key")


NOT_READ: Mapping[str, Any] = {}


class Snapshot(NamedTuple):
    """
    A snapshot: the JSON ``document``, in the newest format, and its file's ``path``. ``written`` is the document as it
    is in the file, which is what was signed; empty if it was not read from one.
    """

    document: Document
    path: Path
    written: Mapping[str, Any] = NOT_READ

    @property
    def site(self) -> str:
        return str(self.document["site"]["id"])

    @property
    def is_production(self) -> bool:
        return bool(self.document["platform"].get("environment") == PRODUCTION)

    @property
    def created(self) -> datetime | None:
        from datetime import UTC, datetime  # loads only when asked for

        try:
            created = datetime.fromisoformat(self.document["created"])
        except ValueError:
            return None
        return created if created.tzinfo else created.replace(tzinfo=UTC)

    @property
    def private(self) -> tuple[Path, ...]:
        """The files, on the machine that wrote it, that the site's process must not be able to read."""
        return tuple(Path(str(path)) for path in self.document["private"])

    def __repr__(self) -> str:
        # The document has secrets, and error pages show the variables of every frame.
        return f"Snapshot({self.path})"


def signed_content(document: Mapping[str, object], *left_out: str) -> bytes:
    """Return what is digested and signed, in one form however the file is laid out."""
    rest = {key: value for key, value in document.items() if key not in (*SEALS, *left_out)}
    return json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def digest_of(document: Mapping[str, object]) -> str:
    return f"sha256:{hashlib.sha256(signed_content(document)).hexdigest()}"


def parse_snapshot(data: bytes) -> tuple[Document, str]:
    """Return the document of a snapshot's file, or why it is not one; no error has the content in its frames."""
    try:
        document = json.loads(data)
        digest = digest_of(document) if isinstance(document, dict) else ""
    except (ValueError, RecursionError):
        return {}, "It is not a complete snapshot: it was cut off, or is something else."
    version = document.get("format") if digest else None
    if not isinstance(version, int) or isinstance(version, bool):
        return {}, "It is not a snapshot."
    if problem := format_problem(version):
        return {}, problem
    if unfit_keys(document) or not isinstance(document["site"].get("id"), str):
        return {}, "It is not a snapshot: keys are missing or unknown."
    if document["digest"] != digest:
        return {}, "It was changed after it was written: its digest does not match its content."
    return document, ""


class SnapshotSource(TypedSource):
    """Keys are written below ``platform`` and ``site``; every secret is in the clear and means itself."""

    follows_references = False
    pins_with = "Write it again: manage.py multihost_snapshot"
    needs_platform_key = False

    def label(self, path: KEY_PATH) -> str:
        return super().label(("site", *path[2:]) if path[:1] == SITES_PATH else path)


class SnapshotRegistry(Registry):
    """The registry in the folder ``folder``, which ``multihost_snapshot`` writes."""

    has_servers = False

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = Path(os.path.abspath(folder))
        self.environ = environ
        self.name = str(folder)
        self.url = str(self.folder)
        #: What was read last, by site.
        self.read: dict[str, Snapshot] = {}

    def read_tables_for(self, site: str, *, reads_secrets: bool) -> tuple[Record, list[Record]]:
        """Return the records of one file, whatever else is in the folder."""
        try:
            parse_site_id(site)
        except ValueError as error:
            raise ConfigurationError.because(str(error), where="MULTIHOST_SITE") from None
        snapshot = self.snapshot(site)
        problems: list[Problem] = []
        return platform_record(snapshot, problems), [site_record(snapshot, problems, reads_secrets)]

    def read_tables(self, *, reads_secrets: bool) -> tuple[Record, list[Record]]:
        """Return the records of every file; the platform's is that of the highest revision."""
        problems: list[Problem] = []
        snapshots = []
        for site in self.sites():
            try:
                snapshots.append(self.snapshot(site))
            except ConfigurationError as error:
                problems.extend(error.problems)
        if not snapshots:
            problems = problems or [
                Problem(self.name, "The folder has no snapshots. Run: manage.py multihost_snapshot")
            ]
            raise ConfigurationError(problems)
        newest = max(snapshots, key=lambda snapshot: int(snapshot.document["revision"]))
        for snapshot in snapshots:
            if snapshot.document["platform"] != newest.document["platform"]:
                problems.append(
                    Problem(
                        str(snapshot.path),
                        f"Its platform differs from that of {newest.path.name}. Write all snapshots: "
                        "manage.py multihost_snapshot, without --site.",
                        snapshot.site,
                    )
                )
        return platform_record(newest, problems), [
            site_record(snapshot, problems, reads_secrets) for snapshot in snapshots
        ]

    def sites(self) -> list[str]:
        """Return the ids of the sites that have a file; raises ConfigurationError when the folder cannot be listed."""
        try:
            names = sorted(os.listdir(self.folder))
        except OSError as error:
            raise ConfigurationError.because(
                f"The folder cannot be listed: {error.strerror}. Only root sees all sites.", where=self.name
            ) from None
        return [name.removesuffix(SUFFIX) for name in names if name.endswith(SUFFIX)]

    def private_files(self, site: str) -> tuple[Path, ...]:
        return self.read[site].private if site in self.read else ()

    def written_at(self, site: str) -> datetime | None:
        return self.read[site].created if site in self.read else None

    def neighbour_files(self, site: str, suspects: Iterable[str]) -> Iterator[Path]:
        try:
            names = os.listdir(self.folder)
        except OSError:
            names = [f"{suspect}{SUFFIX}" for suspect in suspects]
        yield from (self.folder / name for name in sorted(names) if name != f"{site}{SUFFIX}")

    def snapshot(self, site: str) -> Snapshot:
        """Return the checked snapshot of ``site``; raises ConfigurationError."""
        path = self.folder / f"{site}{SUFFIX}"
        if not os.path.lexists(path):
            raise ConfigurationError.because(
                f"{self.name} has no snapshot of {shown(site)}: there is no such site, it is disabled, or it was added "
                "after the snapshots were written.",
                where="MULTIHOST_SITE",
                site=site,
            )
        snapshot, problem = read_snapshot(path)
        problem = problem or self.content_problem(snapshot, site)
        if problem:
            raise ConfigurationError.because(problem, where=str(path), site=site)
        self.read[site] = snapshot
        return snapshot

    def content_problem(self, snapshot: Snapshot, site: str) -> str:
        """Return why the content of a snapshot is not that of ``site``; blank when it is."""
        if PUBLIC_KEY_VARIABLE in self.environ:
            from wagtail_multihost.registry.signature import (  # loads only where they are asked for
                read_public_key,
                signature_problem,
            )

            path = Path(self.environ[PUBLIC_KEY_VARIABLE])
            key = read_public_key(path, PUBLIC_KEY_VARIABLE, is_production=snapshot.is_production)
            signature = snapshot.written.get("signature")
            problem = signature_problem(signature, signed_content(snapshot.written), key, PUBLIC_KEY_VARIABLE)
            if problem:
                return problem
        if snapshot.site != site:
            return f"It is the snapshot of {shown(snapshot.site)}, under the name of another site."
        return ""


def read_snapshot(path: Path) -> tuple[Snapshot, str]:
    """Return the snapshot in the file at ``path``, and why it is not to be used; blank when it is."""
    nothing = Snapshot({}, path)
    try:
        data, status = read_no_follow(path)
    except PermissionError as error:
        owners = "It belongs to root and to the group that platform.group names for the site"
        return nothing, f"The snapshot cannot be read: {error.strerror}. {owners}."
    except OSError as error:
        return nothing, f"The snapshot cannot be read: {error.strerror}."
    if not stat.S_ISREG(status.st_mode):
        return nothing, "It is not a regular file."
    document, problem = parse_snapshot(data)
    if problem:
        return nothing, problem
    snapshot = Snapshot(FORMATS[document["format"]].read(document), path, document)
    return snapshot, trust_problem(path, status, is_production=snapshot.is_production)


def trust_problem(path: Path, status: os.stat_result, *, is_production: bool) -> str:
    """Return why a snapshot could have been forged or read by others; blank when it could not."""
    owners = (ROOT,) if is_production else own_accounts()
    problem = access_problem(status, NO_FOREIGN_ACCESS, owners)
    return problem or folder_trust_problem(path.parent, owners, is_production=is_production)


def folder_trust_problem(folder: Path, owners: tuple[int, ...], *, is_production: bool) -> str:
    """
    Return why others could put files of their own into ``folder``; blank when they could not. In production the
    folders above it count too: an account that may rename in one of them can put an older folder in its place.
    """
    problem = access_problem(folder.stat(), NO_FOREIGN_WRITING, owners)
    if problem:
        return f"Its folder is not accepted. {problem}"
    if is_production:
        for parent in sorted({*folder.parents, *Path(os.path.realpath(folder)).parents}):
            status = parent.stat()
            # In a sticky folder such as /tmp only the owner of a file renames it.
            forbidden = 0 if status.st_mode & stat.S_ISVTX else NO_FOREIGN_WRITING
            problem = access_problem(status, forbidden, owners)
            if problem:
                return f"The folder {parent} above it is not accepted. {problem}"
    return ""


def platform_record(snapshot: Snapshot, problems: list[Problem]) -> Record:
    record = Record.of(snapshot.document["platform"], (PLATFORM,), snapshot_source(snapshot, False), problems)
    refused = [one.name for one, declared in declarations(PlatformSpec) if declared.snapshot == "refused"]
    for key in refused:
        for written in (key, f"{key}_file"):
            if written in record.entries:
                record.report("A snapshot must not have the platform's keys. Write it again.", (PLATFORM, written))
    return record


def site_record(snapshot: Snapshot, problems: list[Problem], reads_secrets: bool) -> Record:
    values = {key: value for key, value in snapshot.document["site"].items() if key != "id"}
    path = (*SITES_PATH, snapshot.site)
    record = Record.of(values, path, snapshot_source(snapshot, reads_secrets), problems, snapshot.site)
    for key in STATED:
        if key not in values:
            record.report("It is missing: a snapshot states what other registries derive.", (*path, key))
    return record


def snapshot_source(snapshot: Snapshot, reads_secrets: bool) -> SnapshotSource:
    revision = snapshot.document["revision"]
    return SnapshotSource(snapshot.path, {}, reads_secrets=reads_secrets, revision=revision)
