"""What may be shown of a project's settings."""

from __future__ import annotations

import datetime
import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagtail_multihost.resolver.masking import certain_secrets, mask_known_secrets, mask_setting, mask_text, mask_value
from wagtail_multihost.spec import Secret

MARKER = "hunter2hunter2"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\n{MARKER}\n-----END RSA PRIVATE KEY-----"


def test_masked_values_have_the_types_of_json() -> None:
    """Tables, lists, sets and secrets in any depth become JSON."""
    value = {"a": (1, [Secret("x"), Path("/srv")]), 7: None, "b": 1.5, "c": True, "d": {"z", "y"}}
    assert mask_value(value) == {"a": [1, ["***", "/srv"]], "7": None, "b": 1.5, "c": True, "d": ["y", "z"]}


def test_project_secrets_are_masked() -> None:
    """What the project's own settings hold under a telling key, or in a URL, is not shown either."""
    project = {
        "LOCATION": "redis://:hidden@cache.internal:6379/0",
        "OPTIONS": {"password": "hidden", "basic_auth": ("user", "hidden"), "KEY_PREFIX": "shown"},
        "URLS": ["https://user:hidden@search.internal"],
    }
    assert mask_value(project) == {
        "LOCATION": "redis://***@cache.internal:6379/0",
        "OPTIONS": {"password": "***", "basic_auth": "***", "KEY_PREFIX": "shown"},
        "URLS": ["https://***@search.internal"],
    }


SECRET_TEXTS = [
    f"postgresql://user:{MARKER}@db.internal/name",
    f"postgresql://user:{MARKER}/with/slash@db.internal/name",
    f"postgresql://user:at@{MARKER}@db.internal/name",
    f"postgresql://user:a space {MARKER}@db.internal/name",
    f"redis://a.internal:6379,redis://:{MARKER}@b.internal:6379",
    f"https://{MARKER}@o1.ingest.example.org/1",
    f"amqp://user:{quote(MARKER)}@queue.internal//",
    f"user:{MARKER}@queue.internal:5672/vhost",
    f"hosts=user:{MARKER}@queue.internal:5672",
    f"redis://cache.internal:6379/0?password={MARKER}",
    f"redis://cache.internal:6379/0?db=1&Password={MARKER}&x=1",
    f"https://api.example.org/v1?api_key={MARKER}",
    f"host=db.internal user=aurora password={MARKER} dbname=aurora",
    f"host=db.internal password='a \\' b {MARKER}' dbname=aurora",
    f"host=db.internal password = a{MARKER};b&c dbname=aurora",
    f"Server=db.internal;Pwd=a b {MARKER};Database=aurora",
    f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey=x {MARKER}==;EndpointSuffix=b",
    f'{{"password": "{MARKER}", "host": "a"}}',
    f'{{"private_key": "a \\"quoted\\" {MARKER}"}}',
    f"{{'client_secret': '{MARKER}'}}",
    f'{{"token": "unfinished {MARKER}',
    f"Authorization: Bearer {MARKER}",
    f"X-Api-Key: {MARKER}",
    f"X-Api-Key:{MARKER}",
    PEM,
    f"eyJhbGciOiJIUzI1NiJ9.{MARKER}.signature",
    f"https://hooks.example.org/services/T000/B000/Ab1{MARKER}ab1AB1x",
    f"Ab1{MARKER}Ab1{MARKER}",
    f"deadbeefdeadbeefdeadbeefdeadbeef{''.join(f'{ord(c):x}' for c in MARKER)}",
]


