"""A site's table."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

from wagtail_multihost.registry.fields import Fields, fields_of, overlay
from wagtail_multihost.registry.platform_record import URL_PARSERS, Defaults
from wagtail_multihost.registry.record import PLATFORM, Record
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.identifiers import parse_site_id, shown
from wagtail_multihost.spec.names import Names, derive_names
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import StorageSpec

if TYPE_CHECKING:
    from wagtail_multihost.spec.frontend import FrontendCacheSpec
    from wagtail_multihost.spec.mail import MailSpec
    from wagtail_multihost.spec.options import Overrides
    from wagtail_multihost.spec.overrides import SettingValue
    from wagtail_multihost.spec.tls import TlsSpec

DERIVED = "derived from the platform's name and the site id"
NAME_KEYS = tuple(field.name for field in fields(Names))
KIND_KEYS = {"database": "engine"}  # of the other parts: backend
LOCAL_MEMORY = CacheSpec(backend="locmem")
NOWHERE = Path("/dev/null")
SECRET_KEY_LENGTH = 50  # characters, as Django's check security.W009 asks
STAND_IN_HOSTNAMES = ("stand-in.invalid",)
DEFAULT_SOURCES = {
    "database": "default: SQLite in the platform's data folder",
    "cache": "default: local memory",
    "storage": "default: files in the platform's data folder",
    "mail": "default: the project's",
    "frontend": "default: none",
}


class SiteReader:
    """Reads one site's record on top of the platform's defaults."""

    def __init__(self, record: Record, platform: PlatformSpec, defaults: Defaults, requires_pin: bool = True) -> None:
        self.record = record
        self.platform = platform
        self.defaults = defaults
        self.requires_pin = requires_pin

    def read(self) -> SiteSpec | None:
        """Return the site, None when its record has problems (all of them reported)."""
        record, before = self.record, len(self.record.problems)
        site = record.site
        try:
            parse_site_id(site)
        except ValueError as error:
            record.report(str(error), record.path)
            return None
        sources = {key: record.source.label((*record.path, key)) for key in record.entries}
        sources["id"] = record.source.label(record.path)
        names, pinned = self.names(sources)
        uid = record.take_as("uid", self.uid, None)
        built = SiteParts(self, names, sources).build(
            uid=uid or self.platform.uid_of(site), pinned=pinned and uid is not None
        )
        record.close()
        self.check_pin(pinned=pinned and uid is not None)
        return built if len(record.problems) == before else None

    def check_pin(self, *, pinned: bool) -> None:
        if self.requires_pin and self.platform.environment == "production" and not pinned:
            self.record.report(
                "The platform's environment is production, but the site's uid and names are not pinned. "
                f"{self.record.source.pins_with}",
                self.record.path,
            )

    def uid(self, value: object) -> UUID | None:
        text = self.record.source.text(value)
        try:
            uid = UUID(text)
        except ValueError:
            uid = None
        if uid is None or str(uid) != text.lower():
            raise ValueError(f"The uid {shown(text)} is not a UUID such as 6f1c2b0e-4a0d-5c8e-9b1f-2d3c4b5a6978.")
        return uid

    def names(self, sources: dict[str, str]) -> tuple[Names, bool]:
        """Return the site's names, pinned ones first, and whether all of them are pinned."""
        sources.setdefault("names", DERIVED)
        sources.setdefault("uid", DERIVED)
        table = self.record.take_table("names")
        if table is None:
            return derive_names(self.platform.name, self.record.site), False
        pins = {key: table.take_text(key) for key in NAME_KEYS if key in table.entries}
        table.known.extend(NAME_KEYS)
        table.close()
        names = table.build(lambda: self.pinned_names({key: pin for key, pin in pins.items() if pin}))
        return names or derive_names(self.platform.name, self.record.site), len(pins) == len(NAME_KEYS)

    def pinned_names(self, pins: dict[str, str]) -> Names:
        """Return the names with ``pins`` on top of the derived ones, which are made where one is missing."""
        if len(pins) == len(NAME_KEYS):
            return Names(**pins)
        return replace(derive_names(self.platform.name, self.record.site), **pins)


