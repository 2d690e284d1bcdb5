"""
How the database of a URL is reached: what its service says (libpq's file of services), and its file of passwords.

libpq would find these files, and much else, by variables too. So services are read here, and libpq is told everything.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator, Mapping
from pathlib import Path

from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry.postgres_url import Target
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.permissions import (
    NO_FOREIGN_ACCESS,
    NO_FOREIGN_WRITING,
    access_problem,
    own_accounts,
    path_problem,
)
from wagtail_multihost.spec.secret import Secret

#: What a service may state; what is not here says nothing of where the database is, or is one of our own bounds.
KEYS = frozenset(
    {
        *("channel_binding", "dbname", "host", "hostaddr", "passfile", "password", "port", "require_auth", "sslcert"),
        *("sslcrl", "sslkey", "sslmode", "sslnegotiation", "sslrootcert", "user"),
    }
)
FILE_IN_HOME = ".pg_service.conf"
# Where Debian's libpq looks (https://www.postgresql.org/docs/current/libpq-pgservice.html).
SHARED_FILE = Path("/etc/postgresql-common/pg_service.conf")
# libpq ignores a file of passwords that anybody else can read, whoever that is (libpq-pgpass.html).
PASSFILE_MODE = 0o077


def connection_parameters(target: Target) -> dict[str, str | Secret]:
    """
    Return libpq's parameters for a URL: those of its service, with those of the URL on top. Raises ConfigurationError.
    """
    stated = dict(target.parameters)
    service, file = stated.pop("service", ""), stated.pop("servicefile", "")
    found: dict[str, str | Secret] = {**(read_service(service, file) if service else {}), **stated}
    if "dbname" not in found:
        raise ConfigurationError.because(f"The service {shown(service)} names no dbname.", where=target.name)
    found.setdefault("user", pwd.getpwuid(os.geteuid()).pw_name)
    if "passfile" in found and (problem := passfile_problem(Path(str(found["passfile"])))):
        raise ConfigurationError.because(problem, where=str(found["passfile"]))
    return found


def private_files(target: Target) -> tuple[Path, ...]:
    """Return the files of a URL that let whoever reads them reach the database."""
    known = target.parameters
    return tuple(Path(known[key]) for key in ("passfile", "servicefile", "sslkey") if key in known)


def passfile_problem(path: Path) -> str:
    """Return why libpq would not take a password out of the file; blank when it would."""
    try:
        status = path.stat()
    except OSError as error:
        return f"The file of passwords cannot be read: {error.strerror}."
    problem = access_problem(status, 0, own_accounts()) or path_problem(path)
    if not problem and status.st_mode & PASSFILE_MODE:
        problem = f"It has the mode {status.st_mode & 0o7777:04o}; accepted: 0400 or 0600, or libpq ignores it."
    return f"The file of passwords is not accepted. {problem}" if problem else ""


def service_files(stated: str) -> tuple[Path, ...]:
    """Return the files in which services are looked for: the one that a URL states, or else libpq's usual ones."""
    if stated:
        return (Path(stated),)
    return (Path(pwd.getpwuid(os.geteuid()).pw_dir, FILE_IN_HOME), SHARED_FILE)


def read_service(name: str, stated: str) -> dict[str, str | Secret]:
    """Return what a service says; raises ConfigurationError."""
    files = service_files(stated)
    for path in files:
        try:
            with path.open(encoding="utf-8") as file:
                status, found = os.fstat(file.fileno()), service_lines(file, name)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            problem = f"The file of services cannot be read: {reason}."
        else:
            if found is None:
                continue
            forbidden = NO_FOREIGN_ACCESS if "password" in found else NO_FOREIGN_WRITING
            problem = access_problem(status, forbidden, own_accounts()) or path_problem(path) or key_problem(found)
            if not problem:
                return found
        break
    else:
        problem = f"There is no service {shown(name)} in {' or '.join(map(str, files))}."
        path = files[0]
    raise ConfigurationError.because(problem, where=str(path))


def service_lines(lines: Iterator[str], name: str) -> dict[str, str | Secret] | None:
    """Return the parameters below the first heading of a service, as libpq reads them; None without one."""
    found: dict[str, str | Secret] | None = None
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if text.startswith("["):
            if found is not None:
                break
            found = {} if text == f"[{name}]" else None
        elif found is not None:
            key, _, value = text.partition("=")
            found.setdefault(key, Secret(value) if key == "password" else value)
    return found


def key_problem(found: Mapping[str, object]) -> str:
    """Return what a service states and may not; blank if there is nothing."""
    unknown = sorted(found.keys() - KEYS)
    if unknown:
        return f"The key {shown(unknown[0])} is not accepted; accepted: {', '.join(sorted(KEYS))}."
    if any("," in str(found.get(key, "")) for key in ("host", "hostaddr", "port")):
        return "It names several hosts. Name one, which leads to the server that is written to."
    return ""
