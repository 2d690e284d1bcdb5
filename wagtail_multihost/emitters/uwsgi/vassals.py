"""A site's vassal: its own ini, whose text depends on nothing of other sites."""

from __future__ import annotations

import re

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.limits import FIELD_BYTES, URL_BYTES, UWSGI_PACKET, UWSGI_VARIABLES
from wagtail_multihost.emitters.quoting import (
    literal_pattern,
    uwsgi_quote,
    uwsgi_quote_part,
    uwsgi_quote_route,
    uwsgi_quote_variable,
)
from wagtail_multihost.emitters.uwsgi.accounts import account_of
from wagtail_multihost.emitters.uwsgi.places import EMPEROR, LOADER, socket_path, stats_path
from wagtail_multihost.emitters.uwsgi.router import closed_patterns, redirect_patterns
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.uwsgi import UwsgiOptions

SOCKET_MODE = "660"
PRIVATE_SOCKET_MODE = "600"
KIBIBYTES = {"": 1 / 1024, "k": 1, "m": 1024, "g": 1024**2}
# uWSGI counts whole seconds, and may be one early: nginx is the one to tell a visitor that a request takes too long.
HARAKIRI_MARGIN = 2
#: A path of a file without hidden folders, and without the dollar sign that uWSGI would expand; and the names that
#: ManifestStaticFilesStorage makes, which nginx knows too (content.conf).
FILE_PATTERN = "(?:[^/.$][^/$]*/)*[^/.$][^/$]*"
PATTERNS = {
    "long_url": f"^.{{{URL_BYTES + 1}}}",
    "long_cookie": f"^.{{{FIELD_BYTES - len('Cookie: ') + 1}}}",
    "file_pattern": FILE_PATTERN,
    "hashed_pattern": FILE_PATTERN + "[.][0-9a-f]{12}[.][A-Za-z0-9]+",
    "hashed_cache": "public, max-age=31536000, immutable",
}
#: In how many places of a path several slashes are merged: each copies the path into the request's packet.
MERGED_PLACES = 4
# The default for a site with its own account: without a limit its code could use up the machine's processes.
ACCOUNT_TASKS = 256


def shared_values(plan: Plan) -> dict[str, object]:
    """Return what every vassal has in common, quoted once."""
    codebase, options = plan.codebase, plan.options(UwsgiOptions)
    return {
        "build": options.build,
        "python": uwsgi_quote(f"{codebase.virtualenv}/bin/python3"),
        "registry": uwsgi_quote(plan.registry),
        "socket_mode": PRIVATE_SOCKET_MODE if options.http else SOCKET_MODE,
        "front_group": uwsgi_quote_part(plan.options(NginxOptions).user),
        "serves_http": bool(options.http),
        "request_buffer": UWSGI_PACKET,
        "request_variables": UWSGI_VARIABLES,
        "mime_types": uwsgi_quote(f"{plan.directory / EMPEROR}/mime.types"),
        "loader": uwsgi_quote(f"{plan.directory / LOADER}"),
    }


def render_vassal(plan: Plan, site: SiteSpec, shared: dict[str, object]) -> dict[str, object]:
    """Return what the site's ini is made of, quoted."""
    options, account = plan.options(UwsgiOptions, site), account_of(plan, site)
    return {
        "site": uwsgi_quote(site.id),
        "digest": plan.digests.get(site.id, ""),
        "account": account,
        "socket": uwsgi_quote(socket_path(plan, site.names.socket)),
        "temporary": uwsgi_quote(str(plan.platform.local_path(site.id, "tmp"))),
        "variables": [uwsgi_quote_variable(f"{name}={value}") for name, value in site.env],
        "on_demand": options.on_demand,
        "stats": uwsgi_quote(stats_path(plan, site)) if options.stats else "",
        "cgroup": uwsgi_quote_part(options.cgroup.replace("{site}", site.id)),
        "tasks": options.tasks or (ACCOUNT_TASKS if account else 0),
        "memory": round_to_megabytes(options.memory),
        "rss": round_to_megabytes(options.rss),
        "body_bytes": bytes_of(plan.options(NginxOptions, site).body_size),
        **number_values(plan, site),
        **code_values(plan, site),
        **serving_values(plan, site),
        **shared,
    }


def number_values(plan: Plan, site: SiteSpec) -> dict[str, object]:
    options = plan.options(UwsgiOptions, site)
    names = ("processes", "threads", "harakiri", "max_requests", "max_requests_delta", "cheaper", "idle", "backlog")
    values = {name: getattr(options, name) for name in names}
    return {**values, "harakiri": options.harakiri + HARAKIRI_MARGIN}


def code_values(plan: Plan, site: SiteSpec) -> dict[str, object]:
    """Return where the site's code is: the platform's code, or the site's own."""
    codebase = plan.codebase_of(site)
    return {
        "virtualenv": uwsgi_quote(str(codebase.virtualenv)),
        "directory": uwsgi_quote(str(codebase.directory)),
        "wsgi": uwsgi_quote(codebase.wsgi),
        "settings_module": uwsgi_quote(codebase.settings_module),
        # uWSGI takes patterns here (plugins/python, uwsgi_opt_pythonpath).
        "pythonpath": [uwsgi_quote(literal_pattern(path)) for path in codebase.pythonpath],
    }


def serving_values(plan: Plan, site: SiteSpec) -> dict[str, object]:
    """Return what a vassal needs to serve files and redirects itself; nothing if nginx does that."""
    if not plan.options(UwsgiOptions).http:
        return {}
    codebase = plan.codebase_of(site)
    static_url = codebase.static_url if codebase.static_root else None
    origin = plan.platform.origin_of(site.canonical, has_tls=site.has_tls(site.canonical))
    return {
        "static_url": uwsgi_quote(static_url.rstrip("/")) if static_url else "",
        "static_root": uwsgi_quote(str(codebase.static_root)),
        "static_pattern": uwsgi_quote(re.escape(static_url.rstrip("/"))) if static_url else "",
        "static_route": uwsgi_quote_route(str(codebase.static_root)) if static_url else "",
        "closed": [uwsgi_quote(pattern) for pattern in closed_patterns(codebase)],
        "media_url": uwsgi_quote(re.escape(codebase.media_url)) if codebase.media_url else "",
        "media_root": uwsgi_quote_route(str(site.storage.path)) if site.storage.path else "",
        **PATTERNS,
        "merged_places": MERGED_PLACES,
        "redirects": [uwsgi_quote(pattern) for pattern in redirect_patterns(site)],
        "origin": uwsgi_quote(origin),
    }


def bytes_of(size: str) -> int:
    """Return a size (``512m``, ``1g``; without a letter, bytes) in bytes."""
    digits, unit = (size[:-1], size[-1].lower()) if size[-1].isalpha() else (size, "")
    return round(int(digits) * KIBIBYTES[unit] * 1024)


def round_to_megabytes(size: str) -> int:
    """Return a size (``512m``, ``1g``; without a letter, bytes) in MiB, rounded up; 0 for a blank one."""
    if not size:
        return 0
    digits, unit = (size[:-1], size[-1]) if size[-1].isalpha() else (size, "")
    return max(1, -int(-(int(digits) * KIBIBYTES[unit]) // 1024))
