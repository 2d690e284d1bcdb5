"""Reading one table of a registry: keys are taken out, and problems reported under the names as written."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from wagtail_multihost.exceptions import ConfigurationError, Problem, SecretUnreadableError
from wagtail_multihost.registry.references import RESERVED, SEALED
from wagtail_multihost.spec.identifiers import parse_hostname, shown
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.type_words import STRING, WHOLE_NUMBER, type_name, wrong_type
from wagtail_multihost.spec.validation import parse_path

T = TypeVar("T")
VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"
ENVIRONMENT_REFERENCE = "env:"
PLATFORM = "platform"
LARGEST = 10**9
KEY_PATH = tuple[str, ...]


class RegistrySource(ABC):
    """Where a registry's text comes from: how its keys are written and its values are typed."""

    #: Relative paths start here.
    base: Path
    #: Looked up by ``env:NAME`` references.
    environ: Mapping[str, str]
    #: Orders the registry's states in time where the platform states none; 0 where that is not known.
    revision: int = 0
    #: Whether secrets are read, and refused when they are missing or blank, while records are read.
    reads_secrets: bool = False
    #: Whether ``env:NAME`` and keys that end in ``_file`` lead to secrets elsewhere.
    follows_references: bool = True
    #: How sites are pinned.
    pins_with: str = "Run: manage.py multihost_sites --pin"
    #: Whether the sites' keys derive from a key of the platform.
    needs_platform_key: bool = True
    #: Whether such a key may be made in the data folder of a platform in development.
    makes_platform_key: bool = True
    #: What the name of a secret of the project's own has after it in the key of its file.
    file_ending: str = "_file"
    #: Whether a platform that states no environment is one of development.
    assumes_development: bool = True

    @abstractmethod
    def label(self, path: KEY_PATH) -> str:
        """Return the key at ``path`` as the operator wrote it."""

    @abstractmethod
    def boolean(self, value: object) -> bool: ...

    @abstractmethod
    def integer(self, value: object) -> int: ...

    @abstractmethod
    def texts(self, value: object) -> tuple[str, ...]: ...

    def absolute_path(self, text: str) -> Path:
        """Return a path as an absolute one; raises ValueError where nothing says from where it leads."""
        return Path(self.base, text)

    def secret_problem(self, text: str, path: KEY_PATH, site: str) -> str:
        """Return why the value of a secret at the key ``path`` is not accepted of ``site``; blank if it is."""
        return RESERVED if self.follows_references and text.startswith(SEALED) else ""

    def secret_file_problem(self, file: str, path: KEY_PATH, site: str) -> str:
        """Return why a secret of ``site`` may not be in ``file``, as the key at ``path`` says; blank if it may."""
        return ""

    def text(self, value: object) -> str:
        """Return ``value`` when it is text and not blank; raises ValueError."""
        if not isinstance(value, str):
            raise ValueError(wrong_type(str, value))
        if not value.strip():
            raise ValueError("It is blank.")
        return value


class KeyEntry:
    """A value and the path of the key it was read from (a site's may come from the platform's table)."""

    __slots__ = ("path", "value")

    def __init__(self, value: object, path: KEY_PATH) -> None:
        self.value = value
        self.path = path

    def __repr__(self) -> str:
        # The value may be a secret, and error pages show the variables of every frame.
        return f"Entry({'.'.join(self.path)})"


