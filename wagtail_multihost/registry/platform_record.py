"""The platform's table: the platform itself and what its sites take from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wagtail_multihost.registry.fields import (
    Fields,
    UrlParser,
    cache_url,
    database_url,
    fields_of,
    mail_url,
    storage_url,
    table_only,
)
from wagtail_multihost.registry.record import Entry, Record
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.platform import HIGHEST_REVISION, PlatformSpec
from wagtail_multihost.spec.secret import Secret

# Keys that must differ per site; "{site}" in them makes them differ.
OWN_KEYS = ("name", "user", "password", "path", "bucket", "domain", "access_key", "secret_key", "zone", "token")
OWN_FILES = ("password_file", "access_key_file", "secret_key_file", "token_file")
URL_PARSERS: dict[str, UrlParser] = {
    "database": database_url,
    "cache": cache_url,
    "storage": storage_url,
    "mail": mail_url,
    "frontend": table_only,
}
#: Parts that the platform may have one of for all its sites.
SHAREABLE = frozenset({"cache", "mail"})


class Defaults:
    """What a site takes from the platform where its own record says nothing."""

    def __init__(self, fields: dict[str, Fields], tls: Entry | None, settings: Fields) -> None:
        self.fields = fields
        self.tls = tls
        self.settings = settings


def read_platform(record: Record) -> tuple[PlatformSpec | None, Defaults]:
    """Return the platform, None when its record has problems, and the defaults of its sites."""
    before = len(record.problems)
    settings = record.take_table("settings")
    defaults = Defaults(
        fields={key: shared_fields(record, key) for key in URL_PARSERS},
        tls=record.take("tls"),
        settings=dict(settings.entries) if settings else {},
    )
    platform = build_platform(record)
    record.close()
    return (platform if len(record.problems) == before else None), defaults


def build_platform(record: Record) -> PlatformSpec | None:
    sources = {key: record.source.label((*record.path, key)) for key in record.entries}
    name = record.take_text("name")
    data = record.take_path("data", Path(record.source.base, "data"))
    environment = record.take_text("environment", "development")
    sockets = record.take_path("sockets", Path("/run/multihost"))
    origin = record.take_text("origin", "https://{hostname}")
    header = record.take_texts("secure_proxy_ssl_header")
    nginx, uwsgi, systemd = (options(record, target) for target in ("nginx", "uwsgi", "systemd"))
    key_id, group, media_group, user = (record.take_text(key) for key in ("key_id", "group", "media_group", "user"))
    runner = record.take_text("runner", "uwsgi")
    revision = record.take_as("revision", lambda value: revision_of(record, value), record.source.revision)
    shares_registry = record.take_boolean("shares_registry", False)
    templates, snapshots = (record.take_path(key, None) for key in ("templates", "snapshots"))
    secret_keys, nodes_of_platform = keyring(record), nodes(record)
    secret_key = key_of(record, data, environment, sources, has_keyring=bool(secret_keys))
    if not name and "name" not in sources:
        record.report("It is missing.", (*record.path, "name"))
        return None
    return record.build(
        lambda: PlatformSpec(
            name=name,
            data=data,
            environment=environment,
            sockets=sockets,
            origin=origin,
            secret_key=secret_key if record.source.reads_secrets else None,
            secret_keys=secret_keys if record.source.reads_secrets else (),
            key_id=key_id if record.source.reads_secrets else "",
            revision=revision,
            group=group,
            media_group=media_group,
            user=user,
            runner=runner,
            templates=templates,
            snapshots=snapshots,
            shares_registry=shares_registry,
            secure_proxy_ssl_header=header or None,  # type: ignore[arg-type]  # the spec checks its length
            nginx=nginx,
            uwsgi=uwsgi,
            systemd=systemd,
            nodes=nodes_of_platform,
            sources=sources,
        )
    )


def key_of(
    record: Record, data: Path, environment: str, sources: dict[str, str], *, has_keyring: bool
) -> Secret | None:
    """Return the ``secret_key``: stated, or without a keyring that of the data folder, which development makes."""
    key = record.take_secret("secret_key")
    needs_key = record.source.needs_platform_key and record.source.reads_secrets
    if key is not None or has_keyring or not needs_key or record.problems:
        return key
    from wagtail_multihost.registry.platform_key import COMMAND, DEVELOPMENT, platform_key  # only where none is stated

    sources["secret_key"] = str(data / "platform.key")
    is_stated = record.source.assumes_development or "environment" in record.written
    may_make = environment == DEVELOPMENT and is_stated
    key = record.build(lambda: platform_key(data, may_make=may_make))
    if key is None and not may_make:
        found = f"the environment is {shown(environment)}" if is_stated else "no environment is stated"
        file = record.source.label((*record.path, "secret_key_file"))
        record.report(
            f"It is missing, and {found}. A key is made in development alone, because each machine would make "
            f"another. Make one for all of them: {COMMAND} and name its file in {file}.",
            (*record.path, "secret_key"),
        )
    return key


def revision_of(record: Record, value: object) -> int:
    revision = record.source.integer(value)
    if not 0 <= revision <= HIGHEST_REVISION:
        raise ValueError("The revision is not accepted: it must be 0 to 2^53.")
    return revision


def keyring(record: Record) -> tuple[tuple[str, Secret], ...]:
    """Return the keys of the table ``secret_keys``: each ``ID`` (a value or env:NAME) or ``ID_file``."""
    table = record.take_table("secret_keys")
    if table is None:
        return ()
    ids = dict.fromkeys(key.removesuffix("_file") for key in table.entries)
    return tuple((key_id, key) for key_id in ids if (key := table.take_secret(key_id)) is not None)


def shared_fields(record: Record, key: str) -> Fields:
    """Return the fields of the platform's ``key``; those that every site would share are reported."""
    entry = record.take(key)
    fields = fields_of(entry, URL_PARSERS[key], record)
    if key in SHAREABLE:  # prefixes keep the sites apart in one Redis server; senders are each site's own
        return fields
    for name in (*OWN_KEYS, *OWN_FILES):
        shared = fields.get(name)
        if shared is not None and not names_site(name, shared.value):
            record.report(
                f"Every site would share this {name}. Leave it out (it is derived), set it per site, "
                f"or write a {name.removesuffix('_file')}_file with {{site}} in it.",
                shared.path,
            )
    return fields


def names_site(name: str, value: object) -> bool:
    """Return whether the value of a path differs per site."""
    return name in (*OWN_FILES, "path") and isinstance(value, str) and "{site}" in value


def options(record: Record, key: str) -> Any:
    """Return the options of the target ``key``, None where the platform states none."""
    table = record.take_table(key)
    if table is None:
        return None
    from wagtail_multihost.registry.options import read_options  # loads only where the platform has options
    from wagtail_multihost.registry.targets import TARGETS

    return read_options(table, TARGETS[key])


def nodes(record: Record) -> tuple[tuple[str, str], ...]:
    """Return the names and addresses in the table ``nodes``."""
    table = record.take_table("nodes")
    return tuple((name, table.take_text(name)) for name in list(table.entries)) if table else ()