@pytest.mark.parametrize("text", SECRET_TEXTS)
def test_texts_with_a_secret_in_them_are_masked(text: str) -> None:
    """URLs, connection strings, JSON, headers, keys and tokens do not show their secret, at any place of a text."""
    shown = [mask_text(text), mask_text(f"before {text}"), mask_text(f"{text}\nafter")]
    hidden = (MARKER, "".join(f"{ord(c):x}" for c in MARKER))
    assert not [form for form in shown if any(secret in form for secret in hidden)]
    assert all("***" in form for form in shown)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "aurora",
        "redis://cache.internal:6379/0",
        "unix:///run/redis/redis.sock?db=1",
        "https://api.example.org:8443/v1/",
        "https://auth.example.org:8443",
        "django.contrib.auth.hashers.PBKDF2SHA1PasswordHasher",
        "storages.backends.s3boto3.S3ManifestStaticStorageWithNumbers1",
        "Ops <ops@example.org>",
        "ops@example.org",
        "38e0b11b-4e4f-5c36-8b9c-c3e4dd8e3c54",
        "/srv/aviary/releases/2024-01-01/media",
        "{levelname} {asctime} {module} {message}",
        "default-src 'self' https://media.example.org",
        "Europe/Berlin",
        "aviary--a-very-long-name-of-a-site-0a1b2c3d4e",
    ],
)
def test_plain_texts_are_shown_as_they_are(text: str) -> None:
    """Addresses without credentials, dotted paths, ids, mail addresses and formats are shown."""
    assert mask_text(text) == text


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("SECRET_KEY", MARKER, "***"),
        ("SECRET_KEY_FALLBACKS", [MARKER, MARKER], ["***", "***"]),
        ("STRIPE_API", {"live": MARKER}, "***"),
        ("TWILIO_PIN_TOKEN", 123456, "***"),
        ("SIGNING_SALT", MARKER, "***"),
        ("API_ENABLED", True, True),
        ("AUTH_SOMETHING", None, None),
        ("AUTH_USER_MODEL", "users.User", "users.User"),
        ("PASSWORD_HASHERS", ["a.b.C"], ["a.b.C"]),
        ("AUTH_PASSWORD_VALIDATORS", [{"NAME": "a.b.C", "OPTIONS": {"api_key": MARKER}}], None),
        ("CACHE_MIDDLEWARE_KEY_PREFIX", "aviary.aurora", "aviary.aurora"),
    ],
)
def test_settings_are_told_by_their_names(name: str, value: object, shown: object) -> None:
    """A telling name hides all that is below it, and of a list all but the length; a few names only look telling."""
    found = mask_setting(name, value)
    assert MARKER not in json.dumps(found)
    assert shown in (None, found)


class Client:
    """An object whose texts show a password."""

    def __repr__(self) -> str:
        return MARKER


def test_long_texts_are_not_shown() -> None:
    """A text of many pages is shown by its length, quickly and whatever is in it."""
    assert mask_text("a:b," * 10_000) == "<40000 characters>"
    assert mask_text("x" * 10_000) == "x" * 10_000


def test_objects_are_shown_by_their_types() -> None:
    """What is neither text nor a plain value has no text of its own in a report."""
    found = mask_value([Client(), Client, len, MARKER.encode(), datetime.timedelta(1), re.compile("a"), {Client(): 1}])
    assert MARKER not in json.dumps(found)
    assert found == [
        "<tests.resolver.test_masking.Client>",
        "<tests.resolver.test_masking.Client>",
        "<builtins.len>",
        "<builtins.bytes>",
        "1 day, 0:00:00",
        "re.compile('a')",
        {"<tests.resolver.test_masking.Client>": 1},
    ]


def test_values_that_hold_themselves_come_to_an_end() -> None:
    """A list in itself is shown to a limit."""
    value: list[object] = [MARKER]
    value.append(value)
    assert "…" in json.dumps(mask_value(value), ensure_ascii=False)
    assert list(certain_secrets("PASSWORDS", {"a": value}))


def test_a_secret_of_one_setting_is_masked_in_all_others() -> None:
    """What stands under a name that leaves no doubt is hidden where it stands under one that says nothing."""
    project = {"SECRET_KEY": MARKER, "SIMPLE": {"PASSWORDS": [f"{MARKER}-longer"]}, "PASS_THROUGH": "short"}
    found = frozenset(text for name, value in project.items() for text in certain_secrets(name, value))
    assert found == {MARKER, f"{MARKER}-longer"}
    shown = {f"https://example.org/?t={MARKER}": [f"a {MARKER}-longer", "short", 1]}
    assert mask_known_secrets(shown, found) == {"https://example.org/?t=***": ["a ***", "short", 1]}


NAMES = st.sampled_from(["HOST", "NAME", "LOCATION", "OPTIONS", "urls", "default", "backend"])
TELLING_NAMES = st.sampled_from(["PASSWORD", "api_key", "SECRET_KEY", "AuthToken", "db_pwd", "CREDENTIALS", "salt"])
PLAIN = st.text(max_size=8) | st.integers() | st.booleans() | st.none()
NESTED = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3))
HIDDEN = st.sampled_from(SECRET_TEXTS) | st.dictionaries(
    TELLING_NAMES, st.just(MARKER) | st.lists(st.just(MARKER)) | st.dictionaries(NAMES, st.just(MARKER)), min_size=1
)


@given(st.recursive(HIDDEN, lambda inner: st.lists(inner | NESTED) | st.dictionaries(NAMES, inner | NESTED)))
def test_no_marker_is_shown_wherever_it_is(value: object) -> None:
    """Secrets under telling keys, in URLs and in strings are hidden in every nesting of lists and tables."""
    shown = json.dumps(mask_value({"VALUE": value, "TUPLE": (value,)}))
    assert MARKER not in shown
    assert "".join(f"{ord(c):x}" for c in MARKER) not in shown


def test_secret_is_masked_by_its_type() -> None:
    """A secret needs no telling name and no telling looks."""
    assert mask_value({"colour": Secret("opal")}) == {"colour": "***"}
