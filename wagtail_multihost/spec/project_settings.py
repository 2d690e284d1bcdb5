"""Settings of the project's own: the platform declares them, and each site states their values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import TypeAlias

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.declared import declared_problems, key
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.kinds import SWITCH, Kind, accept_any, choice
from wagtail_multihost.spec.overrides import ENDS_OF_CODE, KEY_OF, OF_THE_CODE, OVERRIDABLE
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.validation import problem_of, raise_problems

Value: TypeAlias = str | int | bool | Decimal | tuple[str, ...] | Secret

TYPES = ("string", "integer", "decimal", "boolean", "list")
#: What a value of each type is, in Python; a list is one of strings.
PYTHON_TYPES = {"string": str, "integer": int, "decimal": Decimal, "boolean": bool, "list": tuple}
NAME_FORM = r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*"
NAME_LENGTH = 64
#: The ending of the key of a file that holds a secret, where variables state it.
FILE_ENDING = "_FILE"
TEXT_LENGTH = 20_000
MEANING_LENGTH = 200
# Those of Django 5.2 to 6.1 that the beginnings and endings below do not cover
# (https://docs.djangoproject.com/en/stable/ref/settings/).
OF_DJANGO = frozenset(
    {
        *("ABSOLUTE_URL_OVERRIDES", "ADMINS", "ALLOWED_HOSTS", "APPEND_SLASH", "CACHES", "DATETIME_INPUT_FORMATS"),
        *("DATE_INPUT_FORMATS", "DEBUG", "DEBUG_PROPAGATE_EXCEPTIONS", "DECIMAL_SEPARATOR", "DEFAULT_CHARSET"),
        *("DEFAULT_INDEX_TABLESPACE", "DEFAULT_TABLESPACE", "DISALLOWED_USER_AGENTS", "FIRST_DAY_OF_WEEK"),
        *("FIXTURE_DIRS", "FORCE_SCRIPT_NAME", "FORMAT_MODULE_PATH", "FORMS_URLFIELD_ASSUME_HTTPS"),
        *("IGNORABLE_404_URLS", "INTERNAL_IPS", "LANGUAGES", "LANGUAGES_BIDI", "LOCALE_PATHS", "LOGIN_REDIRECT_URL"),
        *("LOGIN_URL", "LOGOUT_REDIRECT_URL", "MANAGERS", "MEDIA_URL", "MESSAGE_LEVEL", "MESSAGE_STORAGE"),
        *("MESSAGE_TAGS", "MONTH_DAY_FORMAT", "NUMBER_GROUPING", "PASSWORD_RESET_TIMEOUT", "PREPEND_WWW", "SITE_ID"),
        *("SIGNED_COOKIE_LEGACY_SALT_FALLBACK", "SILENCED_SYSTEM_CHECKS", "STATIC_ROOT", "STATIC_URL"),
        *("TEST_NON_SERIALIZED_APPS", "THOUSAND_SEPARATOR", "TIME_INPUT_FORMATS", "URLIZE_ASSUME_HTTPS"),
        *("USE_BLANK_CHOICE_DASH", "USE_I18N", "USE_TZ", "USE_X_FORWARDED_HOST", "USE_X_FORWARDED_PORT"),
        *("X_FRAME_OPTIONS", "YEAR_MONTH_FORMAT"),
    }
)
#: How the names of settings begin that Django, Wagtail, django-storages and this package read.
BEGINNINGS = (
    *("AWS_", "CACHE_MIDDLEWARE_", "CSRF_", "DATA_UPLOAD_", "DATABASE_", "DJANGO_", "EMAIL_", "FILE_UPLOAD_"),
    *("LANGUAGE_COOKIE_", "MAILERS", "MULTIHOST_", "SECURE_", "SESSION_", "STATICFILES_", "TASKS", "WAGTAIL"),
)


def check_value(value: object) -> object:
    """Return ``value`` when it is of a type that a setting may have and, if it is text, not too long."""
    if not isinstance(value, str | int | Decimal | tuple | Secret):
        raise ValueError("It must be a string, a whole number, a decimal number, true or false, or a list of strings.")
    if isinstance(value, str) and (len(value) > TEXT_LENGTH or "\0" in value):
        raise ValueError(f"The text is not accepted: it must have at most {TEXT_LENGTH} characters, and no zero byte.")
    return value


def parse_meaning(value: str) -> str:
    """Return ``value`` when it is one line of printable characters."""
    if len(value) > MEANING_LENGTH or not value.isprintable():
        raise ValueError(
            f"The text {shown(value)} is not accepted: it must be one line of at most {MEANING_LENGTH} characters."
        )
    return value


MEANING = Kind(f"string, at most {MEANING_LENGTH} characters", str, parse_meaning)
ANY_VALUE = Kind(
    "value of the type",
    str,
    check_value,
    "take_as_written",
    schema=(("type", ["string", "integer", "number", "boolean", "array"]), ("minLength", 0)),
)
FILE_OF_EACH_SITE = Kind("path, `{site}` in it", str, accept_any)


@frozen
class ProjectSetting(Frozen):
    """
    A setting of the project's own: the ``type`` of its values, whether they are ``secret``, the ``default`` of sites
    that state none (for a secret ``default_file``, with ``{site}`` in it) and its ``meaning``.
    """

    type: str = key(
        choice(*TYPES, what="type"),
        "What its values are. A decimal is a `decimal.Decimal` in Python, and a list one of strings.",
        "string",
    )
    secret: bool = key(SWITCH, "Whether its values are secrets, which nothing shows. They are strings.", False)
    default: Value | None = key(
        ANY_VALUE,
        "What a site has that states none. A secret has no default that all sites share.",
        None,
        default_text="none: each site states a value",
        snapshot="left out",
    )
    default_file: str = key(
        FILE_OF_EACH_SITE,
        "The file that holds a secret of a site that states none.",
        "",
        snapshot="left out",
        who="node",
    )
    meaning: str = key(MEANING, "What it is, for those who state values.", "", snapshot="left out")

    def __post_init__(self) -> None:
        raise_problems(declaration_problems(self))

    @property
    def has_default(self) -> bool:
        """Whether a site may state no value."""
        return self.default is not None or bool(self.default_file)


#: Declarations by their names.
ProjectSettings: TypeAlias = tuple[tuple[str, ProjectSetting], ...]
Values: TypeAlias = tuple[tuple[str, Value], ...]


def declaration_problems(declaration: ProjectSetting) -> Iterator[Problem]:
    yield from declared_problems(declaration)
    if declaration.secret and declaration.type != "string":
        yield Problem("type", f"The type {declaration.type} is not accepted for a secret, which is a string.")
    if declaration.secret and declaration.default is not None:
        yield Problem(
            "default",
            "Every site would share this secret. Leave it out and state one per site, or write a default_file with "
            "{site} in it.",
        )
    if declaration.default_file and not declaration.secret:
        yield Problem("default_file", "It is for secrets: write the value as default, or secret = true.")
    if declaration.default_file and "{site}" not in declaration.default_file:
        yield Problem("default_file", "Every site would share this secret. Write a path with {site} in it.")
    if declaration.type in TYPES and not declaration.secret and declaration.default is not None:
        yield from type_problems("default", declaration, declaration.default)


def type_problems(where: str, declaration: ProjectSetting, value: Value) -> Iterator[Problem]:
    """Yield the problem of a value that is not of the declared type."""
    wanted = Secret if declaration.secret else PYTHON_TYPES[declaration.type]
    if type(value) is not wanted:
        yield Problem(where, f"It must be {'a secret' if declaration.secret else f'of the type {declaration.type}'}.")


def refuse_form(name: str) -> None:
    """Raise ValueError for what is no name of a setting or a variable in capitals."""
    if len(name) > NAME_LENGTH or not re.fullmatch(NAME_FORM, name):
        raise ValueError(
            f"The name {shown(name)} is not accepted: it must be at most {NAME_LENGTH} letters A-Z and digits, with "
            "single underscores between them, the first a letter."
        )


def parse_setting_name(name: str) -> str:
    """Return ``name`` when it can be the name of a setting that only the project reads."""
    refuse_form(name)
    refused = f"The setting {shown(name)} cannot be declared as the project's own."
    if name in OVERRIDABLE:
        raise ValueError(f"{refused} It is Django's or Wagtail's, and sites state it in their settings.")
    if name in KEY_OF:
        raise ValueError(f"{refused} It is derived from the site's key {KEY_OF[name]}.")
    if name in OF_THE_CODE or name.endswith(ENDS_OF_CODE):
        raise ValueError(f"{refused} It changes the code or the migrations, which all sites share.")
    if name in OF_DJANGO or name.startswith(BEGINNINGS):
        raise ValueError(f"{refused} Django, Wagtail, django-storages or this package reads it.")
    return name


def setting_name_problems(where: str, names: Iterable[str]) -> Iterator[Problem]:
    """Yield the problems of names, each at its own key below ``where``."""
    for name in names:
        yield from problem_of(f"{where}.{name}", parse_setting_name, name)


def project_setting_problems(declared: ProjectSettings) -> Iterator[Problem]:
    """Yield the problems of the declared names."""
    names = [name for name, _ in declared]
    yield from setting_name_problems("project_settings", names)
    for name, declaration in declared:
        if declaration.secret and f"{name}{FILE_ENDING}" in names:
            yield Problem(
                f"project_settings.{name}{FILE_ENDING}",
                f"The name is not accepted: it would be read as the file of the secret {name}.",
            )


def stated_setting_problems(values: Values) -> Iterator[Problem]:
    """Yield the problems of what a site states."""
    yield from setting_name_problems("project_settings", (name for name, _ in values))
    for name, value in values:
        yield from problem_of(f"project_settings.{name}", check_value, value)
