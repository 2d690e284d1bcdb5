"""
What may be shown of settings. Our own secrets are of a type that does not print; those of a project are recognised by
their names, by their place in a URL or a connection string, and by their form.

What is in doubt is masked. Only reports use this module.
"""

from __future__ import annotations

import datetime
import decimal
import re
from collections.abc import Iterator, Mapping, Set
from pathlib import PurePath

from wagtail_multihost.spec.secret import MASK, Secret

JsonValue = object

WORDS = "API|AUTH|TOKEN|KEY|SECRET|PASS|SIGNATURE|PWD|CRED|PRIVATE|SALT"
# As Django's error pages do (django.views.debug.SafeExceptionReporterFilter), and a few more.
TELLING = re.compile(WORDS, re.IGNORECASE)
#: Names of settings and options that look like those of secrets.
OPEN_NAMES = frozenset(
    {
        "AUTHENTICATION_BACKENDS",
        "AUTH_PASSWORD_VALIDATORS",
        "AUTH_USER_MODEL",
        "CACHE_MIDDLEWARE_KEY_PREFIX",
        "KEY_FUNCTION",
        "KEY_PREFIX",
        "PASSWORD_HASHERS",
        "PASSWORD_RESET_TIMEOUT",
        "passfile",
    }
)
#: Names whose values are searched for in all other values too.
CERTAIN = re.compile("SECRET|PASS|TOKEN|PRIVATE|CRED|PWD|(^|_)KEY", re.IGNORECASE)
CERTAIN_LENGTH = 8

# To the last "@": passwords may contain one, and slashes and spaces too.
USER_IN_URL = re.compile(r"://[^\n]*@")
USER_WITHOUT_SCHEME = re.compile(r"(?<![^\s,;\"'(\[=])[^\s:/@,;\"'(\[=]+:[^\s/][^\s]*@")
# password=… of a query or a connection string, "password": … of JSON, Authorization: … of a header.
# Not the port of a host, nor a scheme.
ASSIGNED = re.compile(
    rf"""(?<![\w.-])([\w.-]*(?:{WORDS})[\w.-]*["']?\s*(?:=|:(?!//|\d{{1,5}}(?:[/?\s,]|$)))\s*)"""
    r"""("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|["'].*|[^\n]+)""",
    re.IGNORECASE | re.DOTALL,
)
PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
JSON_WEB_TOKEN = re.compile(r"\beyJ[\w-]+(?:\.[\w-]*)+")
OPAQUE = re.compile(
    r"(?<![\w+=-])(?:(?=[\w+-]*[a-z])(?=[\w+-]*[A-Z])(?=[\w+-]*[0-9])[A-Za-z0-9_+=-]{24,}|[0-9a-f]{32,})"
)
# Of one case, as some services issue them: letters and digits that alternate too often for a word.
MIXED = re.compile(r"(?<![A-Za-z0-9])(?=[A-Za-z]*+[0-9]++[A-Za-z]++[0-9]++[A-Za-z]++[0-9])[A-Za-z0-9]{20,}")
# The prefixes of secrets, by the documentation of the services and of GitHub's secret scanning: Stripe, Slack, Amazon,
# GitHub and Telegram.
PREFIXED = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:[prs]k_(?:live|test)|whsec|gh[a-z])_\w{8,}|xox[a-z]-[\w-]{8,}|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|(?:bot)?[0-9]{6,}:[\w-]{30,})"
)
# Whoever knows the address of a webhook can use it: Slack, Discord, Teams, Mattermost, Zapier.
WEBHOOK = re.compile(
    r"""(://(?:[^\s/]*@)?(?:[\w.-]*\b(?:web)?hooks?\.[\w.-]+(?::\d+)?/|[\w.-]+(?::\d+)?/(?:[\w.~%/-]*/)?(?:web)?hook\w*/))"""
    r"""[^\s"',;]+""",
    re.IGNORECASE,
)
# A shared access signature of Azure.
SIGNED = re.compile(r"([?&;]sig=)[^&\s\"']+", re.IGNORECASE)
DOTTED_PATH = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
DEEPEST = 20
LONGEST = 10_000  # characters; in a shortened text a secret might not be recognised
PLAIN = (PurePath, datetime.date, datetime.time, datetime.timedelta, decimal.Decimal, re.Pattern)


