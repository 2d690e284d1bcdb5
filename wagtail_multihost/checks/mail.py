"""How mail is sent."""

from __future__ import annotations

from collections.abc import Sequence

import django
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from wagtail_multihost.checks import TAG
from wagtail_multihost.running import own_site

MAILERS = "MAILERS"


@register(TAG)
def check_mail(app_configs: Sequence[AppConfig] | None, **kwargs: object) -> list[CheckMessage]:
    """E013: mail is described in two ways, of which Django reads one."""
    if own_site() is None or not settings.is_overridden(MAILERS):
        return []
    from wagtail_multihost.resolver.content import MAILERS_SINCE
    from wagtail_multihost.resolver.mail import REPLACED  # only where checks run

    former = [name for name in REPLACED if settings.is_overridden(name)]
    if django.VERSION >= MAILERS_SINCE and not former:
        return []
    beside = f"set together with {', '.join(former)}, and Django reads only one of the two"
    fault = beside if former else "set, but Django reads it only from 6.1 on"
    return [
        Error(
            f"MAILERS is {fault}: mail would leave through an account that is not the site's.",
            hint="From Django 6.1 on set MAILERS alone, and the EMAIL_ settings alone before.",
            id="wagtail_multihost.E013",
        )
    ]
