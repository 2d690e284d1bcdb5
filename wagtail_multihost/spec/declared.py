"""
Declaring what a registry may state, once: on the field of the spec that holds it.

The readers of records, the checks of values, the content of snapshots, what sites may share, who may change a key, the
reference and the JSON Schema are all made from these declarations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, Field, field, fields
from typing import Any, Literal, NamedTuple, TypeAlias

from wagtail_multihost.exceptions import Problem
from wagtail_multihost.spec.kinds import Kind
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.validation import problem_of

#: Who may change a key: a site's people, the platform's operators, or only those who write files on the node itself.
#: What root renders, runs or opens is the node's: no form or API may reach it. So is any secret whose value begins with
#: ``env:``, which names a variable of root's.
Who: TypeAlias = Literal["site", "platform", "node"]
#: Whether snapshots hold a key: they do, a site's process does not need it, or it must never be in one.
InSnapshots: TypeAlias = Literal["kept", "left out", "refused"]

DECLARED, PART = "declared", "part"


class Declared(NamedTuple):
    """
    A key: its ``kind`` and ``meaning``.

    ``unless_stated`` is what a record without it gets, where that is not the field's default; it may have ``{site}``,
    ``{data}`` and ``{names.…}`` in it. ``default_text`` describes a default that no value can. Only the engines or
    backends in ``of`` take the key, or all if it is empty; ``selects`` marks the key that names the engine, and
    ``required`` a key that must be stated.

    ``own`` keys are never shared: the platform may state one only as a path with ``{site}`` in it. ``per_site`` marks
    the options of servers that a site may have of its own. ``place`` keys decide where a site's data is.
    ``snapshot`` says whether snapshots hold it, ``front`` whether a front server needs it, ``who`` may change it, and
    ``invalidates``, in sentences, what a change of a secret does.
    """

    kind: Kind
    meaning: str
    unless_stated: str = ""
    default_text: str = ""
    of: tuple[str, ...] = ()
    selects: bool = False
    required: bool = False
    own: bool = False
    per_site: bool = False
    place: bool = False
    snapshot: InSnapshots = "kept"
    front: bool = False
    who: Who = "platform"
    invalidates: tuple[str, ...] = ()

    @property
    def is_secret(self) -> bool:
        return self.kind.type is Secret


class Part(NamedTuple):
    """
    A table of a site that the platform may have defaults for: its ``spec`` (``module:Class``), its ``meaning``, and
    a text for what a site has if neither states it; nothing at all if it is ``optional``. ``front`` says whether
    a front server needs it.
    """

    spec: str
    meaning: str
    default: str
    optional: bool = False
    front: bool = False


Declarations: TypeAlias = tuple[tuple[Field[Any], Declared], ...]
#: A key, its declaration, and its default where a value that is that one has no problem.
Rule: TypeAlias = tuple[Field[Any], Declared, object]
#: What the functions below have returned; there are few specs, and they are never unloaded.
_known: dict[type, Declarations] = {}
_known_parts: dict[type, tuple[tuple[str, Part], ...]] = {}
_known_rules: dict[tuple[type, object], tuple[Rule, ...]] = {}
_known_secrets: dict[type, tuple[str, ...]] = {}
#: Is no value.
NONE = object()


def key(kind: Kind, meaning: str, default: Any = MISSING, **options: Any) -> Any:
    """Declare a key on a field; the options are those of :class:`Declared`."""
    return field(default=default, metadata={DECLARED: Declared(kind, meaning, **options)})


def part(spec: str, meaning: str, unless_stated: str, default: Any = MISSING, *, front: bool = False) -> Any:
    """Declare a table on a field."""
    return field(default=default, metadata={PART: Part(spec, meaning, unless_stated, default is None, front)})


def declarations(spec: type) -> Declarations:
    """Return the fields of a spec that are keys, with their declarations; the one that selects others comes first."""
    if spec not in _known:
        _known[spec] = tuple((one, one.metadata[DECLARED]) for one in fields(spec) if DECLARED in one.metadata)
    return _known[spec]


def parts(spec: type) -> tuple[tuple[str, Part], ...]:
    """Return the names of a spec's tables, with their declarations."""
    if spec not in _known_parts:
        _known_parts[spec] = tuple((one.name, one.metadata[PART]) for one in fields(spec) if PART in one.metadata)
    return _known_parts[spec]


