"""The probe of certificates in files."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.health.certificates import make
from wagtail_multihost.health import contrib
from wagtail_multihost.health.contrib.certificates import CertificateFilesProbe
from wagtail_multihost.health.options import read_probe
from wagtail_multihost.health.status import Status

MODULE = "wagtail_multihost.health.contrib.certificates"


def measured(*paths: Path | str, **options: Any) -> list[Any]:
    return list(CertificateFilesProbe(paths=tuple(map(str, paths)), **options).measure())


def found(*paths: Path | str, **options: Any) -> list[tuple[str, str, str]]:
    return [(str(one.status), one.code, one.subject) for one in measured(*paths, **options)]


@pytest.mark.parametrize(
    ("days", "status", "code"),
    [(90, "pass", "ok"), (20, "warn", "expires_soon"), (6, "fail", "expires_soon"), (-1, "fail", "expired")],
)
def test_days_of_a_certificate_are_told(tmp_path: Path, days: int, status: str, code: str) -> None:
    """Below 21 days it warns, below seven it fails."""
    path = make("a.example.org", days).write(tmp_path, "a")
    (outcome,) = measured(path)
    assert (str(outcome.status), outcome.code, outcome.subject, outcome.unit) == (status, code, "a.pem", "days")
    assert outcome.value == pytest.approx(days, abs=0.2)


def test_certificate_of_tomorrow_fails(tmp_path: Path) -> None:
    """No client accepts it today."""
    path = make("a.example.org", 90, starts=1).write(tmp_path, "a")
    assert found(path) == [("fail", "not_yet_valid", "a.pem")]


def test_certificate_of_a_chain_that_expires_first_counts(tmp_path: Path) -> None:
    """An intermediate certificate that expires breaks the chain."""
    path = tmp_path / "chain.pem"
    path.write_bytes(make("a.example.org", 90).pem + make("intermediate", 3).pem)
    assert found(path) == [("fail", "expires_soon", "chain.pem")]


def test_certificates_of_a_folder_and_of_a_pattern_are_found(tmp_path: Path) -> None:
    """A folder stands for its certificates, and for nothing else that is in it."""
    pair = make("a.example.org", 90)
    for name in ("b.crt", "a.pem", "c.cer", "notes.txt"):
        (tmp_path / name).write_bytes(pair.pem)
    (tmp_path / "folder.pem").mkdir()
    assert [subject for *_, subject in found(tmp_path)] == ["a.pem", "b.crt", "c.cer"]
    assert [subject for *_, subject in found(tmp_path / "*.c*")] == ["b.crt", "c.cer"]
    assert len(found(tmp_path, tmp_path / "a.pem")) == 3


def test_files_of_the_same_name_show_their_folders(tmp_path: Path) -> None:
    """Certbot has a folder for each certificate, with links in it."""
    for name in ("a.example.org", "b.example.org"):
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}-1.pem").write_bytes(make(name, 90).pem)
        (tmp_path / name / "fullchain.pem").symlink_to(tmp_path / f"{name}-1.pem")
    subjects = [subject for *_, subject in found(tmp_path / "*" / "fullchain.pem")]
    assert subjects == ["a.example.org/fullchain.pem", "b.example.org/fullchain.pem"]


def test_file_without_a_certificate_fails(tmp_path: Path) -> None:
    """Text, a key and half a certificate are told apart from one that is away."""
    pair = make("a.example.org", 90)
    for name, content in {"a.pem": b"hunter2", "b.pem": pair.key_pem, "c.pem": pair.pem[:200]}.items():
        (tmp_path / name).write_bytes(content)
    assert {code for _, code, _ in found(tmp_path)} == {"not_a_certificate"}
    assert found(tmp_path / "d.pem") == [("fail", "missing", "d.pem")]
    assert found(tmp_path / "*.none") == [("fail", "missing", "")]


def test_certificate_that_is_no_file_does_not_hold_up_the_probe(tmp_path: Path) -> None:
    """A pipe without a writer is not waited for, nor a folder or a large file read."""
    os.mkfifo(tmp_path / "a.pem")
    assert found(tmp_path / "a.pem") == [("fail", "unreadable", "a.pem")]
    with open(tmp_path / "b.pem", "wb") as file:
        file.truncate(2 << 20)
    assert found(tmp_path / "b.pem") == [("fail", "unreadable", "b.pem")]


def test_key_of_another_certificate_fails(tmp_path: Path) -> None:
    """Who renews a certificate with a new key and forgets to install it learns it before the server does."""
    first, second = make("a.example.org", 90), make("a.example.org", 90)
    path = first.write(tmp_path, "a")
    assert found(path, key="{stem}.key") == [("pass", "ok", "a.pem")]
    (tmp_path / "a.key").write_bytes(second.key_pem)
    assert found(path, key="{stem}.key") == [("fail", "key_mismatch", "a.pem")]
    assert found(path) == [("pass", "ok", "a.pem")]
    (tmp_path / "a.key").unlink()
    assert found(path, key="{stem}.key") == [("fail", "key_unusable", "a.pem")]


def test_key_in_the_folder_is_no_certificate(tmp_path: Path) -> None:
    """Certbot's privkey.pem lies beside the certificate."""
    pair = make("a.example.org", 90)
    (tmp_path / "fullchain.pem").write_bytes(pair.pem)
    (tmp_path / "privkey.pem").write_bytes(pair.key_pem)
    assert found(tmp_path, key="privkey.pem") == [("pass", "ok", "fullchain.pem")]


def test_certificate_probe_never_shows_paths(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A subject is a file's name; neither its path nor its content is shown."""
    (tmp_path / "a.pem").write_bytes(b"hunter2")
    os.mkfifo(tmp_path / "b.pem")
    assert str(tmp_path) not in repr(measured(tmp_path / "a.pem", tmp_path / "b.pem", tmp_path / "c.pem"))
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    "options",
    [{}, {"paths": "/etc/ssl"}, {"paths": ["a.pem"], "fail_days": 30}, {"paths": ["a.pem"], "key": "../a.key"}],
)
def test_certificate_option_that_makes_no_sense_is_refused(options: Any) -> None:
    """A mistake is told when settings are read."""
    with pytest.raises(ValueError):
        CertificateFilesProbe(**options)


def test_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who names the probe without its package reads which extra to install."""
    monkeypatch.delitem(sys.modules, MODULE)
    monkeypatch.delattr(contrib, "certificates")
    monkeypatch.setitem(sys.modules, "cryptography.x509", None)
    with pytest.raises(ImportError, match=r"wagtail-multihost\[certificates\]"):
        read_probe("certificates", {"BACKEND": f"{MODULE}.CertificateFilesProbe", "OPTIONS": {"paths": ["a"]}})


def test_certificates_are_the_machine_s() -> None:
    """Files of the front server are not one site's."""
    assert CertificateFilesProbe.is_shared and Status.FAIL > Status.WARN
