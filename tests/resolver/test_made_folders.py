"""Who may make which folder, whose it is then, and what is told where it cannot be made."""

from __future__ import annotations

import errno
import json
import os
import pwd
import resource
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.accounts import needs_root
from tests.spec.samples import a_platform, a_site, files, s3, sqlite
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver import folder_mark, folders
from wagtail_multihost.resolver.folder_mark import compare_folder_mark, leave_folder_mark, uid_in
from wagtail_multihost.resolver.folders import (
    log_folder,
    make_folder,
    make_private_folder,
    make_site_folder,
    prepare_folders,
    prepare_private_folders,
    private_folders,
    refuse_foreign_folder,
    refuse_root,
    refuse_stranger,
    secure_folder,
)

ME = os.geteuid()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(
    ("database", "storage", "is_made"),
    [
        ("data/sites/aurora/db", "data/sites/aurora/media", True),
        ("data/sites/aurora/db", "elsewhere/media", True),
        ("elsewhere/db", "data/sites/aurora/media", True),
        ("elsewhere/db", "elsewhere/media", False),
        ("data/db", "data/media", False),
        ("elsewhere/db", None, False),
    ],
)
def test_folder_is_made_for_who_keeps_something_there(
    tmp_path: Path, database: str, storage: str | None, is_made: bool
) -> None:
    """A database or uploads below the folder of all sites."""
    site = a_site(
        database=sqlite(path=tmp_path / database), storage=files(path=tmp_path / storage) if storage else s3()
    )
    prepare_folders(a_platform(data=tmp_path / "data"), site)
    assert (tmp_path / "data/sites/aurora").is_dir() is is_made
    assert (tmp_path / "data").exists() is is_made


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({}, []),
        ({"FILE_UPLOAD_TEMP_DIR": None, "SESSION_FILE_PATH": Path("/x")}, []),
        (
            {"EMAIL_FILE_PATH": "/c", "SESSION_FILE_PATH": "/b", "FILE_UPLOAD_TEMP_DIR": "/a", "MEDIA_ROOT": "/d"},
            [("FILE_UPLOAD_TEMP_DIR", "/a"), ("SESSION_FILE_PATH", "/b"), ("EMAIL_FILE_PATH", "/c")],
        ),
        ({"MAILERS": None}, []),
        ({"MAILERS": {"a": {}, "b": {"OPTIONS": {}}, "c": {"OPTIONS": {"file_path": "/m"}}}}, [("MAILERS", "/m")]),
    ],
)
def test_private_folders_are_those_that_settings_name(values: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """Each under the setting that names it."""
    assert [(name, str(folder)) for name, folder in private_folders(values)] == found


@pytest.mark.parametrize(
    ("logging", "is_found"),
    [
        (None, False),
        ({}, False),
        ({"handlers": None}, False),
        ({"handlers": {"a": {}, "b": {"filename": "/other/x.log"}}}, False),
        ({"handlers": {"a": {"filename": "/logs/deeper/x.log"}}}, False),
        ({"handlers": {"a": {}, "b": {"filename": "/logs/x.log"}, "c": {"filename": "/logs/y.log"}}}, True),
    ],
)
def test_folder_of_logs_is_made_once_for_all_handlers(logging: object, is_found: bool) -> None:
    """Where one of them writes there."""
    found = list(log_folder({"LOGGING": logging}, Path("/logs")))
    assert found == ([("LOGGING", Path("/logs"))] if is_found else [])


def test_folder_of_logs_may_be_read_by_its_group(tmp_path: Path) -> None:
    """Whoever ships logs is in the group; the other folders are the owner's alone."""
    platform, site = a_platform(data=tmp_path / "data"), a_site()
    logs = platform.local_path("aurora", "logs")
    values = {
        "LOGGING": {"handlers": {"a": {"filename": str(logs / "x.log")}}},
        "FILE_UPLOAD_TEMP_DIR": str(platform.local_path("aurora", "tmp")),
    }
    assert prepare_private_folders(platform, site, values) == {}
    assert (mode(logs), mode(logs.parent / "tmp")) == (0o750, 0o700)


@pytest.mark.parametrize(
    ("found", "wanted", "expected"),
    [(0o777, 0o700, 0o700), (0o750, 0o700, 0o700), (0o700, 0o750, 0o700), (0o750, 0o750, 0o750), (0o701, 0o700, 0o700)],
)
def test_folder_that_is_too_open_is_closed(tmp_path: Path, found: int, wanted: int, expected: int) -> None:
    """A narrower one stays as it is."""
    path = tmp_path / "folder"
    path.mkdir()
    path.chmod(found)
    make_private_folder(path, wanted)
    assert mode(path) == expected


@needs_root
@pytest.mark.parametrize("is_new", [True, False])
def test_folder_that_root_makes_is_the_owners_around_it(tmp_path: Path, is_new: bool) -> None:
    """One that was there keeps its owner."""
    os.chown(tmp_path, 5, 60)
    path = tmp_path / "folder"
    if not is_new:
        path.mkdir()
    make_private_folder(path)
    assert (path.stat().st_uid, path.stat().st_gid) == ((5, 60) if is_new else (0, 0))


@pytest.mark.parametrize(
    ("euid", "owner", "closes"), [(0, 5, True), (5, 5, True), (6, 5, False), (0, 0, True), (5, 0, False)]
)
def test_only_who_may_changes_a_folders_mode(
    monkeypatch: pytest.MonkeyPatch, euid: int, owner: int, closes: bool
) -> None:
    """Root and the owner; another account uses it as it is."""
    done: list[tuple[object, ...]] = []
    caught: list[OSError] = []
    with monkeypatch.context() as patch:  # the end of the test has no use for another fstat
        patch.setattr(os, "geteuid", lambda: euid)
        patch.setattr(os, "fstat", lambda folder: SimpleNamespace(st_uid=owner, st_mode=stat.S_IFDIR | 0o777))
        patch.setattr(os, "fchmod", lambda *arguments: done.append(arguments))
        patch.setattr(os, "fchown", lambda *arguments: done.append(arguments))
        patch.setattr(os, "access", lambda path, rights, dir_fd: (path, rights, dir_fd) == (".", 3, 9))
        secure_folder(9, 0o750, SimpleNamespace(st_uid=7, st_gid=8))  # type: ignore[arg-type]
        patch.setattr(os, "access", lambda *arguments, **keywords: False)
        try:
            secure_folder(9, 0o777, None)
        except PermissionError as error:
            caught.append(error)
    assert done == [*([(9, 7, 8)] if euid == 0 else []), *([(9, 0o750)] if closes else [])]
    assert [(error.errno, error.strerror) for error in caught] == [(errno.EACCES, os.strerror(errno.EACCES))]


def test_folder_that_exists_is_left_and_a_file_is_not_one(tmp_path: Path) -> None:
    """Folders above are made too; a file in the way is an error."""
    make_folder(tmp_path / "a/b", 0o711)
    assert mode(tmp_path / "a/b") == 0o711
    make_folder(tmp_path / "a/b", 0o700)
    assert mode(tmp_path / "a/b") == 0o711
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_folder(tmp_path / "file", 0o700)


@pytest.fixture(name="machine")
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with the account of the site aurora, whose number is 4711."""

    def named(user: str) -> SimpleNamespace:
        return SimpleNamespace(pw_uid={"site-aurora": 4711}[user])

    monkeypatch.setattr(pwd, "getpwnam", named)


@pytest.mark.parametrize(
    ("euid", "user", "environment", "is_refused"),
    [
        (4711, "site-{site}", "production", False),
        (4712, "site-{site}", "production", True),
        (0, "site-{site}", "production", True),
        (0, "site-{site}", "development", True),
        (0, "", "production", False),
        (0, "other", "development", False),
        (0, "other", "staging", False),
        (0, "other", "production", True),
    ],
)
def test_folder_is_made_by_the_sites_account_alone(
    machine: None, monkeypatch: pytest.MonkeyPatch, euid: int, user: str, environment: str, is_refused: bool
) -> None:
    """Where the registry states one that the machine has, or must have."""
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    platform = a_platform(user=user, environment=environment)
    if is_refused:
        with pytest.raises(PermissionError) as caught:
            refuse_stranger(platform, a_site())
        assert caught.value.errno == errno.EPERM and user.replace("{site}", "aurora") in str(caught.value)
    else:
        refuse_stranger(platform, a_site())


def test_folder_that_is_there_may_be_used_by_another_account(machine: None, tmp_path: Path) -> None:
    """Who makes it is asked where it is missing alone."""
    platform, site = a_platform(data=tmp_path, user="site-{site}"), a_site()
    with pytest.raises(PermissionError):
        make_site_folder(platform, site)
    assert not (tmp_path / "sites").exists()
    (tmp_path / "sites/aurora").mkdir(parents=True)
    make_site_folder(platform, site)
    assert (tmp_path / "sites/aurora/.multihost-site").is_file()


@pytest.mark.parametrize(
    ("euid", "user", "environment", "owner", "where"),
    [
        (0, "site-{site}", "development", 0, "platform.user"),
        (0, "", "production", 0, "platform.user"),
        (0, "", "development", 0, None),
        (0, "", "development", 5, "data"),
        (0, "", "development", None, None),
        (5, "site-{site}", "production", 6, None),
    ],
)
def test_root_serves_no_site_that_is_anothers(
    monkeypatch: pytest.MonkeyPatch, euid: int, user: str, environment: str, owner: int | None, where: str | None
) -> None:
    """A site with an account, one in production, and one whose folder somebody else has."""
    asked: list[Path] = []

    def lstat(path: Path) -> SimpleNamespace:
        asked.append(path)
        if owner is None:
            raise FileNotFoundError
        return SimpleNamespace(st_uid=owner)

    monkeypatch.setattr(os, "geteuid", lambda: euid)
    monkeypatch.setattr(Path, "lstat", lstat)
    platform, site = a_platform(user=user, environment=environment), a_site()
    if where is None:
        refuse_root(platform, site)
    else:
        with pytest.raises(ConfigurationError) as caught:
            refuse_root(platform, site)
        assert [(problem.where, problem.site) for problem in caught.value.problems] == [(where, "aurora")]
    assert set(asked) <= {Path("/srv/data/sites/aurora")}


def test_folder_of_the_process_is_not_foreign(tmp_path: Path) -> None:
    """What this account has made is its own."""
    (tmp_path / "sites/aurora").mkdir(parents=True)
    refuse_foreign_folder(a_platform(data=tmp_path), a_site())
    assert (tmp_path / "sites/aurora").stat().st_uid == ME


# Marks


def test_mark_has_what_it_says(tmp_path: Path) -> None:
    """Platform, environment and uid, for its owner and group to read, with no draft beside it."""
    folder = tmp_path / "sites/aurora"
    folder.mkdir(parents=True)
    umask = os.umask(0o077)
    try:
        leave_folder_mark(a_platform(data=tmp_path, environment="staging"), a_site())
    finally:
        os.umask(umask)
    text = json.loads((folder / ".multihost-site").read_text())
    assert text == {"platform": "aviary", "environment": "staging", "uid": str(a_site().uid)}
    assert mode(folder / ".multihost-site") == 0o440
    assert os.listdir(folder) == [".multihost-site"]


@needs_root
def test_mark_that_root_leaves_is_the_owners(tmp_path: Path) -> None:
    """As the folder is."""
    folder = tmp_path / "sites/aurora"
    folder.mkdir(parents=True)
    os.chown(folder, 5, 60)
    leave_folder_mark(a_platform(data=tmp_path), a_site())
    found = (folder / ".multihost-site").stat()
    assert (found.st_uid, found.st_gid) == (5, 60)


@pytest.mark.parametrize("step", ["write", "fchmod", "rename"])
def test_mark_that_cannot_be_written_leaves_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """A full disk, or a folder that is another's, is no error, and no descriptor is left open."""
    folder = tmp_path / "sites/aurora"
    folder.mkdir(parents=True)
    before = len(os.listdir("/proc/self/fd"))

    def fail(*arguments: object, **keywords: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with monkeypatch.context() as patch:
        if step == "write":  # the kernel's own refusal: EFBIG, because Python ignores SIGXFSZ
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
        else:
            patch.setattr(os, step, fail)
        try:
            leave_folder_mark(a_platform(data=tmp_path), a_site())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(folder) == []
    assert len(os.listdir("/proc/self/fd")) == before


def test_mark_that_is_there_is_left(tmp_path: Path) -> None:
    """Another's mark is never replaced, and a missing folder is made by nobody here."""
    platform = a_platform(data=tmp_path)
    leave_folder_mark(platform, a_site())
    compare_folder_mark(platform, a_site())
    assert not (tmp_path / "sites").exists()
    folder = tmp_path / "sites/aurora"
    folder.mkdir(parents=True)
    compare_folder_mark(platform, a_site())
    (folder / ".multihost-site").write_text("other")
    leave_folder_mark(platform, a_site())
    assert (folder / ".multihost-site").read_text() == "other"


@pytest.mark.parametrize(
    ("mark", "uid"),
    [
        (b'{"uid": "x"}', "x"),
        (b'{"uid": 7}', "7"),
        (b"{}", ""),
        (b"[]", ""),
        (b"", ""),
        (b"\xff", ""),
        (b"[" * 99999, ""),
    ],
)
def test_uid_of_a_mark_is_read_or_blank(mark: bytes, uid: str) -> None:
    """What is no mark has none."""
    assert uid_in(mark) == uid


@pytest.mark.parametrize(("mark", "words"), [("x", "has a mark that is not valid"), ('{"uid": "u"}', "the uid 'u'")])
def test_mark_of_another_is_told(tmp_path: Path, mark: str, words: str) -> None:
    """Whose the folder is, or that it cannot be read; no descriptor is left open."""
    folder = tmp_path / "sites/aurora"
    folder.mkdir(parents=True)
    (folder / ".multihost-site").write_text(mark)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ConfigurationError, match=words):
        compare_folder_mark(a_platform(data=tmp_path), a_site())
    assert len(os.listdir("/proc/self/fd")) == before


def test_long_mark_is_read_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a site puts in its place costs little."""
    sizes: list[int] = []
    real = os.read
    monkeypatch.setattr(folder_mark.os, "read", lambda file, size: sizes.append(size) or real(file, size))
    folder = tmp_path / "sites/aurora"
    folder.mkdir(parents=True)
    (folder / ".multihost-site").write_text("x" * 5000)
    with pytest.raises(ConfigurationError):
        compare_folder_mark(a_platform(data=tmp_path), a_site())
    assert sizes == [1000]


def test_sentence_of_a_folder_names_it() -> None:
    """The folder, the reason, and where it is stated."""
    error = folders.folder_error(Path("/srv/a"), OSError(errno.EROFS, "Read-only file system"), a_site())
    (problem,) = error.problems
    assert (problem.where, problem.site) == ("data", "aurora")
    assert problem.message == "The folder '/srv/a' cannot be created: Read-only file system."