def selector(spec: type) -> str:
    """Return the name of the key whose value says which others a spec takes; blank where there is none."""
    first, declared = declarations(spec)[0]
    return first.name if declared.selects else ""


def engine_choices(spec: type) -> tuple[str, ...]:
    """Return the engines or backends that a spec knows; none where it has no such key."""
    return tuple(dict(declarations(spec)[0][1].kind.schema)["enum"]) if selector(spec) else ()  # type: ignore[arg-type]


def secret_keys(spec: type) -> tuple[str, ...]:
    """Return the names of a spec's own secrets."""
    if spec not in _known_secrets:
        _known_secrets[spec] = tuple(one.name for one, declared in declarations(spec) if declared.is_secret)
    return _known_secrets[spec]


def find_secrets(spec: object) -> Iterator[Secret]:
    """Yield every secret of a spec and of its tables; none of them is read."""
    for _, stated in getattr(spec, "project_settings", ()):
        if isinstance(stated, Secret):
            yield stated
    for key in secret_keys(type(spec)):
        value = getattr(spec, key)
        yield from value if isinstance(value, tuple) else (value,) if value is not None else ()
    for name, _ in parts(type(spec)):
        inner = getattr(spec, name)
        if hasattr(inner, "__dataclass_fields__"):
            yield from find_secrets(inner)


def declared_problems(spec: object) -> Iterator[Problem]:
    """
    Yield the problems of each single key of a spec; only that of its engine or backend if that is not known.
    """
    by = selector(type(spec))
    chosen = getattr(spec, by) if by else ""
    for one, declared, accepted in rules(type(spec), by, chosen):
        value = getattr(spec, one.name)
        if value is accepted:
            continue
        problems = tuple(key_problems(one, declared, value, by, chosen))
        yield from problems
        if problems and declared.selects:
            return


def rules(spec: type, by: str, chosen: object) -> tuple[Rule, ...]:
    """Return what is to be looked at where ``by`` is ``chosen``; defaults, as most values are, but once."""
    if by and chosen not in engine_choices(spec):
        return tuple((one, declared, NONE) for one, declared in declarations(spec))
    if (spec, chosen) not in _known_rules:
        _known_rules[spec, chosen] = tuple(
            (one, declared, one.default if is_accepted(one, declared, by, chosen) else NONE)
            for one, declared in declarations(spec)
        )
    return _known_rules[spec, chosen]


def is_accepted(one: Field[Any], declared: Declared, by: str, chosen: object) -> bool:
    """Return whether a key has a default, which has no problem."""
    return one.default is not MISSING and not any(key_problems(one, declared, one.default, by, chosen))


def key_problems(one: Field[Any], declared: Declared, value: Any, by: str, chosen: object) -> Iterator[Problem]:
    """Yield the problems of a key with the ``value``, of a spec in which ``by`` is ``chosen``."""
    if declared.of and chosen not in declared.of:
        # A default that means something, such as a port, is not a statement of the key.
        if not one.default and value != one.default:
            yield Problem(one.name, f"The {by} {chosen} does not have this key.")
    elif value is None and declared.required:
        yield Problem(one.name, f"It is missing: {f'the {by} {chosen}' if by else 'it'} needs one.")
    elif declared.required or not is_nothing(value) or not may_be_nothing(one):
        yield from value_problems(one.name, declared.kind, value)


def is_nothing(value: object) -> bool:
    return value is None or value == "" or value == ()


def may_be_nothing(field: Field[Any]) -> bool:
    """Return whether a field that is not stated is blank, empty or None."""
    return field.default is MISSING or is_nothing(field.default)


def value_problems(name: str, kind: Kind, value: Any) -> Iterator[Problem]:
    """Yield the problems of a value, or of each item of a list."""
    check = kind.check
    for item in value if kind.each else (value,):
        try:
            if check(item) is item:
                continue
        except ValueError:
            pass
        yield from problem_of(name, check, item)
