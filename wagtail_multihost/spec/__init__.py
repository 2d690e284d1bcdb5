"""What a site is: frozen, validated values that everything downstream takes. A spec that exists is valid."""

from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.frontend import FrontendCacheSpec
from wagtail_multihost.spec.identifiers import parse_hostname, parse_site_id
from wagtail_multihost.spec.mail import MailSpec
from wagtail_multihost.spec.names import Names, derive_names
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.server import NginxOptions, TlsSpec, UwsgiOptions
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import StorageSpec

__all__ = [
    "CacheSpec",
    "DatabaseSpec",
    "FrontendCacheSpec",
    "MailSpec",
    "Names",
    "NginxOptions",
    "PlatformSpec",
    "Secret",
    "SiteSpec",
    "StorageSpec",
    "TlsSpec",
    "UwsgiOptions",
    "derive_names",
    "parse_hostname",
    "parse_site_id",
]
