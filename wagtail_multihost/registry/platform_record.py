"""The platform's table: the platform itself and what its sites take from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from wagtail_multihost.exceptions import EmitError
from wagtail_multihost.registry.fields import URL_PARSERS, Fields, fields_of, refuse_url
from wagtail_multihost.registry.reading import keys_stated_for_all, read_values, spec_class
from wagtail_multihost.registry.record import Record
from wagtail_multihost.registry.targets import BUILT_IN, options_of_target, target_names
from wagtail_multihost.spec.declared import parts
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec

if TYPE_CHECKING:
    from wagtail_multihost.registry.declarations import Declared
    from wagtail_multihost.spec.options import Options, Overrides
    from wagtail_multihost.spec.project_settings import ProjectSetting
    from wagtail_multihost.spec.variables import Variable

#: A table of sites that the platform does not have: no two sites share a name.
NAMES = "names"
DECLARATIONS = ("project_settings", "env", "codebases")
NO_CODEBASES: Mapping[str, None] = {}


class Defaults:
    """What a site takes from the platform where its own record says nothing, and what the platform declares."""

    def __init__(
        self,
        fields: dict[str, Fields],
        settings: Fields,
        project_settings: Declared[ProjectSetting],
        env: Declared[Variable],
        codebases: Declared[Overrides] = NO_CODEBASES,
    ) -> None:
        self.fields = fields
        self.settings = settings
        self.project_settings = project_settings
        self.env = env
        self.codebases = codebases


def read_platform(record: Record) -> tuple[PlatformSpec | None, Defaults]:
    """Return the platform, None when its record has problems, and the defaults of its sites."""
    before = len(record.problems)
    settings = record.take_table("settings")
    defaults = Defaults(
        fields={name: read_default_fields(record, name, part.spec) for name, part in parts(SiteSpec) if name != NAMES},
        settings=dict(settings.entries) if settings else {},
        **read_declarations(record),
    )
    platform = build_platform(record, defaults)
    record.close()
    return (platform if len(record.problems) == before else None), defaults


def read_declarations(record: Record) -> dict[str, Any]:
    """Return what the platform declares under names of its own choice."""
    if not any(key in record.entries for key in DECLARATIONS):
        record.known.extend(DECLARATIONS)  # for the hint at a misspelt key
        return {key: {} for key in DECLARATIONS}
    from wagtail_multihost.registry.declarations import (  # loads only where there are some
        read_codebases,
        read_project_settings,
        read_variables,
    )

    settings, variables = read_project_settings(record), read_variables(record)
    return {"project_settings": settings, "env": variables, "codebases": read_codebases(record)}


def build_platform(record: Record, defaults: Defaults) -> PlatformSpec | None:
    sources = {key: record.source.label((*record.path, key)) for key in record.entries}
    derived = {"base": str(record.source.base), "revision": str(record.source.revision)}
    values = read_values(record, PlatformSpec, derived)
    values["options"] = read_all_options(record)
    for key in DECLARATIONS:
        values[key] = tuple((name, found) for name, found in getattr(defaults, key).items() if found is not None)
    values["secure_proxy_ssl_header"] = values["secure_proxy_ssl_header"] or None
    values["secret_key"] = choose_secret_key(record, values, sources)
    if not record.source.reads_secrets:
        values |= {"secret_key": None, "secret_keys": (), "key_id": ""}
    if not values["name"] and "name" not in sources:
        record.report('It is missing: the platform needs a name, such as name = "aviary".', (*record.path, "name"))
        return None
    return record.build(lambda: PlatformSpec(**values, sources=sources))


def choose_secret_key(record: Record, values: Mapping[str, Any], sources: dict[str, str]) -> Secret | None:
    """Return the stated ``secret_key`` or, without a keyring, that of the data folder, which development makes."""
    key: Secret | None = values["secret_key"]
    needs_key = record.source.needs_platform_key and record.source.reads_secrets
    if key is not None or values["secret_keys"] or not needs_key or record.problems:
        return key
    from wagtail_multihost.registry.platform_key import (  # only where none is stated
        COMMAND,
        DEVELOPMENT,
        read_or_make_key,
    )

    data, environment = values["data"], values["environment"]
    sources["secret_key"] = str(data / "platform.key")
    is_stated = record.source.assumes_development or "environment" in record.written
    may_make = environment == DEVELOPMENT and is_stated and record.source.makes_platform_key
    key = record.build(lambda: read_or_make_key(data, may_make=may_make))
    if key is None and not may_make:
        found = f"the environment is {shown(environment)}" if is_stated else "no environment is stated"
        if not record.source.makes_platform_key:
            found = "this registry makes none"
        file = record.source.label((*record.path, "secret_key_file"))
        record.report(
            f"It is missing, and {found}. A key is made only in development, because each machine would make "
            f"another. Make one for all of them: {COMMAND} and name its file in {file}.",
            (*record.path, "secret_key"),
        )
    return key


def read_default_fields(record: Record, name: str, spec: str) -> Fields:
    """Return the fields of the platform's part ``name``; those that every site would share are reported."""
    entry = record.take(name)
    fields = fields_of(entry, URL_PARSERS.get(name, refuse_url), record)
    if not fields:
        return fields  # the part's module loads only where something is stated
    stated = {key: found.value for key, found in fields.items()}
    for key in keys_stated_for_all(spec_class(spec), stated):
        record.report(
            f"Every site would share this {key}. Leave it out (it is derived), set it per site, "
            f"or write a {key.removesuffix('_file')}_file with {{site}} in it.",
            fields[key].path,
        )
    return fields


def read_all_options(record: Record) -> tuple[Options, ...]:
    """Return the options of targets that the platform states."""
    found = []
    for kind, table in target_tables(record):
        from wagtail_multihost.registry.options import (
            read_platform_options,  # loads only where the platform has options
        )

        found.append(read_platform_options(table, kind))
    return tuple(found)


def target_tables(record: Record) -> Iterator[tuple[type[Options], Record]]:
    """
    Yield the tables of targets of a platform or a site, whose other keys must have been taken: what is left may be
    tables of targets that other packages announce.
    """
    record.find_targets = target_names
    for target in (*BUILT_IN, *(name for name in record.entries if name not in BUILT_IN)):
        if target not in record.entries:
            record.known.append(target)  # for the hint at a misspelt key
            continue
        try:
            kind = options_of_target(target)
        except EmitError as error:
            record.report(str(error), record.entries.pop(target).path)
            continue
        if kind is not None and (table := record.take_table(target)) is not None:
            yield kind, table
