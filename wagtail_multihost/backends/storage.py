"""The storage of a site's bucket."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.config import Config
from django.utils.deconstruct import deconstructible
from storages.backends.s3 import S3Storage

from wagtail_multihost.backends.bucket_mark import check_bucket
from wagtail_multihost.backends.credentials import own_session
from wagtail_multihost.backends.forked import note_storage
from wagtail_multihost.backends.markers import require_site
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.storage import StorageSpec

# Where django-storages would otherwise fall back to settings and variables that all sites share.
NOT_AMBIENT = {
    "access_key": None,
    "secret_key": None,
    "security_token": None,
    "session_profile": None,
    "bucket_name": None,
    "location": "",
    "custom_domain": None,
    "cloudfront_key_id": None,
    "cloudfront_key": None,
    "endpoint_url": None,
    "region_name": None,
}


@deconstructible
class SiteS3Storage(S3Storage):  # type: ignore[misc]  # django-storages has no types
    """
    django-storages' S3Storage with the bucket and the keys of this process's site.

    Its arguments are the site id and the ``location`` (a folder in the bucket) alone, because Wagtail
    puts a storage's arguments into the queue of the task that deletes a file. In the process of another
    site it raises ConfigurationError, and IdentityError where the bucket has the mark of another site.
    """

    client_config: Any
    site: str

    def __init__(self, *, site: str, location: str = "") -> None:
        self.site = site
        note_storage(self)
        super().__init__(**bucket_options(require_site(site, "storage").storage), location=location)
        # boto3 takes AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_S3 from the environment where no endpoint is given.
        self.client_config = self.client_config.merge(Config(ignore_configured_endpoint_urls=True))

    @property
    def connection(self) -> Any:
        is_new = getattr(self._connections, "connection", None) is None
        connection = super().connection
        if is_new:
            # Before each request to the bucket, whoever has the client; signing a URL sends none.
            # https://boto3.amazonaws.com/v1/documentation/api/latest/guide/events.html
            connection.meta.client.meta.events.register("before-call.s3", self._check_bucket)
        return connection

    def _check_bucket(self, **event: object) -> None:
        check_bucket(self)

    def _create_session(self) -> boto3.Session:
        storage = require_site(self.site, "storage").storage
        return boto3.Session(botocore_session=own_session(storage.access_key, storage.secret_key))

    def get_default_settings(self) -> dict[str, Any]:
        return {**super().get_default_settings(), **NOT_AMBIENT, "file_overwrite": False, "default_acl": None}


def bucket_options(storage: StorageSpec) -> dict[str, Any]:
    return {
        "bucket_name": storage.bucket,
        "access_key": reveal_or_none(storage.access_key),
        "secret_key": reveal_or_none(storage.secret_key),
        "region_name": storage.region or None,
        "endpoint_url": storage.endpoint or None,
        "custom_domain": storage.domain or None,
        # A CDN reads the bucket with its own credentials; without one every URL is signed.
        "querystring_auth": not storage.domain,
        "signature_version": "s3v4",
        # Other S3 servers rarely have a host name per bucket.
        "addressing_style": "path" if storage.endpoint else "virtual",
    }


def reveal_or_none(secret: Secret | None) -> str | None:
    return secret.reveal() if secret else None
