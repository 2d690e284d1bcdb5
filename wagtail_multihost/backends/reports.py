"""Error reports that show no secret: on Django's debug page, and in the mails to ADMINS."""

from __future__ import annotations

import re
from collections.abc import ItemsView
from types import FrameType
from typing import Any

from django.http import HttpRequest
from django.views.debug import SafeExceptionReporterFilter

from wagtail_multihost.resolver.masking import DEEPEST, OPEN_NAMES, mask_text
from wagtail_multihost.running import own_site
from wagtail_multihost.spec.secret import Secret

PACKAGE = "wagtail_multihost"
# Variables have plainer names than settings: "key" and "author" are seldom secret.
TELLING_VARIABLE = re.compile("PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIAL|DSN|_KEY$|CONN_PARAMS", re.IGNORECASE)


def secret_names() -> frozenset[str]:
    """Return the names of the project's own settings that are declared secret."""
    site = own_site()
    return (
        frozenset(name for name, value in site.project_settings if isinstance(value, Secret)) if site else frozenset()
    )


class SiteExceptionReporterFilter(SafeExceptionReporterFilter):
    """
    Django's filter, which masks by the names of settings, and on top of it the credentials inside URLs, connection
    strings and lists, whatever they are called. Frames of this package show no values, and other frames none that are
    named like a password or contain one.
    """

    hidden_settings = re.compile(
        f"{SafeExceptionReporterFilter.hidden_settings.pattern}|DSN|PWD|CRED|PRIVATE|SALT", re.IGNORECASE
    )

    def cleanse_setting(self, key: Any, value: Any) -> Any:
        """Return what may be shown of a setting, or of one of a request's variables."""
        if key in secret_names():
            return self.cleansed_substitute
        if key in OPEN_NAMES:
            return self.without_credentials(value)
        return self.without_credentials(super().cleanse_setting(key, value))

    def without_credentials(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, Secret) or depth > DEEPEST:
            return self.cleansed_substitute
        if isinstance(value, str):
            return mask_text(value)
        if isinstance(value, bytes):
            return mask_text(value.decode(errors="replace"))
        if isinstance(value, dict):
            return {key: self.without_credentials(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            items = [self.without_credentials(inner, depth + 1) for inner in value]
            return items if isinstance(value, list) else tuple(items)
        return value

    def get_traceback_frame_variables(self, request: HttpRequest | None, tb_frame: FrameType) -> ItemsView[str, Any]:
        """Return what may be shown of a frame's variables."""
        found = super().get_traceback_frame_variables(request, tb_frame)
        if str(tb_frame.f_globals.get("__name__", "")).partition(".")[0] == PACKAGE:
            return dict.fromkeys((name for name, _ in found), self.cleansed_substitute).items()
        return {name: self.variable(name, value) for name, value in found}.items()

    def variable(self, name: str, value: Any, depth: int = 0) -> Any:
        if (value and TELLING_VARIABLE.search(name)) or depth > DEEPEST:
            return self.cleansed_substitute
        if type(value) is dict:
            return {key: self.variable(str(key), inner, depth + 1) for key, inner in value.items()}
        if type(value) in (list, tuple, set, frozenset):
            return [self.variable("", inner, depth + 1) for inner in value]
        return self.without_credentials(value) if isinstance(value, str | bytes | Secret) else value
