"""The Django settings that a site may state, as keys of a registry."""

from __future__ import annotations

from collections.abc import Iterator

from wagtail_multihost.registry.keys.key import SETTINGS, Key
from wagtail_multihost.spec.overrides import SWITCH_SETTINGS, TEXT_SETTINGS
from wagtail_multihost.spec.type_words import STRING, TRUE_OR_FALSE

#: What a site gets from the resolver where neither its record nor the platform's states it.
DERIVED_SETTINGS = {
    "DEFAULT_FROM_EMAIL": "`webmaster` at the first hostname",
    "EMAIL_SUBJECT_PREFIX": "the site's name in brackets",
    "SECURE_HSTS_INCLUDE_SUBDOMAINS": "false",
    "SECURE_HSTS_PRELOAD": "false",
    "SERVER_EMAIL": "`root` at the first hostname",
    "WAGTAILADMIN_NOTIFICATION_FROM_EMAIL": "the site's `DEFAULT_FROM_EMAIL`",
    "WAGTAIL_SITE_NAME": "made of the id",
}


def settings_keys() -> Iterator[Key]:
    """Yield the Django settings that a site may state; their rules are those of the spec."""
    for name in sorted({*TEXT_SETTINGS, *SWITCH_SETTINGS}):
        is_switch = name in SWITCH_SETTINGS
        owner = "Wagtail" if name.startswith("WAGTAIL") else "Django"
        meaning = f"{owner}'s setting." if is_switch else f"{owner}'s setting{accepted_by(TEXT_SETTINGS[name])}."
        default = DERIVED_SETTINGS.get(name, "the project's")
        kind = TRUE_OR_FALSE if is_switch else STRING
        yield Key(SETTINGS, name, kind, default, meaning, is_shared=True, who="site", shape=bool if is_switch else str)


def accepted_by(parser: object) -> str:
    """Return what a parser of texts accepts, in the words of its docstring (which Python drops with ``-OO``)."""
    sentence = " ".join((getattr(parser, "__doc__", None) or "").split()).replace("``", "`")
    when = sentence.partition("Return `value` ")[2].removesuffix(".")
    return f", accepted {when}" if when else ""
