"""The probe of hostnames' certificates, without a server."""

from __future__ import annotations

import socket
import ssl
from typing import Any

import pytest

from wagtail_multihost.health.probe import failed, passed
from wagtail_multihost.health.probes import tls
from wagtail_multihost.health.probes.tls import TlsProbe, judge_days_left, parse_host_and_port

NAME = "aurora.example.org"


def measured(**options: Any) -> list[Any]:
    return list(TlsProbe(**{"hostnames": (NAME,), **options}).measure())


def refusing(monkeypatch: pytest.MonkeyPatch, error: OSError) -> list[Any]:
    """Have every connection fail; the list gets what was asked for."""
    asked = []

    def connect(hostname: str, place: tuple[str, int], context: ssl.SSLContext, timeout: float) -> float:
        asked.append((hostname, place, context.verify_mode, context.check_hostname))
        raise error

    monkeypatch.setattr(tls, "fetch_days_left", connect)
    return asked


@pytest.mark.parametrize(
    ("code", "expected"),
    [(9, "not_yet_valid"), (10, "expired"), (62, "name_mismatch"), (18, "untrusted"), (20, "untrusted")],
)
def test_reason_of_a_refused_certificate_has_a_code(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, code: int, expected: str
) -> None:
    """What OpenSSL says is in the log only."""
    error = ssl.SSLCertVerificationError("hunter2")
    error.verify_code = code
    refusing(monkeypatch, error)
    assert measured() == [failed(expected, subject=NAME)]
    assert "hunter2" in caplog.text


@pytest.mark.parametrize("error", [TimeoutError("hunter2"), ConnectionRefusedError("hunter2"), ssl.SSLError("hunter2")])
def test_server_that_does_not_answer_is_unreachable(monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    """Neither a connection nor a handshake."""
    refusing(monkeypatch, error)
    assert measured() == [failed("unreachable", subject=NAME)]


def test_hostnames_are_connected_to_unless_an_address_is_stated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Certificates are verified either way, for the hostname."""
    asked = refusing(monkeypatch, TimeoutError())
    measured()
    measured(address="[::1]:8443")
    assert asked == [
        (NAME, (NAME, 443), ssl.CERT_REQUIRED, True),
        (NAME, ("::1", 8443), ssl.CERT_REQUIRED, True),
    ]


def test_file_of_authorities_that_is_gone_is_an_error(tmp_path: Any) -> None:
    """A mistake of the configuration is not taken for a server that is away."""
    with pytest.raises(FileNotFoundError):
        measured(ca_file=str(tmp_path / "ca.pem"))


@pytest.mark.parametrize(
    ("days", "status", "code"),
    [
        (21, "pass", "ok"),
        (20.9, "warn", "expires_soon"),
        (7, "warn", "expires_soon"),
        (6.9, "fail", "expires_soon"),
        (0, "fail", "expired"),
    ],
)
def test_days_are_judged(days: float, status: str, code: str) -> None:
    """Below 21 days it warns, below seven it fails."""
    outcome = judge_days_left(days, NAME, 21, 7)
    assert (str(outcome.status), outcome.code, outcome.value, outcome.unit) == (status, code, days, "days")


def test_process_without_hostnames_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked for, and that is told."""
    monkeypatch.setattr(tls, "own_hostnames", lambda: ())
    assert measured(hostnames=()) == [passed(code="not_applicable")]


@pytest.mark.parametrize(
    ("text", "place"),
    [("127.0.0.1", ("127.0.0.1", 443)), ("front.internal:8443", ("front.internal", 8443)), ("[::1]", ("::1", 443))],
)
def test_address_is_a_host_and_a_port(text: str, place: tuple[str, int]) -> None:
    """The port is 443 unless it is stated."""
    assert parse_host_and_port(text) == place


@pytest.mark.parametrize(
    "options",
    [
        {"address": "front:0"},
        {"address": "front:65536"},
        {"address": "https://front"},
        {"hostnames": ["*.example.org"]},
        {"fail_days": 22},
        {"connect_timeout": 31},
    ],
)
def test_tls_option_that_makes_no_sense_is_refused(options: Any) -> None:
    """A mistake is told when settings are read."""
    with pytest.raises(ValueError):
        TlsProbe(**options)


def test_port_that_nobody_listens_on_is_unreachable() -> None:
    """A refused connection of the system is understood."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert measured(address=f"127.0.0.1:{held.getsockname()[1]}") == [failed("unreachable", subject=NAME)]
