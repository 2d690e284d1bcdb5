"""Reading a record as the spec's fields declare it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from wagtail_multihost.registry.record import Record
from wagtail_multihost.spec.declared import DECLARED, Declared, declarations, engine_choices, selector
from wagtail_multihost.spec.kinds import TABLES, Kind
from wagtail_multihost.spec.secret import Secret

T = TypeVar("T")
NO_NAMES: Mapping[str, object] = {}
Reader = tuple[str, Declared, Callable[..., Any], object]
#: What a record of no key at all gets: values, and the declarations that make more of them.
Unstated = tuple[Mapping[str, object], tuple[tuple[str, Declared], ...]]
#: What the functions below have returned; there are few specs, and they are never unloaded.
_known: dict[type, tuple[Reader, ...]] = {}
_known_unstated: dict[type, Unstated] = {}
_known_classes: dict[str, type[Any]] = {}
READERS: Mapping[type, Callable[..., Any]] = {
    bool: Record.take_boolean,
    int: Record.take_integer,
    str: Record.take_text,
    tuple: Record.take_texts,
    Path: Record.take_path,
    Secret: Record.take_secret,
}
#: The value of a key without a default, until its spec reports that it is missing.
NOTHING: Mapping[type, object] = {str: "", tuple: ()}


def read_spec(record: Record, spec: type[T], derived: Mapping[str, object] = NO_NAMES) -> T | None:
    """
    Return the ``spec`` that a record describes; None when it has problems, which are reported, as is every key that
    the spec does not declare. ``derived`` has what the names in the declared defaults stand for.
    """
    values = read_values(record, spec, derived)
    record.close()
    return record.build(lambda: spec(**values))


def read_values(record: Record, spec: type, derived: Mapping[str, object] = NO_NAMES) -> dict[str, Any]:
    """Take every declared key of a spec out of a record, except tables with their own keys; return the values."""
    stated, by = record.entries, selector(spec)
    if not stated:
        fixed, made = unstated(spec)
        record.known.extend(fixed)
        return {**fixed, **{name: derived_value(declared, derived) for name, declared in made}}
    values: dict[str, Any] = {}
    chosen = ""
    for name, declared, take, default in key_readers(spec):
        is_stated = name in stated or declared.is_secret
        if declared.of and chosen not in declared.of:
            record.known.append(name)  # for the hint at a misspelt key
            if is_stated:
                # If the engine or backend is not known, only that is reported.
                is_known = chosen in engine_choices(spec)
                sentence = foreign_key_sentence(by, chosen, declared.of, is_stated=by in record.written)
                report_foreign_key(record, name, sentence if is_known else "")
            values[name] = default
        else:
            fallback = derived_value(declared, derived) if declared.unless_stated else default
            if is_stated:
                values[name] = take(record, name, fallback)
            else:
                record.known.append(name)
                values[name] = fallback
        if name == by:
            chosen = values[name]
    return values


def unstated(spec: type) -> Unstated:
    """Return what a record gets that states no key of a spec."""
    if spec not in _known_unstated:
        fixed = {name: default for name, _, _, default in key_readers(spec)}
        words = {name: declared.unless_stated for name, declared, _, _ in key_readers(spec)}
        by = selector(spec)
        chosen = words[by] or fixed[by] if by else ""
        made = [
            (name, declared) for name, declared, _, _ in key_readers(spec) if words[name] and may_have(declared, chosen)
        ]
        _known_unstated[spec] = (fixed, tuple(made))
    return _known_unstated[spec]


def may_have(declared: Declared, chosen: object) -> bool:
    """Return whether the engine or backend that is ``chosen`` takes a key."""
    return not declared.of or chosen in declared.of


def foreign_key_sentence(by: str, chosen: object, others: tuple[str, ...], *, is_stated: bool) -> str:
    """Return why the engine or backend has no such key, with the one to state where the record states none."""
    if is_stated:
        return f"The {by} {chosen} does not have this key."
    return f'The {by} {chosen}, the default, does not have this key. Is {by} = "{others[0]}" missing?'


def report_foreign_key(record: Record, name: str, message: str) -> None:
    """
    Take a key that belongs to another engine, or its path of a file, out of a record, and report it if there is a
    ``message``.
    """
    for written in (name, f"{name}_file"):
        if (entry := record.take(written)) and message:
            record.report(message, entry.path)


def derived_value(declared: Declared, derived: Mapping[str, object]) -> object:
    """Return what a record without the key gets."""
    text = declared.unless_stated.format_map(derived)
    return declared.kind.type(text)


def key_readers(spec: type) -> tuple[Reader, ...]:
    """Return the keys of a spec, each with its declaration, the method that takes it, and the field's default."""
    if spec not in _known:
        found = [(one, declared) for one, declared in declarations(spec) if declared.kind not in TABLES]
        _known[spec] = tuple(
            (one.name, declared, find_reader(declared.kind), field_default(one)) for one, declared in found
        )
    return _known[spec]


def field_default(field: Field[Any]) -> object:
    """Return what a record without a key gets, unless its declaration says something else."""
    return NOTHING.get(field.metadata[DECLARED].kind.type) if field.default is MISSING else field.default


def find_reader(kind: Kind) -> Callable[..., Any]:
    """Return the method of Record that reads a kind."""
    found: Callable[..., Any] = getattr(Record, kind.reader) if kind.reader else READERS[kind.type]
    return found


def spec_class(name: str) -> type[Any]:
    """Return the class that a part's declaration names; its module loads only for a site that has the part."""
    if name not in _known_classes:
        module, _, attribute = name.partition(":")
        _known_classes[name] = getattr(import_module(module), attribute)
    return _known_classes[name]


def keys_stated_for_all(spec: type, stated: Mapping[str, object]) -> Iterator[str]:
    """
    Yield the keys that a platform states for all its sites although each must have its own: all but paths with
    ``{site}`` in them.
    """
    for one, declared in declarations(spec):
        if not declared.own:
            continue
        for name in (one.name, f"{one.name}_file") if declared.is_secret else (one.name,):
            is_path = declared.kind.type is Path or name != one.name
            value = stated.get(name)
            if value is not None and not (is_path and isinstance(value, str) and "{site}" in value):
                yield name


def own_keys(spec: type) -> list[str]:
    """Return the keys that each site must have of its own, but for paths, which may have ``{site}`` in them."""
    return [one.name for one, declared in declarations(spec) if declared.own and declared.kind.type is not Path]
