"""What suits only development: looked at with ``check --deploy``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from wagtail_multihost.checks import TAG
from wagtail_multihost.checks.hosted import Hosted, hosted, is_served_here
from wagtail_multihost.project import own_codebase, own_transport
from wagtail_multihost.spec.platform import PRODUCTION

# What finds things is loaded where checks run, not by each process that serves.


@register(TAG, deploy=True)
def check_settings(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E022 and E023: settings that show visitors what is inside, and modules that say that they do."""
    if not is_served_here():
        return []
    from wagtail_multihost.production.settings import debug_findings, module_findings

    known, module = hosted(), str(settings.SETTINGS_MODULE)
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
    known = hosted()
    return list(platform_messages(known)) if known else []


def platform_messages(known: Hosted) -> Iterator[CheckMessage]:
    from wagtail_multihost.production import platform as find

    platform, sites = known.platform, known.sites
    for found in find.environment_findings(platform):
        yield Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W008")
    # E006 says it of a site's process in production.
    files = () if known.is_of_site and platform.environment == PRODUCTION else known.files
    for found in find.registry_findings(platform, files, os.geteuid()):
        yield Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W009")
    for found in find.key_findings(platform, sites) if known.has_keys else ():
        yield Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W010")
    for found in find.local_findings(platform, sites):
        yield Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W011")
    for found in find.loopback_findings(sites):
        yield Warning(found.sentence, hint=found.hint, id="wagtail_multihost.W026")


@register(TAG, deploy=True)
def check_transport(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """W012, W013, W014 and W015: http, no redirect, a scheme that Django does not learn, no HSTS."""
    known = hosted()
    return list(transport_messages(known)) if known else []


def transport_messages(known: Hosted) -> Iterator[CheckMessage]:
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
    from wagtail_multihost.production.folders import folders_of

    known = hosted()
    data = known.platform.data if known else None
    project, paths, committed = folders_of(
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
