"""How long certificates in files are valid. Needs the extra ``certificates``."""

from __future__ import annotations

import glob
import os
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

from wagtail_multihost.health.hostnames import check_texts
from wagtail_multihost.health.once_logger import log_failure
from wagtail_multihost.health.probe import Outcome, Probe, failed
from wagtail_multihost.health.probes.tls import DAY, judge_days_left
from wagtail_multihost.health.status import Criticality

try:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
    from cryptography.x509 import Certificate, load_pem_x509_certificates
except ImportError as error:
    raise ImportError(
        f"The extra certificates is missing: pip install 'wagtail-multihost[certificates]' ({error})."
    ) from error

SUFFIXES = (".pem", ".crt", ".cer")
MOST_BYTES = 1 << 20
STEM = "{stem}"


@dataclass(frozen=True, kw_only=True)
class CertificateFilesProbe(Probe):
    """
    Counts the days until the first certificate in each PEM file expires; intermediate certificates count too.

    A file is shown by its name, and by the name of its folder too if several have the same name.
    """

    is_shared: ClassVar[bool] = True
    codes: ClassVar[Mapping[str, str]] = {
        "expires_soon": "The certificate expires soon.",
        "expired": "The certificate has expired.",
        "not_yet_valid": "The certificate is not valid yet.",
        "unreadable": "The file cannot be read.",
        "not_a_certificate": "The file has no certificate, or one that cannot be parsed.",
        "key_unusable": "The key file is missing, cannot be read or needs a password.",
        "key_mismatch": "The key belongs to another certificate.",
        "missing": "There is no such file.",
    }

    criticality: Criticality = field(default=Criticality.DEGRADED, metadata={"meaning": "What a failure means."})
    timeout: float = field(default=10, metadata={"meaning": "How long, in seconds, a run may take."})
    interval: float = field(default=3600, metadata={"meaning": "Seconds between runs that pass; 0: `INTERVAL`."})
    retry: float = field(default=300, metadata={"meaning": "Seconds until the next run after any other; 0: `RETRY`."})
    paths: tuple[str, ...] = field(
        default=(),
        metadata={
            "meaning": "Files, patterns with `*`, and folders, of which all .pem, .crt and .cer files count.",
            "required": True,
        },
    )
    key: str = field(
        default="",
        metadata={
            "meaning": "The name of the key file beside each certificate, such as `privkey.pem` or `{stem}.key`; "
            "none: keys are not read."
        },
    )
    warn_days: float = field(default=21, metadata={"meaning": "The days left below which it warns."})
    fail_days: float = field(default=7, metadata={"meaning": "The days left below which it fails."})

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "paths", check_texts("paths", self.paths))
        if not self.paths:
            raise ValueError("The option paths is missing: it must be a list of files, patterns and folders.")
        if not 0 <= self.fail_days <= self.warn_days:
            raise ValueError("The limits are not accepted: 0 <= fail_days <= warn_days.")
        if os.path.basename(self.key) != self.key:
            raise ValueError("The option key is not accepted: it must be the name of a file beside the certificate.")

    def measure(self) -> Iterator[Outcome]:
        files = list(dict.fromkeys(file for path in self.paths for file in find_files(path, self.key)))
        names = Counter(file.name for file in files)
        for file in files:
            yield self.outcome(file, file.name if names[file.name] == 1 else f"{file.parent.name}/{file.name}")
        if not files:
            yield failed("missing")

    def outcome(self, file: Path, subject: str) -> Outcome:
        try:
            certificates = load_pem_x509_certificates(read_regular_file(file))
        except FileNotFoundError:
            return failed("missing", subject=subject)
        except OSError as error:
            log_failure("The certificate %s cannot be read: %s", file, error, subject=subject)
            return failed("unreadable", subject=subject)
        except ValueError as error:
            log_failure("The file %s has no certificate: %s", file, error, subject=subject)
            return failed("not_a_certificate", subject=subject)
        if self.key and (
            code := find_key_fault(certificates[0], file.with_name(self.key.replace(STEM, file.stem)), subject)
        ):
            return failed(code, subject=subject)
        if max(certificate.not_valid_before_utc for certificate in certificates) > datetime.now(UTC):
            return failed("not_yet_valid", subject=subject)
        return judge_days_left(days_left(certificates), subject, self.warn_days, self.fail_days)


def find_files(path: str, key: str) -> Iterator[Path]:
    """Yield the files of a path, a pattern or a folder; a path is yielded even if there is no such file."""
    if os.path.isdir(path):
        found = [file for file in sorted(Path(path).iterdir()) if file.suffix in SUFFIXES and file.is_file()]
        # The keys may have the suffix of certificates.
        keys = {key.replace(STEM, file.stem) for file in found} if key else set()
        yield from (file for file in found if file.name not in keys)
    elif glob.has_magic(path):
        yield from map(Path, sorted(glob.glob(path)))
    else:
        yield Path(path)


def read_regular_file(file: Path) -> bytes:
    """Return the content of a regular file; raises OSError for anything else, and if it is too large."""
    descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as opened:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            raise OSError("It is not a regular file, or too large.")
        return opened.read(MOST_BYTES)


def find_key_fault(certificate: Certificate, file: Path, subject: str) -> str:
    """Return the code of what is wrong with the key in ``file``; blank if it belongs to the certificate."""
    try:
        key = load_pem_private_key(read_regular_file(file), None)
    except (OSError, TypeError, ValueError, UnsupportedAlgorithm) as error:
        log_failure("The key %s cannot be used: %s", file, error, subject=subject)
        return "key_unusable"
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    is_same = key.public_key().public_bytes(*form) == certificate.public_key().public_bytes(*form)
    return "" if is_same else "key_mismatch"


def days_left(certificates: Sequence[Certificate]) -> float:
    first = min(certificate.not_valid_after_utc for certificate in certificates)
    return round((first - datetime.now(UTC)).total_seconds() / DAY, 1)
