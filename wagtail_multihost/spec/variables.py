"""Environment variables of a site's processes: the platform declares them, and each site states their values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.declared import declared_problems, key
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.kinds import Kind
from wagtail_multihost.spec.project_settings import MEANING, refuse_form
from wagtail_multihost.spec.validation import problem_of, raise_problems

VALUE_LENGTH = 2000
# What uWSGI expands in a value whatever stands before it (core/config.c): the last may run commands.
EXPANDED = ("%(", "$(", "@(")
# Whole names that say who a process is, what it loads, where it looks, or whom it trusts, in the order of who reads
# them: the shell, glibc (https://man7.org/linux/man-pages/man8/ld.so.8.html, resolv.conf(5), hostname(7)), systemd
# (https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html), the servers, settings modules, and what
# commands start: psql and mysql of dbshell, editors and pagers, and coverage at the start of any Python.
REFUSED = frozenset(
    {
        *("BASH_ENV", "CDPATH", "ENV", "HOME", "IFS", "LOGNAME", "MAIL", "OLDPWD", "PATH", "PS4", "PWD", "SHELL"),
        *("SHELLOPTS", "SHLVL", "TEMP", "TERM", "TMP", "TMPDIR", "USER", "USERNAME"),
        *("GETCONF_DIR", "HOSTALIASES", "LOCALDOMAIN", "LOCPATH", "NIS_PATH", "NLSPATH", "TZ", "TZDIR"),
        *("CREDENTIALS_DIRECTORY", "INVOCATION_ID", "JOURNAL_STREAM", "MAINPID", "MANAGERPID", "NOTIFY_SOCKET"),
        *("CACHE_DIRECTORY", "CONFIGURATION_DIRECTORY", "LOGS_DIRECTORY", "RUNTIME_DIRECTORY", "STATE_DIRECTORY"),
        *("FORWARDED_ALLOW_IPS", "PORT", "SENDFILE", "SERVER_SOFTWARE", "WEB_CONCURRENCY"),
        *("CACHE_URL", "DATABASE_URL", "EMAIL_URL", "SECRET_KEY", "SEARCH_URL", "VIRTUAL_ENV"),
        *("BROWSER", "EDITOR", "INPUTRC", "LESSOPEN", "NETRC", "PAGER", "TERMINFO", "TERMINFO_DIRS", "TNS_ADMIN"),
        *("VISUAL", "CELERY_CONFIG_MODULE", "CELERY_LOADER"),
    }
)
#: How further names begin.
BEGINNINGS = (
    *("COVERAGE_", "GDAL_", "LIBMYSQL", "MARIADB_", "MYSQL_", "ODBC", "ORACLE_", "PSQL"),
    *("AWS_", "BASH_FUNC_", "BOTO", "CURL_", "DBUS_", "DJANGO_", "DYLD_", "FONTCONFIG_", "GCONV_", "GIO_", "GIT_"),
    *("GLIBC_", "GRANIAN_", "GST_", "GUNICORN_", "HYPERCORN_", "JAVA_", "JDK_", "KRB5", "LC_", "LD_", "LISTEN_"),
    *("LIBPQ", "MAGICK_", "MALLOC_", "MULTIHOST_", "NODE_", "NSS_", "OPENSSL_", "PERL", "PG", "PIP_", "PYTEST_"),
    *("PYTHON", "REQUESTS_", "RES_", "RUBY", "SASL_", "SSH_", "SSL", "SUDO_", "SYSTEMD_", "UV_", "UVICORN_"),
    *("UWSGI_", "VIPS_", "WATCHDOG_", "XDG_"),
)
#: How they end: what stands between, and whom to trust.
ENDINGS = ("_CA_BUNDLE", "_CERT_DIR", "_CERT_FILE", "_PRELOAD", "_PROXY")


def parse_variable_name(name: str) -> str:
    """Return ``name`` when it is a variable that changes neither who a process is, nor what it loads or trusts."""
    refuse_form(name)
    if name in REFUSED or name.startswith(BEGINNINGS) or name.endswith(ENDINGS):
        raise ValueError(
            f"The variable {name} is not accepted: it may change who a process is, what it loads, or whom it trusts."
        )
    return name


def parse_variable(value: str) -> str:
    """Return ``value`` when each server's files can have it: one line, in which uWSGI expands nothing."""
    accepted = 0 < len(value) <= VALUE_LENGTH and value.isprintable() and value == value.strip()
    if not accepted:
        raise ValueError(
            f"The value {shown(value)} is not accepted: it must be one line of 1 to {VALUE_LENGTH} characters, without "
            "a blank at either end."
        )
    if any(start in value for start in EXPANDED):
        raise ValueError(f"The value {shown(value)} is not accepted: uWSGI expands {', '.join(EXPANDED)} in it.")
    return value


def accept_text(value: str) -> str:
    """Return ``value`` when it is the type of variables."""
    if value != "string":
        raise ValueError(f"The type {shown(value)} is not accepted: a variable is a string.")
    return value


def refuse_secret(value: bool) -> bool:
    """Return ``value`` when it is false."""
    if value:
        raise ValueError(
            "It is not accepted: emitted files have the variables, and other accounts can read these. Declare a secret "
            "in platform.project_settings."
        )
    return value


@frozen
class Variable(Frozen):
    """
    An environment variable of a site's processes: the ``default`` of sites that state none, and its ``meaning``.
    ``type`` and ``secret`` have one value each.
    """

    type: str = key(
        Kind('`"string"`', str, accept_text, schema=(("enum", ("string",)),)), "Every variable is a string.", "string"
    )
    secret: bool = key(
        Kind("false", bool, refuse_secret, schema=(("enum", (False,)),)),
        "No variable is a secret: emitted files have it. Declare secrets in `project_settings`.",
        False,
    )
    default: str = key(
        Kind(f"string, at most {VALUE_LENGTH} characters", str, parse_variable),
        "What a site has that states none.",
        "",
        default_text="none: each site states a value",
        snapshot="left out",
    )
    meaning: str = key(MEANING, "What it is, for those who state values.", "", snapshot="left out")

    def __post_init__(self) -> None:
        raise_problems(declared_problems(self))

    @property
    def has_default(self) -> bool:
        """Whether a site may state no value."""
        return bool(self.default)


#: Declarations by their names.
Variables: TypeAlias = tuple[tuple[str, Variable], ...]
Environ: TypeAlias = tuple[tuple[str, str], ...]


def declared_variable_problems(declared: Variables) -> Iterator[Problem]:
    """Yield the problems of the declared names."""
    for name, _ in declared:
        yield from problem_of(f"env.{name}", parse_variable_name, name)


def variable_problems(variables: Environ) -> Iterator[Problem]:
    """Yield the problems of what a site states."""
    for name, value in variables:
        yield from problem_of(f"env.{name}", parse_variable_name, name)
        yield from problem_of(f"env.{name}", parse_variable, value)
