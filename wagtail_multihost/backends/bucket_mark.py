"""The mark of a bucket's site: the object ``.multihost-site``, compared before a process first uses the bucket."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from wagtail_multihost.backends.markers import check_mark, encode_mark, own_mark
from wagtail_multihost.running import register_reset

if TYPE_CHECKING:
    from storages.backends.s3 import S3Storage

logger = logging.getLogger("wagtail_multihost.backends.storage")

NAME = ".multihost-site"
TIMEOUT = 2  # seconds
# One attempt: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
QUICK = Config(connect_timeout=TIMEOUT, read_timeout=TIMEOUT, retries={"total_max_attempts": 1})
AGAIN = 60.0  # seconds until a bucket is tried again whose mark could not be read
MISSING = ("NoSuchKey", "404")

# Of this process, by endpoint and bucket: when to try again, of the monotonic clock; infinity once it was compared.
_next: dict[tuple[str | None, str], float] = {}
register_reset(_next.clear)


def check_bucket(storage: S3Storage) -> None:
    """
    Compare the bucket's mark with this process's site; write it where there is none.

    Raises IdentityError for another site's. A mark that cannot be read or written is logged, and is not an error.
    """
    place = (storage.endpoint_url, storage.bucket_name)
    own = own_mark()
    if own is None or time.monotonic() < _next.get(place, 0):
        return
    try:
        with contextlib.closing(make_mark_client(storage)) as client:
            found = read_bucket_mark(client, storage.bucket_name)
            if found is None:
                client.put_object(
                    Bucket=storage.bucket_name, Key=NAME, Body=encode_mark(own), ContentType="application/json"
                )
                # The last one to write it has the bucket.
                found = read_bucket_mark(client, storage.bucket_name) or encode_mark(own)
    except (BotoCoreError, ClientError) as error:
        if place not in _next:
            warn_of_unknown_owner(storage.bucket_name, error)
        _next[place] = time.monotonic() + AGAIN
        return
    check_mark(found, own, f"the bucket {storage.bucket_name} ({NAME})")
    _next[place] = float("inf")


def make_mark_client(storage: S3Storage) -> Any:
    return storage._create_session().client(
        "s3",
        region_name=storage.region_name,
        use_ssl=storage.use_ssl,
        endpoint_url=storage.endpoint_url,
        config=storage.client_config.merge(QUICK),
        verify=storage.verify,
    )


def read_bucket_mark(client: Any, bucket: str) -> bytes | None:
    """Return the mark of a bucket, None when it has none."""
    try:
        return bytes(client.get_object(Bucket=bucket, Key=NAME)["Body"].read())
    except ClientError as error:
        if error.response["Error"]["Code"] in MISSING:
            return None
        raise


def warn_of_unknown_owner(bucket: str, error: Exception) -> None:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
    logger.warning(
        "The mark %s in the bucket %s could not be compared (%s), so it is not known whether the bucket is this "
        "site's. Files are used anyway.",
        NAME,
        bucket,
        code,
    )
