"""Where a site keeps uploaded files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.declared import declared_problems, key
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.kinds import HOSTNAME, SECRET, SITE_PATH, Kind, choice, integer
from wagtail_multihost.spec.names import is_bucket, is_reserved_bucket
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.type_words import STRING
from wagtail_multihost.spec.validation import parse_printable, raise_problems

StorageBackend: TypeAlias = Literal["files", "s3"]

FILES, S3 = ("files",), ("s3",)
CHECKSUMS = ("when_required", "when_supported")
#: A signature of version 4 is valid for at most a week
#: (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html).
WEEK = 604_800
MOST_SECONDS = 300
ENDPOINT_FORM = r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?/?"


def parse_bucket(value: str) -> str:
    """Return ``value`` when S3 accepts it as the name of a bucket."""
    if not is_bucket(value) or is_reserved_bucket(value):
        raise ValueError(f"The bucket {shown(value)} is not a valid S3 bucket name.")
    return value


def parse_endpoint(value: str) -> str:
    """Return ``value`` when it is a URL without credentials and a path; what is refused may have a password in it."""
    if not re.fullmatch(ENDPOINT_FORM, value) or not has_valid_port(value):
        raise ValueError("The endpoint is not accepted: it must be http(s)://host, without credentials.")
    return value


def has_valid_port(url: str) -> bool:
    """Return whether the port of ``url`` is one that a server can listen on, or is not stated."""
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


BUCKET = Kind("bucket name", str, parse_bucket)
REGION = Kind(STRING, str, lambda value: parse_printable(value, what="The region", length=63))
ENDPOINT = Kind("`http://host` or `https://host`, with a port if there is one", str, parse_endpoint)


@frozen
class StorageSpec(Frozen):
    """
    A storage: ``files`` below the folder ``path``, or ``s3`` with ``bucket``, ``access_key`` and
    ``secret_key`` (without them the role of the container or the machine is used), and optionally
    ``region``, ``endpoint`` (a URL, for other S3 servers), ``authority`` (who signed that server's certificate),
    ``public_endpoint`` (the URL of the same server for browsers) and ``domain`` (the host that serves the bucket, a CDN
    for example).
    """

    backend: StorageBackend = key(
        choice(*get_args(StorageBackend), what="storage backend"),
        "A local folder, or a bucket.",
        unless_stated="files",
        selects=True,
        place=True,
        front=True,
    )
    path: Path | None = key(
        SITE_PATH,
        "The folder.",
        None,
        unless_stated="{data}/sites/{site}/media",
        of=FILES,
        required=True,
        own=True,
        place=True,
        who="node",
    )
    bucket: str = key(
        BUCKET, "The bucket.", "", unless_stated="{names.bucket}", of=S3, required=True, own=True, place=True
    )
    region: str = key(REGION, "The region of the bucket.", "", of=S3, place=True)
    endpoint: str = key(ENDPOINT, "The server, where it is not Amazon's.", "", of=S3, place=True)
    public_endpoint: str = key(
        ENDPOINT,
        "The address under which browsers reach the same server, if it is another one: signed URLs begin with it. It "
        "has no effect with a `domain`.",
        "",
        of=S3,
    )
    authority: Path | None = key(
        SITE_PATH,
        "The certificates, PEM, of those who may have signed the server's. Nobody else is trusted then.",
        None,
        default_text="the project's, or botocore's",
        of=S3,
        who="node",
    )
    domain: str = key(
        HOSTNAME, "The host that serves the files. Without one, addresses are signed.", "", of=S3, own=True, front=True
    )
    access_key: Secret | None = key(
        SECRET,
        "The id of the credentials. Without them the role of the container or the machine is used.",
        None,
        of=S3,
        own=True,
    )
    secret_key: Secret | None = key(
        SECRET,
        "The key of the credentials.",
        None,
        default_text="required with an access key",
        of=S3,
        own=True,
        invalidates=(
            "Nothing that is stored. When the old key is taken away, signed addresses of files that were made with it.",
        ),
    )
    addressing_style: str = key(
        choice("path", "virtual", "auto", what="addressing style"),
        "Where URLs have the bucket's name: in the path, before the host, or as botocore decides.",
        "",
        default_text="`path` with an endpoint, otherwise `virtual`",
        of=S3,
    )
    signature_version: str = key(
        choice("s3v4", "s3", what="signature version"),
        "How requests are signed; `s3` is version 2, for servers that do not know version 4.",
        "",
        default_text="the project's, or `s3v4`",
        of=S3,
    )
    request_checksum_calculation: str = key(
        choice(*CHECKSUMS, what="checksum calculation"),
        "Whether all uploads get a checksum, which many servers other than Amazon's refuse.",
        "",
        default_text="the project's, or `when_required` for an endpoint that is not Amazon's, or `when_supported`",
        of=S3,
    )
    response_checksum_validation: str = key(
        choice(*CHECKSUMS, what="checksum validation"),
        "Whether all downloads are compared with their checksum.",
        "",
        default_text="as for `request_checksum_calculation`",
        of=S3,
    )
    connect_timeout: int | None = key(
        integer(1, MOST_SECONDS, what="connect timeout", unit="seconds"),
        "How long a connection to the server may take.",
        None,
        default_text="the project's, or 5",
        of=S3,
    )
    read_timeout: int | None = key(
        integer(1, MOST_SECONDS, what="read timeout", unit="seconds"),
        "How long the server may be silent.",
        None,
        default_text="the project's, or 10",
        of=S3,
    )
    attempts: int | None = key(
        integer(1, 10, what="number of attempts"),
        "How many times a request is tried.",
        None,
        default_text="the project's, or 2",
        of=S3,
    )
    querystring_expire: int | None = key(
        integer(1, WEEK, what="lifetime", unit="seconds"),
        "How long a signed URL is valid. Pages must not be cached for longer.",
        None,
        default_text="the project's, or 3600",
        of=S3,
        front=True,
    )

    @property
    def is_signed(self) -> bool:
        """Whether files have addresses that expire."""
        return self.backend == "s3" and not self.domain

    @property
    def style(self) -> str:
        """Where addresses have the bucket. Other S3 servers rarely have a host name per bucket."""
        return self.addressing_style or ("path" if self.endpoint else "virtual")

    @property
    def visited_endpoint(self) -> str:
        """The server as browsers reach it; blank for Amazon's."""
        return self.public_endpoint or self.endpoint

    def __post_init__(self) -> None:
        raise_problems(storage_problems(self))


def storage_problems(storage: StorageSpec) -> Iterator[Problem]:
    yield from declared_problems(storage)
    if storage.backend == "s3":
        yield from pair_problems(storage.access_key, storage.secret_key)
        if storage.authority and storage.endpoint.startswith("http://"):
            yield Problem("authority", "It is of TLS only, and the endpoint begins with http://. Write https://.")


def pair_problems(access_key: Secret | None, secret_key: Secret | None) -> Iterator[Problem]:
    """Yield the problem of half a pair of credentials."""
    if (access_key is None) != (secret_key is None):
        missing = "access_key" if access_key is None else "secret_key"
        yield Problem(missing, "An access key and a secret key belong together; give both or neither.")