def mask_value(value: object, depth: int = 0) -> JsonValue:
    """
    Return ``value`` in the types of JSON, with every secret as ``***``: our own, and what the project's settings hold
    under a secret's name, in a URL, in a connection string or in the form of a secret.
    """
    if isinstance(value, Secret):
        return MASK
    if depth > DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        names = (
            (key if isinstance(key, int | float | None) else unmasked_text(key), inner) for key, inner in value.items()
        )
        return {mask_text(str(name)): mask_entry(str(name), inner, depth) for name, inner in names}
    if isinstance(value, list | tuple):
        return [mask_value(inner, depth + 1) for inner in value]
    if isinstance(value, Set):
        return sorted((mask_value(inner, depth + 1) for inner in value), key=str)
    if isinstance(value, int | float | bool | None):
        return value
    return mask_text(unmasked_text(value))


def mask_entry(name: str, value: object, depth: int = 0) -> JsonValue:
    """Return what may be shown of ``value`` under ``name``."""
    return mask_value(value, depth + 1) if is_open(name, value) else MASK


def mask_setting(name: str, value: object) -> JsonValue:
    """Return what may be shown of the setting ``name``: of a list of secrets, only their number."""
    if isinstance(value, list | tuple) and not is_open(name, value):
        return [MASK] * len(value)
    return mask_entry(name, value)


def is_open(name: str, value: object) -> bool:
    return not value or value is True or name in OPEN_NAMES or not TELLING.search(name)


def unmasked_text(value: object) -> str:
    """Return a string as it is, and of another object what cannot hold a secret: mostly its type."""
    if isinstance(value, str):
        return value
    # Django's lazy translations are of this type; their text is made on demand.
    if isinstance(value, PLAIN) or type(value).__name__ == "__proxy__":
        return str(value)
    of = value if isinstance(value, type) or hasattr(value, "__qualname__") else type(value)
    return f"<{getattr(of, '__module__', '')}.{getattr(of, '__qualname__', '')}>"


def mask_text(text: str) -> str:
    if PRIVATE_KEY.search(text):
        return MASK
    if len(text) > LONGEST:
        return f"<{len(text)} characters>"
    for pattern in (WEBHOOK, SIGNED):  # before users: an address may have an "@" where it is secret
        text = pattern.sub(rf"\1{MASK}", text)
    text = USER_IN_URL.sub(f"://{MASK}@", text)
    text = USER_WITHOUT_SCHEME.sub(f"{MASK}@", text)
    text = ASSIGNED.sub(rf"\1{MASK}", text)
    for pattern in (JSON_WEB_TOKEN, PREFIXED):
        text = pattern.sub(MASK, text)
    return text if DOTTED_PATH.fullmatch(text) else MIXED.sub(MASK, OPAQUE.sub(MASK, text))


def certain_secrets(name: str, value: object, depth: int = 0) -> Iterator[str]:
    """Yield the strings in ``value`` under names that leave no doubt; they are secret wherever they appear."""
    if depth > DEEPEST:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from certain_secrets(name if is_certain(name) else str(key), inner, depth + 1)
    elif isinstance(value, list | tuple | Set):
        for inner in value:
            yield from certain_secrets(name, inner, depth + 1)
    elif isinstance(value, str) and is_certain(name) and len(value) >= CERTAIN_LENGTH:
        yield value


def is_certain(name: str) -> bool:
    return name not in OPEN_NAMES and bool(CERTAIN.search(name))


def mask_known_secrets(value: JsonValue, secrets: frozenset[str]) -> JsonValue:
    """Return a masked value with ``secrets`` masked too, longest first."""
    if isinstance(value, dict):
        return {
            str(mask_known_secrets(key, secrets)): mask_known_secrets(inner, secrets) for key, inner in value.items()
        }
    if isinstance(value, list):
        return [mask_known_secrets(inner, secrets) for inner in value]
    if isinstance(value, str):
        for secret in sorted(secrets, key=len, reverse=True):
            value = value.replace(secret, MASK)
    return value
