"""The folders that settings name."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.spec.samples import a_platform, a_site, postgresql, redis, s3
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.spec.site import SiteSpec

FILE_SESSIONS = {"SESSION_ENGINE": "django.contrib.sessions.backends.file"}
LOGGER = "wagtail_multihost.resolver"


def remote_site() -> SiteSpec:
    return a_site(database=postgresql(), cache=redis(), storage=s3())


def applied(data: Path, project: dict[str, Any], site: SiteSpec | None = None) -> dict[str, Any]:
    namespace = dict(project)
    ResolvedSettings(a_platform(data=data), site or remote_site()).apply(namespace)
    return namespace


def mode(path: object) -> int:
    return stat.S_IMODE(Path(str(path)).stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_private_folders_are_closed_to_everybody_else(tmp_path: Path, umask: int) -> None:
    """Temporary files, sessions and mail have folders of the mode 0700, whatever the umask."""
    before = os.umask(umask)
    try:
        settings = applied(tmp_path / "data", {**FILE_SESSIONS, "EMAIL_FILE_PATH": "/tmp/mail"})
    finally:
        os.umask(before)
    names = ("FILE_UPLOAD_TEMP_DIR", "SESSION_FILE_PATH", "EMAIL_FILE_PATH")
    assert [mode(settings[name]) for name in names] == [0o700] * 3
    assert mode(tmp_path / "data/sites/aurora") == 0o750


def test_private_folder_that_is_open_is_closed(tmp_path: Path) -> None:
    """A folder from a time before, which others can read, is closed to them."""
    folder = tmp_path / "data/sites/aurora/tmp"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    applied(tmp_path / "data", {})
    assert mode(folder) == 0o700


def test_mailers_that_write_files_have_a_private_folder(tmp_path: Path) -> None:
    """The folder in MAILERS is made as the others are."""
    files = {"BACKEND": "django.core.mail.backends.filebased.EmailBackend", "OPTIONS": {"file_path": "/tmp/mail"}}
    settings = applied(tmp_path / "data", {"MAILERS": {"default": files}})
    assert mode(settings["MAILERS"]["default"]["OPTIONS"]["file_path"]) == 0o700


def test_explaining_makes_no_folder(tmp_path: Path) -> None:
    """Whoever only looks at settings writes nothing."""
    resolved = ResolvedSettings(a_platform(data=tmp_path / "data"), a_site())
    assert list(resolved.settings(FILE_SESSIONS))
    assert not (tmp_path / "data").exists()


def test_site_on_servers_starts_without_a_disk(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Where its folder cannot be made, temporary files go to the system's, and the log says so."""
    (tmp_path / "data").write_text("in the way")
    with caplog.at_level(logging.WARNING, LOGGER):
        settings = applied(tmp_path / "data", {})
    assert settings["FILE_UPLOAD_TEMP_DIR"] is None
    [record] = caplog.records
    assert (record.name, str(tmp_path / "data/sites/aurora/tmp") in record.getMessage()) == (LOGGER, True)


@pytest.mark.parametrize("project", [FILE_SESSIONS, {"EMAIL_FILE_PATH": "/tmp/mail"}])
def test_sessions_and_mail_never_go_to_a_shared_folder(tmp_path: Path, project: dict[str, Any]) -> None:
    """Where their folder cannot be made, the process does not start."""
    (tmp_path / "data").write_text("in the way")
    with pytest.raises(ConfigurationError) as refused:
        applied(tmp_path / "data", project)
    assert [(problem.where, problem.site) for problem in refused.value.problems] == [("data", "aurora")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
def test_folder_that_root_makes_belongs_to_the_sites_user(tmp_path: Path) -> None:
    """A command that root runs does not lock the site's own processes out of their folder."""
    folder = tmp_path / "data/sites/aurora"
    folder.mkdir(parents=True)
    os.chown(folder, 12345, 12346)
    status = Path(applied(tmp_path / "data", {})["FILE_UPLOAD_TEMP_DIR"]).stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12345, 12346, 0o700)