class Record:
    """One table. Every ``take_…`` removes a key; :meth:`close` reports the keys that were not taken."""

    def __init__(
        self,
        entries: Mapping[str, KeyEntry],
        path: KEY_PATH,
        source: RegistrySource,
        problems: list[Problem],
        site: str = "",
    ) -> None:
        self.written = entries
        self.entries = dict(entries)
        self.path = path
        self.source = source
        self.problems = problems
        self.site = site
        self.known: list[str] = []
        #: Returns the names of the installed targets, whose tables may be in it; None if there is no place for any.
        self.find_targets: Callable[[], Collection[str]] | None = None
        #: Returns the keys that each site has of its own, which are not suggested for the platform's table.
        self.find_own_keys: Callable[[], Collection[str]] | None = None

    @classmethod
    def of(
        cls,
        table: Mapping[str, object],
        path: KEY_PATH,
        source: RegistrySource,
        problems: list[Problem],
        site: str = "",
    ) -> Record:
        """Return the record of a plain table."""
        return cls(table_entries(table, path), path, source, problems, site)

    def report(self, message: str, path: KEY_PATH) -> None:
        """Remember a problem with the key at ``path``."""
        site = "" if path[:1] == (PLATFORM,) else self.site
        self.problems.append(Problem(self.source.label(path), message, site))

    def take(self, key: str) -> KeyEntry | None:
        """Remove and return the entry of ``key``; None when the table has none."""
        self.known.append(key)
        return self.entries.pop(key, None)

    def take_as(self, key: str, convert: Callable[[object], T], default: T) -> T:
        """Return the value of ``key`` converted; the default when it is missing or wrong (and reported)."""
        entry = self.take(key)
        if entry is None:
            return default
        try:
            return convert(entry.value)
        except ValueError as error:
            self.report(str(error), entry.path)
            return default

    def take_text(self, key: str, default: str = "") -> str:
        return self.take_as(key, self.source.text, default)

    def take_texts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        return self.take_as(key, self.source.texts, default)

    def take_boolean(self, key: str, default: bool) -> bool:
        return self.take_as(key, self.source.boolean, default)

    def take_integer(self, key: str, default: int) -> int:
        return self.take_as(key, lambda value: check_digits(self.source.integer(value)), default)

    def take_large_integer(self, key: str, default: int) -> int:
        """Return an integer of any length, which the spec bounds."""
        return self.take_as(key, self.source.integer, default)

    def take_uid(self, key: str, default: UUID | None) -> UUID | None:
        return self.take_as(key, lambda value: parse_uid(self.source.text(value)), default)

    def take_site_path(self, key: str, default: Path | None) -> Path | None:
        """Return an absolute path, with the site's id instead of ``{site}``."""
        return self.take_as(
            key, lambda value: self.absolute_path(self.source.text(value).replace("{site}", self.site)), default
        )

    def take_as_written(self, key: str, default: object = None) -> object:
        """Return the value of ``key`` as it was written."""
        entry = self.take(key)
        return default if entry is None else entry.value

    def take_pairs(self, key: str, default: tuple[tuple[str, Any], ...] = ()) -> tuple[tuple[str, Any], ...]:
        """Return the names of a table with their texts, the site's id in the place of ``{site}``, or integers."""
        table = self.take_table(key)
        if table is None:
            return default
        values: list[tuple[str, Any]] = []
        for name, entry in table.entries.items():
            if isinstance(entry.value, str) and self.site:
                values.append((name, entry.value.replace("{site}", self.site)))
            elif isinstance(entry.value, str | int) and not isinstance(entry.value, bool):
                values.append((name, entry.value))
            else:
                table.report(f"It must be a {STRING} or a {WHOLE_NUMBER}, not {type_name(entry.value)}.", entry.path)
        return tuple(values)

    def take_texts_by_name(self, key: str, default: tuple[tuple[str, str], ...] = ()) -> tuple[tuple[str, str], ...]:
        """Return the names of a table with their texts; what is blank or not text is reported and left out."""
        table = self.take_table(key)
        if table is None:
            return default
        return tuple((name, text) for name in list(table.entries) if (text := table.take_text(name)))

    def take_keyring(self, key: str, default: tuple[tuple[str, Secret], ...] = ()) -> tuple[tuple[str, Secret], ...]:
        """Return the keys of a table: each ``ID`` (a value or env:NAME) or ``ID_file``."""
        table = self.take_table(key)
        if table is None:
            return default
        ids = dict.fromkeys(name.removesuffix("_file") for name in table.entries)
        return tuple((name, secret) for name in ids if (secret := table.take_secret(name)) is not None)

    def take_path(self, key: str, default: T) -> Path | T:
        found: Path | None = self.take_as(
            key, lambda value: parse_path(self.absolute_path(self.source.text(value))), None
        )
        return default if found is None else found

    def take_secret(self, key: str, default: Secret | None = None) -> Secret | None:
        """Return the secret of ``key`` (a value or ``env:NAME``) or ``key_file`` (a path, ``{site}`` in it)."""
        value = self.take(key)
        file = self.take(f"{key}_file") if self.source.follows_references else None
        if value is not None and file is not None:
            self.report(f"It is stated together with {key}; give only one of the two.", file.path)
        entry = value or file
        if entry is None:
            return default
        try:
            text = self.source.text(entry.value)
        except ValueError as error:
            self.report(str(error), entry.path)
            return Secret("")
        before = len(self.problems)
        secret = self.parse_secret(text, entry.path) if entry is value else self.read_secret_path(text, entry.path)
        if self.source.reads_secrets and len(self.problems) == before:
            self.check_secret(secret, entry.path)
        return secret

    def take_secrets(self, key: str, default: tuple[Secret, ...] = ()) -> tuple[Secret, ...]:
        """Return the secrets of the array ``key``, each a value or ``env:NAME``."""
        entry = self.entries.get(key)
        secrets = tuple(self.parse_secret(text, entry.path) for text in self.take_texts(key)) if entry else default
        self.known.append(key)
        if entry and self.source.reads_secrets:
            for secret in secrets:
                self.check_secret(secret, entry.path)
        return secrets

    def check_secret(self, secret: Secret, path: KEY_PATH) -> None:
        try:
            if not secret.reveal().strip():
                self.report("The secret is blank.", path)
        except SecretUnreadableError as error:
            self.report(str(error), path)

    def parse_secret(self, text: str, path: KEY_PATH) -> Secret:
        if problem := self.source.secret_problem(text, path, self.site):
            self.report(problem, path)
            return Secret("")
        if text == SEALED and self.source.follows_references:
            return Secret.computed(refuse_sealed)
        if not self.source.follows_references or not text.startswith(ENVIRONMENT_REFERENCE):
            return Secret(text)
        name = text.removeprefix(ENVIRONMENT_REFERENCE)
        if not re.fullmatch(VARIABLE, name):
            self.report("The name of an environment variable must follow env:.", path)
        return Secret.from_environment(name, self.source.environ)

    def read_secret_path(self, text: str, path: KEY_PATH) -> Secret:
        file = text.replace("{site}", self.site) if self.site else text
        if "{" in file or "}" in file or not file.isprintable():
            self.report(f"The path {shown(text)} is not accepted: only {{site}} is accepted in braces.", path)
            return Secret("")
        if problem := self.source.secret_file_problem(file, path, self.site):
            self.report(problem, path)
            return Secret("")
        try:
            return Secret.from_file(self.absolute_path(file))
        except ValueError as error:
            self.report(str(error), path)
            return Secret("")

    def absolute_path(self, text: str) -> Path:
        if not text.isprintable():
            raise ValueError(f"The path {shown(text)} is not accepted: it has unprintable characters.")
        if "://" in text:  # and may have a password, which must not become a file name in reports
            raise ValueError("It is a URL; a path is accepted.")
        return self.source.absolute_path(text)

    def take_hosts(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        """Return the hostnames of ``key`` in ASCII; every one that is not accepted is reported."""
        if key not in self.entries:
            self.known.append(key)
            return default
        accepted = []
        path = self.entries[key].path
        for text in self.take_texts(key):
            try:
                accepted.append(parse_hostname(text))
            except ValueError as error:
                self.report(str(error), path)
        return tuple(accepted)

    def take_table(self, key: str) -> Record | None:
        """Return the record of the table ``key``; None when it is missing or not a table (and reported)."""
        entry = self.take(key)
        return None if entry is None else self.table_of(entry)

    def table_of(self, entry: KeyEntry) -> Record | None:
        """Return the record of a table that was taken here or from the platform; None when it is not one (reported)."""
        if not isinstance(entry.value, dict):
            self.report(wrong_type(dict, entry.value), entry.path)
            return None
        return Record.of(entry.value, entry.path, self.source, self.problems, self.site)

    def close(self) -> None:
        """Report every key that was not taken, with the nearest known one."""
        for key, entry in self.entries.items():
            is_table = isinstance(entry.value, dict)
            is_for_all = self.site and entry.path[:1] == (PLATFORM,)
            refused = self.find_own_keys() if is_for_all and self.find_own_keys else ()
            self.report(self.unknown_key_message(key, is_table=is_table, refused=refused), entry.path)

    def unknown_key_message(self, key: str, *, is_table: bool, refused: Collection[str]) -> str:
        from wagtail_multihost.spec.suggestions import closest  # loads only for the message

        known = {*self.known, *(self.find_targets() if self.find_targets else ())}.difference(refused)
        accepted = f"Accepted: {', '.join(sorted(known))}."
        if close := closest(key, known):
            return f"The key {shown(key)} is not known. Did you mean {close}?"
        if is_table and self.find_targets:
            return (
                f"The table {shown(key)} is not known, and no installed package has a target of that name. If it is "
                f"the table of a target, install its package. {accepted}"
            )
        return f"The key {shown(key)} is not known. {accepted}"

    def build(self, make: Callable[[], T]) -> T | None:
        """Return what ``make`` makes; report its problems under the keys as written, and return None, if it fails."""
        try:
            return make()
        except ConfigurationError as error:
            for problem in error.problems:
                entry = self.written.get(problem.where) or self.written.get(f"{problem.where}_file")
                self.report(problem.message, entry.path if entry else (*self.path, *problem.where.split(".")))
            return None


def refuse_sealed() -> str:
    raise SecretUnreadableError(RESERVED)


def parse_uid(text: str) -> UUID:
    """Return the UUID that ``text`` is in its usual form; raises ValueError."""
    try:
        uid = UUID(text)
    except ValueError:
        uid = None
    if uid is None or str(uid) != text.lower():
        raise ValueError(f"The uid {shown(text)} is not a UUID such as 6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978.")
    return uid


def check_digits(value: int) -> int:
    """Return ``value`` when it has at most nine digits, as every number of a registry has."""
    if abs(value) >= LARGEST:
        raise ValueError("The number is not accepted: it has more than nine digits.")
    return value


def table_entries(table: Mapping[str, object], path: KEY_PATH) -> dict[str, KeyEntry]:
    return {key: KeyEntry(value, (*path, key)) for key, value in table.items()}
