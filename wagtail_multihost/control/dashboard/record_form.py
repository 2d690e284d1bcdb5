"""
The form of a record, made from the keys that are declared. It checks nothing itself: what people enter becomes an edit,
and the problems that registration finds in it are shown beside the fields that they are about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django import forms
from django.forms.boundfield import BoundField

from wagtail_multihost.control.changes import Edit
from wagtail_multihost.control.dashboard.record_entries import OF_PLATFORM, Entry, Inherited, inherited, set_values
from wagtail_multihost.control.dashboard.record_text import NO, YES, choices_of, same_lines, shape_of, value_of
from wagtail_multihost.control.declared_keys import Table
from wagtail_multihost.exceptions import Problem
from wagtail_multihost.registry.record import KEY_PATH
from wagtail_multihost.spec.suggestions import suggest

#: What each kind of value looks like where people enter it.
HINTS = {
    "lines": "One on each line.",
    "pairs": "On each line: NAME = value.",
    "declarations": "On each line: NAME.key = value, for example COLOUR.default = red.",
}
WORDS = {YES: "Yes", NO: "No"}
ALSO = frozenset({"csrfmiddlewaretoken", "generation", "reason", "action", "next"})
NOT_HERE = "It cannot be changed here."
UNKNOWN = "{name} is not known.{hint}"
SHOWN_LENGTH = 200


class Row(NamedTuple):
    """
    A key as it is shown: its ``entry``, the ``field`` where it can be changed (None where it is only shown), the
    ``text`` of the record's own value, blank for none, and what is ``inherited`` then.
    """

    entry: Entry
    field: BoundField | None
    text: str
    inherited: Inherited


class Panel(NamedTuple):
    """The rows of a table of a record, or of its own keys, with a ``heading``."""

    name: str
    heading: str
    rows: list[Row]


@dataclass(frozen=True)
class Purpose:
    """
    What a form is for: the ``record`` that is shown, and the ``platform`` that it inherits from (the same record in the
    platform's own form). ``may_change`` says which entries have fields, and ``sees_references`` whether references to
    secrets are shown. ``base`` is the record that was on the screen of who submits the form: what differs from it was
    entered by them. None stands for ``record``.
    """

    record: Table
    platform: Table
    may_change: Callable[[Entry], bool]
    sees_references: bool = False
    base: Table | None = None


@dataclass
class Placed:
    """Problems by the names of their fields, and those without one."""

    by_field: dict[str, list[str]] = field(default_factory=dict)
    others: list[Problem] = field(default_factory=list)


class RecordForm(forms.Form):
    """A field for each entry that may be changed."""

    #: What is sent beside the fields.
    also = ALSO

    def __init__(
        self, entries: Iterable[Entry], purpose: Purpose, data: Mapping[str, Any] | None = None, **options: Any
    ) -> None:
        super().__init__(data, **options)
        self.purpose = purpose
        self.sent = data or {}
        self.shown = [entry for entry in entries if purpose.sees_references or not entry.is_masked]
        self.entries = {entry.name: entry for entry in self.shown if purpose.may_change(entry)}
        self.problems: list[Problem] = []
        for name, entry in self.entries.items():
            self.fields[name] = make_field(entry, inherited(entry, purpose.record, purpose.platform))
            self.initial[name] = entry.text_in(purpose.record)
        if data is not None:
            self.data = {**self.initial, **{name: data[name] for name in data}}

    def changes(self) -> dict[KEY_PATH, object]:
        """
        Return the values that were entered, by path: None for those that were taken away. What cannot be read is an
        error of its field.
        """
        found: dict[KEY_PATH, object] = {}
        for name, entry in self.changed_entries().items():
            try:
                found[entry.path] = value_of(entry.key, str(self.data[name]))
            except ValueError as error:
                self.add_error(name, str(error))
        return found

    def changed_entries(self) -> dict[str, Entry]:
        """Return the entries whose text was changed. A field that was not sent is as it was."""
        base = self.purpose.record if self.purpose.base is None else self.purpose.base
        return {
            name: entry
            for name, entry in self.entries.items()
            if name in self.sent and same_lines(str(self.data[name])) != same_lines(entry.text_in(base))
        }

    def edit(self) -> Edit:
        """Return what was entered, as an edit of the record."""
        return set_values(self.changes())

    def newer_texts(self) -> dict[str, str]:
        """Return what the fields have if what was entered is put on top of the record as it is now."""
        changed = self.changed_entries()
        return {
            name: str(self.data[name]) if name in changed else entry.text_in(self.purpose.record)
            for name, entry in self.entries.items()
        }

    def refuse_unknown(self) -> None:
        """Add a problem for everything that was sent and is no field."""
        known = [entry.name for entry in self.shown]
        for name in self.sent:
            if name not in self.entries and name not in self.also:
                said = name[:SHOWN_LENGTH]
                message = NOT_HERE if name in known else UNKNOWN.format(name=said, hint=suggest(said, self.entries))
                self.problems.append(Problem(said, message))

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Put each problem beside its field; the others are in ``problems``."""
        placed = place_problems(problems, self.entries)
        for name, messages in placed.by_field.items():
            for message in messages:
                self.add_error(name, message)
        self.problems += placed.others

    @property
    def has_problems(self) -> bool:
        return bool(self.problems or self.errors)

    @property
    def panels(self) -> list[Panel]:
        """The rows that can be changed, by the tables that they are in."""
        panels: dict[str, Panel] = {}
        for entry in self.entries.values():
            panel = panels.setdefault(entry.table, Panel(entry.table or "own", entry.table or "General", []))
            panel.rows.append(self.row(entry))
        return list(panels.values())

    @property
    def read_only(self) -> list[Row]:
        """The rows that are only shown: what the record states, and what it has of the platform."""
        rows = [self.row(entry) for entry in self.shown if entry.name not in self.entries]
        return [row for row in rows if row.text or row.inherited.source == OF_PLATFORM]

    def row(self, entry: Entry) -> Row:
        field = self[entry.name] if entry.name in self.entries else None
        purpose = self.purpose
        return Row(entry, field, entry.text_in(purpose.record), inherited(entry, purpose.record, purpose.platform))


def make_field(entry: Entry, other: Inherited) -> forms.Field:
    """Return the field of a key. It accepts every text: whether it is right is decided where records are read."""
    return forms.CharField(
        label=entry.key.name,
        required=False,
        strip=False,
        widget=make_widget(entry, other),
        help_text=help_of(entry, other),
    )


def make_widget(entry: Entry, other: Inherited) -> forms.Widget:
    shape = shape_of(entry.key)
    if shape == "choice":
        accepted = [(text, WORDS.get(text, text)) for text in choices_of(entry.key)]
        # Whose value that is says the help: a long choice makes the field wider than a phone.
        blank = f"Inherit {WORDS.get(other.text, other.text)}" if other.text in dict(accepted) else "Inherit"
        return forms.Select(choices=[("", blank), *accepted])
    if shape == "line":
        return forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"})
    return forms.Textarea(attrs={"rows": 4, "spellcheck": "false"})


def help_of(entry: Entry, other: Inherited) -> str:
    """Return what a key means, what it accepts, and what the record has without it."""
    key = entry.key
    parts = [
        plain(key.meaning),
        f"Accepted: {plain(key.type)}.",
        HINTS.get(shape_of(key), ""),
        f"For {key.kind}." if key.kind else "",
        f"If it is blank: {said(other)}.",
    ]
    return " ".join(part for part in parts if part)


def said(other: Inherited) -> str:
    """Return an inherited value with whose it is."""
    text = plain(other.text).replace("\n", ", ")
    shown = f"{text[:SHOWN_LENGTH]}…" if len(text) > SHOWN_LENGTH else text
    return f"{shown or 'nothing'} ({other.source})"


def plain(text: str) -> str:
    """Return a text of a declaration without its marks."""
    return text.replace("`", "")


def place_problems(problems: Iterable[Problem], fields: Iterable[str]) -> Placed:
    """Return the problems by their fields: the key that a problem names, or the table of names that it is in."""
    names = frozenset(fields)
    placed = Placed()
    for problem in problems:
        key = problem.where.partition(": ")[2]
        parts = key.split(".")
        name = next((name for end in range(len(parts), 0, -1) if (name := ".".join(parts[:end])) in names), "")
        if name:
            rest = key.removeprefix(name).lstrip(".")
            placed.by_field.setdefault(name, []).append(f"{rest}: {problem.message}" if rest else problem.message)
        else:
            placed.others.append(problem)
    return placed
