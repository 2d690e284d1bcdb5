"""What suits only development: checked with ``check --deploy``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from wagtail_multihost.checks import TAG
from wagtail_multihost.checks.hosted import KnownDeployment, is_served_here, known_deployment
from wagtail_multihost.project import own_codebase, own_transport
from wagtail_multihost.spec.origins import misread_origin
from wagtail_multihost.spec.platform import PRODUCTION

# Modules of ``production`` are imported where checks run, not by each process that serves.


@register(TAG, deploy=True)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E022 and E023: settings that show visitors what is inside, and modules that say that they do."""
    if not is_served_here():
        return []
    from wagtail_multihost.production.settings import debug_findings, module_findings

    known, module = known_deployment(), str(settings.SETTINGS_MODULE)
    return [
        *(
            Error(found.sentence, hint=found.hint, id="wagtail_multihost.E022")
            for found in debug_findings(module, debug=settings.DEBUG)
        ),
        *(
            Error(found.sentence, hint=found.hint, id="wagtail_multihost.E023")
            for found in module_findings(module, known.sites if known else ())
        ),
    ]


@register(TAG, deploy=True)
def check_platform(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """W008, W009, W010, W011 and W026: the environment, who reads the registry, whose the key is, what is local."""
    known = known_deployment()
    return list(platform_messages(known)) if known else []


def platform_messages(known: KnownDeployment) -> Iterator[CheckMessage]:
    from wagtail_multihost.production import platform as find

    platform, sites = known.platform, known.sites
    for found in find.environment_findings(platform):
        yield Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W008")
    # E006 reports it for a site's process in production.
    files = () if known.is_of_site and platform.environment == PRODUCTION else known.files
    for found in find.registry_findings(platform, files, os.geteuid()):
        yield Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W009")
    for found in find.key_findings(platform, sites) if known.has_keys else ():
        yield Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W010")
    for found in find.local_findings(platform, sites):
        yield Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W011")
    for found in find.loopback_findings(sites):
        yield Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W026")


@register(TAG)
def check_links(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """W027: a port by which Wagtail takes https for http, or the other way round."""
    known = known_deployment()
    found = [misread_origin(known.platform, site) for site in known.sites] if known else []
    return [
        Warning(
            f'Visitors use {origin}, but Wagtail writes {written} into sitemaps, canonical URLs and "View live".',
            hint="Let visitors use port 443 for https and port 80 for http, or another port for http alone.",
            id="wagtail_multihost.W027",
        )
        for origin, written in list(filter(None, found))[:1]
    ]


@register(TAG, deploy=True)
def check_transport(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """W012, W013, W014 and W015: http, no redirect, a scheme that Django does not learn, no HSTS."""
    known = known_deployment()
    return list(transport_messages(known)) if known else []


def transport_messages(known: KnownDeployment) -> Iterator[CheckMessage]:
    from wagtail_multihost.production import transport as find

    platform, sites, django = known.platform, known.sites, own_transport()
    for found in find.plain_findings(platform, sites):
        yield Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W012")
    for found in find.redirect_findings(platform, sites, django):
        yield Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W013")
    for found in find.scheme_findings(platform, sites, django):
        yield Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W014")
    for found in find.hsts_findings(platform, sites, django):
        yield Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W015")


@register(TAG, deploy=True)
def check_folders(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E024 and W016: keys, the registry and data that an image, or a repository, would take along."""
    if not is_served_here():
        return []
    from wagtail_multihost.production.build_context import context_findings, repository_findings
    from wagtail_multihost.production.folders import find_platform_files

    known = known_deployment()
    data = known.platform.data if known else None
    project, paths, committed = find_platform_files(
        own_codebase().directory, data, known.sites if known else (), known.files if known else ()
    )
    return [
        *(
            Error(found.sentence, hint=found.hint, id="wagtail_multihost.E024")
            for found in context_findings(paths, data)
        ),
        *(
            Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W016")
            for found in repository_findings(project, committed, data)
        ),
    ]
