"""The storage of a site's bucket."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import boto3
from botocore.config import Config
from django.conf import settings
from django.utils.deconstruct import deconstructible
from storages.backends.s3 import S3Storage
from storages.utils import clean_name, setting

from wagtail_multihost.backends.bucket_mark import check_bucket
from wagtail_multihost.backends.credentials import own_session
from wagtail_multihost.backends.forked import note_storage
from wagtail_multihost.backends.markers import require_site
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.servers import normalize_endpoint
from wagtail_multihost.resolver.storages import SITE_S3
from wagtail_multihost.spec.identifiers import shown
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
# botocore's own defaults are 60 seconds for connecting and for each silence, in up to five attempts
# (https://botocore.amazonaws.com/v1/documentation/api/latest/reference/config.html).
CONNECT_TIMEOUT = 5  # seconds
READ_TIMEOUT = 10  # seconds
ATTEMPTS = 2  # a server may just have closed the connection that was kept


@deconstructible
class SiteS3Storage(S3Storage):  # type: ignore[misc]  # django-storages has no types
    """
    django-storages' S3Storage with the bucket and the keys of this process's site.

    Its arguments are the site id, the ``location`` (a folder in the bucket) and the project's options on how files
    are stored. It is deconstructed to the first two alone, because Wagtail puts a storage's arguments into the queue
    of the task that deletes a file. In the process of another site it raises ConfigurationError, and IdentityError
    where the bucket has the mark of another site.
    """

    client_config: Any
    site: str
    _constructor_args: tuple[tuple[Any, ...], dict[str, Any]]

    def __init__(self, *, site: str, location: str = "", **stated: Any) -> None:
        self.site = site
        arguments, options = self._constructor_args
        # Queues keep JSON, which a configuration of clients is not.
        self._constructor_args = arguments, {name: value for name, value in options.items() if name not in stated}
        own = require_site(site, "storage").storage
        refuse_unreadable_authority(own, site)
        how = stated or stated_options(location)
        super().__init__(**{**how, **bucket_options(own)}, location=location)
        note_storage(self)  # now it has what a child of a fork replaces
        # If the project has no configuration of clients, self.client_config is one that django-storages has made.
        project = how.get("client_config") or setting("AWS_S3_CLIENT_CONFIG")
        self.client_config = client_config(own, project, self.proxies, how.get("signature_version"))
        self.public_endpoint = "" if own.domain else own.public_endpoint

    @property
    def connection(self) -> Any:
        is_new = getattr(self._connections, "connection", None) is None
        connection = super().connection
        if is_new:
            # Before each request to the bucket, whoever has the client; signing a URL sends none.
            # https://boto3.amazonaws.com/v1/documentation/api/latest/guide/events.html
            connection.meta.client.meta.events.register("before-call.s3", self._check_bucket)
        return connection

    @property
    def signer(self) -> Any:
        """
        The client that signs URLs for browsers. A signature is only valid for one host, so the client that asks the
        server under its other address cannot make it (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
        It sends nothing.
        """
        if getattr(self._connections, "signer", None) is None:
            self._connections.signer = self._create_session().client(
                "s3", region_name=self.region_name, endpoint_url=self.public_endpoint, config=self.client_config
            )
        return self._connections.signer

    def url(
        self,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        if not self.public_endpoint:
            return str(super().url(name, parameters, expire, http_method))
        asked = {**(parameters or {}), "Bucket": self.bucket_name, "Key": self._normalize_name(clean_name(name))}
        seconds = self.querystring_expire if expire is None else expire
        return str(
            self.signer.generate_presigned_url("get_object", Params=asked, ExpiresIn=seconds, HttpMethod=http_method)
        )

    def _check_bucket(self, **event: object) -> None:
        check_bucket(self)

    def _create_session(self) -> boto3.Session:
        storage = require_site(self.site, "storage").storage
        return boto3.Session(botocore_session=own_session(storage.access_key, storage.secret_key))

    def get_default_settings(self) -> dict[str, Any]:
        return {**super().get_default_settings(), **NOT_AMBIENT, "file_overwrite": False, "default_acl": None}


def refuse_unreadable_authority(storage: StorageSpec, site: str) -> None:
    """Raise ConfigurationError for an authority that cannot be read: botocore would say so at each request."""
    path = storage.authority
    if path and not (path.is_file() and os.access(path, os.R_OK)):
        raise ConfigurationError.because(
            f"The file {shown(str(path))} cannot be read by this process. It must have the certificates, PEM, of those "
            "who may have signed the certificate of the S3 server.",
            where="storage.authority",
            site=site,
        )


def bucket_options(storage: StorageSpec) -> dict[str, Any]:
    """Return the site's own options: where its files are, who asks for them, and what its storage states besides."""
    authority = str(storage.authority) if storage.authority else None
    stated = {"querystring_expire": storage.querystring_expire, "verify": authority}
    return {
        "bucket_name": storage.bucket,
        "access_key": reveal_or_none(storage.access_key),
        "secret_key": reveal_or_none(storage.secret_key),
        "region_name": storage.region or None,
        "endpoint_url": storage.endpoint or None,
        "custom_domain": storage.domain or None,
        "url_protocol": "https:",
        # A CDN reads the bucket with its own credentials; without one every URL is signed.
        "querystring_auth": not storage.domain,
        **{name: value for name, value in stated.items() if value is not None},
    }


def stated_options(location: str) -> dict[str, Any]:
    """Return the project's options, in STORAGES, on how files in a folder of the bucket are stored."""
    for storage in settings.STORAGES.values():
        options = storage.get("OPTIONS") or {}
        if storage.get("BACKEND") == SITE_S3 and options.get("location", "") == location:
            return {name: value for name, value in options.items() if name not in ("site", "location")}
    return {}


def client_config(storage: StorageSpec, project: Config | None, proxies: Any, signature_version: Any) -> Config:
    """
    Return the configuration of clients: what the site states, then what the ``project`` states, then defaults that
    keep requests from waiting long, and that other servers than Amazon's accept. Nothing is left to the environment.
    """
    checksums = "when_required" if normalize_endpoint(storage.endpoint) else "when_supported"
    base = Config(
        signature_version=signature_version or "s3v4",
        proxies=proxies,
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=READ_TIMEOUT,
        retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
        request_checksum_calculation=checksums,
        response_checksum_validation=checksums,
    )
    stated = {
        "signature_version": storage.signature_version or None,
        "connect_timeout": storage.connect_timeout,
        "read_timeout": storage.read_timeout,
        "retries": {"total_max_attempts": storage.attempts, "mode": "standard"} if storage.attempts else None,
        "request_checksum_calculation": storage.request_checksum_calculation or None,
        "response_checksum_validation": storage.response_checksum_validation or None,
    }
    own = Config(
        region_name=storage.region or None,
        s3={**(getattr(project, "s3", None) or {}), "addressing_style": storage.style},
        **{name: value for name, value in stated.items() if value is not None},
    )
    return (base.merge(project) if project else base).merge(own)


def reveal_or_none(secret: Secret | None) -> str | None:
    return secret.reveal() if secret else None