class SiteParts:
    """Builds the parts of a site whose keys the platform may have defaults for."""

    def __init__(self, reader: SiteReader, names: Names, sources: dict[str, str]) -> None:
        self.reader = reader
        self.names = names
        self.sources = sources

    def build(self, *, uid: UUID, pinned: bool) -> SiteSpec | None:
        record = self.reader.record
        hostnames, aliases = self.required_hosts(), record.take_hosts("aliases")
        enabled, epoch = record.take_boolean("enabled", True), record.take_integer("epoch", 1)
        tls, settings = self.tls(), self.settings()
        key_id, admins = record.take_text("key_id"), record.take_texts("admins")
        secret_key, fallbacks = self.secret_key(), record.take_secrets("secret_key_fallbacks")
        mail, frontend = self.mail(), self.frontend()
        state, nodes = record.take_text("state", "active"), record.take_texts("nodes")
        code, nginx, uwsgi, systemd = (self.overrides(key) for key in ("code", "nginx", "uwsgi", "systemd"))
        database, cache, storage = self.database(), self.cache(), self.storage()
        self.check_nodes(nodes, database, cache, storage)
        # What could not be built is reported already; a stand-in lets the rest of the record be checked too.
        database, cache = database or DatabaseSpec(engine="sqlite", path=NOWHERE), cache or LOCAL_MEMORY
        storage = storage or StorageSpec(backend="files", path=NOWHERE)
        return record.build(
            lambda: SiteSpec(
                id=record.site,
                uid=uid,
                hostnames=hostnames,
                aliases=aliases,
                names=self.names,
                database=database,
                cache=cache,
                storage=storage,
                enabled=enabled,
                epoch=epoch,
                tls=tls,
                key_id=key_id,
                secret_key=secret_key,
                secret_key_fallbacks=fallbacks,
                mail=mail,
                frontend=frontend,
                admins=admins,
                settings=settings,
                state=state,
                nodes=nodes,
                code=code,
                nginx=nginx,
                uwsgi=uwsgi,
                systemd=systemd,
                pinned=pinned,
                sources=self.sources,
            )
        )

    def secret_key(self) -> Secret | None:
        record, before = self.reader.record, len(self.reader.record.problems)
        key = record.take_secret("secret_key")
        is_read = record.source.reads_secrets and len(record.problems) == before
        if key is not None and is_read and len(key.reveal()) < SECRET_KEY_LENGTH:
            path = (*record.path, "secret_key" if "secret_key" in record.written else "secret_key_file")
            record.report(f"The key is too short: at least {SECRET_KEY_LENGTH} characters.", path)
        return key

    def required_hosts(self) -> tuple[str, ...]:
        record, before = self.reader.record, len(self.reader.record.problems)
        hostnames = record.take_hosts("hostnames")
        if "hostnames" not in self.sources:
            record.report("It is missing: a site needs at least one hostname.", (*record.path, "hostnames"))
        return hostnames if hostnames or len(record.problems) == before else STAND_IN_HOSTNAMES

    def part(self, key: str) -> Record:
        """Return the fields of ``key``, the site's over the platform's, as a record."""
        record = self.reader.record
        entry = record.take(key)
        base = self.reader.defaults.fields.get(key, {})
        own = fields_of(entry, URL_PARSERS[key], record)
        merged: Fields = overlay(base, entry, own, KIND_KEYS.get(key, "backend"))
        if entry is None:
            first = next(iter(base.values()), None)
            self.sources[key] = record.source.label(first.path[:2]) if first else DEFAULT_SOURCES[key]
        path = entry.path if entry else (PLATFORM, key) if base else (*record.path, key)
        return Record(merged, path, record.source, record.problems, record.site)

    def database(self) -> DatabaseSpec | None:
        part = self.part("database")
        engine = part.take_text("engine", "sqlite")
        if engine != "postgresql":
            default = self.reader.platform.local_path(part.site, "db.sqlite3")
            path = part.take_as("path", lambda value: part.absolute(self.own(part.source.text(value))), default)
            part.close()
            return part.build(lambda: DatabaseSpec(engine=engine, path=path))  # type: ignore[arg-type]
        name, user = part.take_text("name", self.names.database), part.take_text("user", self.names.role)
        password, host = part.take_secret("password"), part.take_text("host")
        port, options = part.take_integer("port", 5432), self.options(part)
        part.close()
        return part.build(
            lambda: DatabaseSpec(
                engine="postgresql", name=name, user=user, password=password, host=host, port=port, options=options
            ),
        )

    def options(self, part: Record) -> tuple[tuple[str, str | int], ...]:
        table = part.take_table("options")
        if table is None:
            return ()
        values = []
        for key, entry in table.entries.items():
            if isinstance(entry.value, str | int) and not isinstance(entry.value, bool):
                values.append((key, entry.value))
            else:
                table.report("It must be text or an integer.", entry.path)
        return tuple(values)

    def cache(self) -> CacheSpec | None:
        part = self.part("cache")
        if not part.entries:
            return LOCAL_MEMORY
        backend, host = part.take_text("backend", "locmem"), part.take_text("host")
        port, number = part.take_integer("port", 6379), part.take_integer("number", 0)
        username, password = part.take_text("username"), part.take_secret("password")
        tls = part.take_boolean("tls", False)
        part.close()
        return part.build(
            lambda: CacheSpec(
                backend=backend,  # type: ignore[arg-type]  # the spec checks it
                host=host,
                port=port,
                number=number,
                username=username,
                password=password,
                tls=tls,
            ),
        )

    def storage(self) -> StorageSpec | None:
        part = self.part("storage")
        backend = part.take_text("backend", "files")
        if backend != "s3":
            default = self.reader.platform.local_path(part.site, "media")
            path = part.take_as("path", lambda value: part.absolute(self.own(part.source.text(value))), default)
            part.close()
            return part.build(lambda: StorageSpec(backend=backend, path=path))  # type: ignore[arg-type]
        region, endpoint, domain = (part.take_text(key) for key in ("region", "endpoint", "domain"))
        bucket = part.take_text("bucket", self.names.bucket)
        access_key, secret_key = part.take_secret("access_key"), part.take_secret("secret_key")
        part.close()
        return part.build(
            lambda: StorageSpec(
                backend="s3",
                bucket=bucket,
                region=region,
                endpoint=endpoint,
                domain=domain,
                access_key=access_key,
                secret_key=secret_key,
            ),
        )

    def mail(self) -> MailSpec | None:
        part = self.part("mail")
        if not part.entries:
            return None
        from wagtail_multihost.registry.optional_parts import mail_of  # loads only for a site that has mail of its own

        account = part.entries.get("username")
        # A snapshot has every key as the site's own, and does not say which were the platform's.
        if account and account.path[0] != PLATFORM and part.source.follows_references:
            self.sources["mail.username"] = part.source.label(account.path)
        return mail_of(part)

    def frontend(self) -> FrontendCacheSpec | None:
        part = self.part("frontend")
        if not part.entries:
            return None
        from wagtail_multihost.registry.optional_parts import frontend_of  # loads only for a site that has one

        return frontend_of(part)

    def own(self, text: str) -> str:
        """Return a path with the site id in the place of ``{site}``."""
        return text.replace("{site}", self.reader.record.site)

    def tls(self) -> TlsSpec | None:
        record, default = self.reader.record, self.reader.defaults.tls
        tables = (record.table_of(default) if default else None, record.take_table("tls"))
        stated = [table for table in tables if table is not None]
        if not stated:
            return None
        entries = {key: entry for table in stated for key, entry in table.entries.items()}
        table = Record(entries, stated[-1].path, record.source, record.problems, record.site)
        from wagtail_multihost.registry.optional_parts import tls_of  # loads only for a site that has it

        return tls_of(table)

    def overrides(self, key: str) -> Overrides:
        """Return the options of ``key`` that the site states; none where it has no such table."""
        table = self.reader.record.take_table(key)
        if table is None:
            return ()
        from wagtail_multihost.registry.options import read_overrides  # loads only for a site that has options
        from wagtail_multihost.registry.targets import SITE_TABLES

        return read_overrides(table, SITE_TABLES[key], getattr(self.reader.platform, key, None))

    def check_nodes(
        self,
        nodes: tuple[str, ...],
        database: DatabaseSpec | None,
        cache: CacheSpec | None,
        storage: StorageSpec | None,
    ) -> None:
        known = tuple(name for name, _ in self.reader.platform.nodes)
        if nodes or known:
            from wagtail_multihost.registry.nodes import report_local, report_unknown  # loads only where nodes are

            report_unknown(self.reader.record, known, nodes)
            report_local(self.reader.record, nodes or known, database, cache, storage)

    def settings(self) -> tuple[tuple[str, SettingValue], ...]:
        record = self.reader.record
        own = record.take_table("settings")
        entries = {**self.reader.defaults.settings, **(own.entries if own else {})}
        values: list[tuple[str, SettingValue]] = []
        for name, entry in entries.items():
            if isinstance(entry.value, str | bool):
                values.append((name, entry.value))
                self.sources[f"settings.{name}"] = record.source.label(entry.path)
            else:
                from wagtail_multihost.spec.overrides import OVERRIDABLE  # loads only for the message

                accepted = "" if name in OVERRIDABLE else " for a setting that sites may have"
                record.report(f"It must be text, true or false{accepted}.", entry.path)
        return tuple(values)
