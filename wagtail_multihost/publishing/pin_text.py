"""Adding pins to the text of a registry file, with its comments and order kept, and replacing the file."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.files.writing import NewFile, write_files
from wagtail_multihost.registry.toml import TomlRegistry
from wagtail_multihost.registry.used import NAME_KEYS, USED, Holder
from wagtail_multihost.spec.site import SiteSpec

HEAD = """
# Who had which id, written by multihost_sites --pin. Leave the lines of sites that are removed: they keep a new site
# of the same id from the data of the old one.
[used]
"""


class DraftRegistry(TomlRegistry):
    """A registry whose file has not been written yet."""

    draft = ""

    def text(self) -> str:
        return self.draft

    def locate(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        return tuple(problems)  # the lines of the draft are not those of the file


def check_text(registry: TomlRegistry, text: str) -> None:
    """Raise ConfigurationError if a registry with this ``text`` would have a problem."""
    draft = DraftRegistry(registry.path, registry.environ)
    draft.draft = text
    draft.load()


def add_pins(text: str, sites: Sequence[SiteSpec], used: Mapping[str, tuple[Holder, ...]]) -> str:
    """Return the TOML ``text`` with the pins of ``sites``, and with who ``used`` which id."""
    import tomlkit  # loads only for this command

    document: Any = tomlkit.parse(text)
    expected = tomllib.loads(text)
    for site in sites:
        write_pin(document["sites"][site.id], expected["sites"][site.id], site)
    if used and USED not in expected:
        text = tomlkit.dumps(document)  # with the pins: a comment after the last site would become part of it
        document = tomlkit.parse(f"{text.rstrip(chr(10))}{chr(10)}{HEAD}")
        expected[USED] = {}
    for site_id, holders in used.items():
        lines = [holder_line(holder) for holder in holders]
        if expected[USED].get(site_id) != lines:
            expected[USED][site_id] = lines
            document[USED][site_id] = holder_array(lines)
    result = tomlkit.dumps(document)
    if tomllib.loads(result) != expected:
        raise ConfigurationError.because("The pins cannot be written without changing other keys; write them by hand.")
    return result


def write_pin(written: Any, expected: dict[str, Any], site: SiteSpec) -> None:
    """
    Add the uid and the names of ``site`` to its table, where they are missing. Blank lines and comments above the next
    table stay there.
    """
    if "uid" in expected and set(NAME_KEYS).issubset(expected.get("names", ())):
        return
    import tomlkit

    is_inline = isinstance(written, tomlkit.items.InlineTable)
    has_names = "names" in written
    tail = take_tail(written) if isinstance(written, tomlkit.items.Table) else []
    for table, empty in ((written, tomlkit.inline_table() if is_inline else tomlkit.table()), (expected, {})):
        table.setdefault("uid", str(site.uid))
        table.setdefault("names", empty)
        for name in NAME_KEYS:
            table["names"].setdefault(name, getattr(site.names, name))
    if isinstance(written, tomlkit.items.Table):
        if not has_names:
            written["names"].trivia.indent = "\n"
        last_body(written).extend(tail or [(None, tomlkit.ws("\n"))])


def take_tail(table: Any) -> list[Any]:
    """Remove and return the blank lines and comments at the end of a table, which are about the next one."""
    import tomlkit

    body = last_body(table)
    at = len(body)
    while at and isinstance(body[at - 1][1], tomlkit.items.Whitespace | tomlkit.items.Comment):
        at -= 1
    while at < len(body) and not isinstance(body[at][1], tomlkit.items.Whitespace):
        at += 1  # a comment without a blank line above it is about the keys there
    tail = body[at:]
    del body[at:]
    return tail


def last_body(table: Any) -> list[Any]:
    """Return what is written in a table, or in the last one in it."""
    import tomlkit

    body = table.value.body
    while body and isinstance(body[-1][1], tomlkit.items.Table):
        body = body[-1][1].value.body
    return body  # type: ignore[no-any-return]


def holder_line(holder: Holder) -> dict[str, object]:
    removed = {"removed": True} if holder.removed else {}
    return {"uid": str(holder.uid), **{key: holder.names[key] for key in NAME_KEYS}, **removed}


def holder_array(lines: Sequence[Mapping[str, object]]) -> Any:
    import tomlkit

    array = tomlkit.array().multiline(True)
    for line in lines:
        table = tomlkit.inline_table()
        table.update(line)
        array.append(table)
    return array


def replace_file(path: Path, text: str) -> None:
    """
    Replace the file by a rename, keeping its permissions and owner; a symbolic link to it stays. Raises
    ConfigurationError.
    """
    try:
        place = path.resolve()
        status = place.stat()
        owner = (status.st_uid, status.st_gid)
        given = None if owner == (os.geteuid(), os.getegid()) else owner
        write_files([NewFile(str(place), text.encode(), stat.S_IMODE(status.st_mode), given)])
    except OSError as error:
        message = f"The pins cannot be written: {error.strerror}."
        raise ConfigurationError.because(message, where=str(path)) from None
