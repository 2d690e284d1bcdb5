"""The tables of a registry that hold the options of servers."""

from __future__ import annotations

from collections.abc import Mapping

from wagtail_multihost.spec.code import CodeOptions
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.options import Options
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.uwsgi import UwsgiOptions

#: The options of each target, the platform's and in part a site's.
TARGETS: Mapping[str, type[Options]] = {"nginx": NginxOptions, "uwsgi": UwsgiOptions, "systemd": SystemdOptions}
#: The tables that a site may have.
SITE_TABLES: Mapping[str, type[Options]] = {"code": CodeOptions, **TARGETS}
