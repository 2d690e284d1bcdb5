"""What the platform declares under names of its own choice, and what a site states of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import TypeVar

from wagtail_multihost.registry.reading import read_spec, read_values
from wagtail_multihost.registry.record import KeyEntry, Record, RegistrySource
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.options import Overrides
from wagtail_multihost.spec.overrides import OVERRIDABLE
from wagtail_multihost.spec.project_settings import ProjectSetting, Value
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.suggestions import suggest
from wagtail_multihost.spec.type_words import type_name, wrong_type
from wagtail_multihost.spec.variables import Variable

T = TypeVar("T", ProjectSetting, Variable, Overrides)
#: Declarations by name; None stands for one that has problems, which are reported.
Declared = Mapping[str, T | None]
PROJECT_SETTINGS, ENV, CODEBASES = "project_settings", "env", "codebases"
#: The largest that is exact in every JSON reader.
LARGEST = 2**53
DECIMAL = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
MISSING = "It is missing: the platform declares it without a default."


def read_project_settings(record: Record) -> Declared[ProjectSetting]:
    """Return the settings that the platform declares for the project; problems are reported."""
    return {name: read_declaration(table, read_project_setting) for name, table in tables_in(record, PROJECT_SETTINGS)}


def read_variables(record: Record) -> Declared[Variable]:
    """Return the variables that the platform declares; problems are reported."""
    return {name: read_declaration(table, read_variable) for name, table in tables_in(record, ENV)}


def read_codebases(record: Record) -> Declared[Overrides]:
    """Return the code that the platform lists for sites; problems are reported."""
    if CODEBASES not in record.entries:
        record.known.append(CODEBASES)  # for the hint at a misspelt key
        return {}
    from wagtail_multihost.registry.options import read_site_options  # loads only where some is listed
    from wagtail_multihost.spec.code import CodeOptions

    found = tables_in(record, CODEBASES)
    return {name: read_declaration(table, lambda own: read_site_options(own, CodeOptions())) for name, table in found}


def tables_in(record: Record, key: str) -> Iterator[tuple[str, Record | None]]:
    """Yield what is declared in a table by its name, None in the place of what is no table itself (reported)."""
    table = record.take_table(key)
    for name, entry in table.entries.items() if table else ():
        yield name, record.table_of(entry)


def read_declaration(table: Record | None, read: Callable[[Record], T | None]) -> T | None:
    """Return what ``read`` makes of a table; None if it reports any problem."""
    if table is None:
        return None
    before = len(table.problems)
    found = read(table)
    return found if len(table.problems) == before else None


def read_variable(table: Record) -> Variable | None:
    return read_spec(table, Variable)


def read_project_setting(table: Record) -> ProjectSetting | None:
    values = read_values(table, ProjectSetting)
    table.close()
    entry = table.written.get("default")
    if entry is not None:
        try:
            # The value of a secret stays out of what is shown, here too.
            values["default"] = Secret("") if values["secret"] else convert(table.source, values["type"], entry.value)
        except ValueError as error:
            table.report(str(error), entry.path)
            return None
    return table.build(lambda: ProjectSetting(**values))


def convert(source: RegistrySource, kind: str, value: object) -> Value:
    """Return ``value`` as a declared type has it; raises ValueError for any other."""
    if kind == "integer":
        return whole_number(source, value)
    if kind == "decimal":
        return decimal_number(value)
    if kind == "boolean":
        return source.boolean(value)
    if kind == "list":
        return source.texts(value)
    if not isinstance(value, str):
        raise ValueError(wrong_type(str, value))
    return value


def whole_number(source: RegistrySource, value: object) -> int:
    is_negative = isinstance(value, str) and value.strip().startswith("-")  # variables are text
    number = -source.integer(str(value).strip()[1:]) if is_negative else source.integer(value)
    if abs(number) > LARGEST:
        raise ValueError("The number is not accepted: it must be between -2^53 and 2^53.")
    return number


def decimal_number(value: object) -> Decimal:
    """Return the number that was written; one with more digits than a float has is written as text."""
    text = value.strip() if isinstance(value, str) else repr(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"It must be a number, or a string such as '19.90', not {type_name(value)}.")
    if not DECIMAL.fullmatch(text):
        raise ValueError(f"The value {shown(text)} is not accepted: it must be a number such as 19.90.")
    return Decimal(text)


def take_stated(record: Record, key: str) -> Record | None:
    """Return the table of what a site states, an empty one without it; None if it is no table (reported)."""
    if key in record.entries:
        return record.take_table(key)
    record.known.append(key)  # for the hint at a misspelt key
    return Record.of({}, (*record.path, key), record.source, record.problems, record.site)


def read_site_settings(record: Record, declared: Declared[ProjectSetting]) -> Iterator[tuple[str, Value, str]]:
    """Yield the name, the value and the source of each declared setting; problems are reported."""
    table = take_stated(record, PROJECT_SETTINGS)
    if table is None:
        return
    for name, declaration in declared.items():
        found = take_setting(table, name, declaration)
        if found is not None:
            yield name, *found
    close_stated(table, declared, "setting of the project's own")


def take_setting(table: Record, name: str, declaration: ProjectSetting | None) -> tuple[Value, str] | None:
    """Return a setting's value and its source; None where there is no value, which is reported."""
    value, file = table.entries.get(name), f"{name}{table.source.file_ending}"
    if declaration is None:  # reported, and so is not known what the value must be
        table.entries.pop(name, None)
        table.entries.pop(file, None)
        return None
    if declaration.secret and file in table.entries:
        table.entries[f"{name}_file"] = table.entries.pop(file)
    written = table.entries.get(f"{name}_file", value) if declaration.secret else value
    if written is None:
        return default_of(table, name, declaration)
    found: Value | None
    if declaration.secret:
        found = table.take_secret(name)
    else:
        found = table.take_as(name, lambda value: convert(table.source, declaration.type, value), None)
    return None if found is None else (found, table.source.label(written.path))


def default_of(table: Record, name: str, declaration: ProjectSetting) -> tuple[Value, str] | None:
    path = ("platform", PROJECT_SETTINGS, name, "default")
    if declaration.default_file:
        path = (*path[:3], "default_file")
        return table.read_secret_path(declaration.default_file, path), table.source.label(path)
    if declaration.default is None:
        table.report(MISSING, (*table.path, name))
        return None
    return declaration.default, table.source.label(path)


def read_site_variables(record: Record, declared: Declared[Variable]) -> Iterator[tuple[str, str, str]]:
    """Yield the name, the value and the source of each declared variable; problems are reported."""
    table = take_stated(record, ENV)
    if table is None:
        return
    for name, declaration in declared.items():
        entry: KeyEntry | None = table.entries.get(name)
        text = table.take_text(name)
        if entry is not None:
            if text and declaration is not None:
                yield name, text, table.source.label(entry.path)
        elif declaration is not None and declaration.has_default:
            yield name, declaration.default, table.source.label(("platform", ENV, name, "default"))
        elif declaration is not None:
            table.report(MISSING, (*table.path, name))
    close_stated(table, declared, "variable")


def close_stated(table: Record, declared: Mapping[str, object], what: str) -> None:
    """Report every name that is not declared, with the nearest one that is."""
    key = table.path[-1]
    for name, entry in table.entries.items():
        known = f" Accepted: {', '.join(declared)}." if declared else f" Declare it in platform.{key}."
        hint = suggest(name, declared) or known
        if name in OVERRIDABLE:
            hint = " It is Django's or Wagtail's: state it in settings."
        table.report(f"The platform declares no {what} {shown(name)}.{hint}", entry.path)
