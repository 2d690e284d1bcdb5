"""What a site is: frozen, validated values that everything downstream takes. A spec that exists is valid."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wagtail_multihost.spec.cache import CacheSpec
    from wagtail_multihost.spec.code import CodeOptions
    from wagtail_multihost.spec.database import DatabaseSpec
    from wagtail_multihost.spec.frontend import FrontendCacheSpec
    from wagtail_multihost.spec.identifiers import parse_hostname, parse_site_id
    from wagtail_multihost.spec.mail import MailSpec
    from wagtail_multihost.spec.names import Names, derive_names
    from wagtail_multihost.spec.nginx import NginxOptions
    from wagtail_multihost.spec.platform import PlatformSpec
    from wagtail_multihost.spec.project_settings import ProjectSetting
    from wagtail_multihost.spec.secret import Secret
    from wagtail_multihost.spec.site import SiteSpec
    from wagtail_multihost.spec.storage import StorageSpec
    from wagtail_multihost.spec.systemd import SystemdOptions
    from wagtail_multihost.spec.tls import TlsSpec
    from wagtail_multihost.spec.uwsgi import UwsgiOptions
    from wagtail_multihost.spec.variables import Variable

__all__ = [
    "CacheSpec",
    "CodeOptions",
    "DatabaseSpec",
    "FrontendCacheSpec",
    "MailSpec",
    "Names",
    "NginxOptions",
    "PlatformSpec",
    "ProjectSetting",
    "Secret",
    "SiteSpec",
    "StorageSpec",
    "SystemdOptions",
    "TlsSpec",
    "UwsgiOptions",
    "Variable",
    "derive_names",
    "parse_hostname",
    "parse_site_id",
]

# A site's process does not need most of them, and defining dataclasses takes time.
MODULES = {
    "CacheSpec": "cache",
    "CodeOptions": "code",
    "DatabaseSpec": "database",
    "FrontendCacheSpec": "frontend",
    "MailSpec": "mail",
    "Names": "names",
    "NginxOptions": "nginx",
    "PlatformSpec": "platform",
    "ProjectSetting": "project_settings",
    "Secret": "secret",
    "SiteSpec": "site",
    "StorageSpec": "storage",
    "SystemdOptions": "systemd",
    "TlsSpec": "tls",
    "UwsgiOptions": "uwsgi",
    "Variable": "variables",
    "derive_names": "names",
    "parse_hostname": "identifiers",
    "parse_site_id": "identifiers",
}


def __getattr__(name: str) -> object:
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
