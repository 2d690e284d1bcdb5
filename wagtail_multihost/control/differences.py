"""What changed between two records, for people: without what refers to a secret."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from wagtail_multihost.control.declared_keys import Table, is_masked, leaves_of
from wagtail_multihost.registry.record import KEY_PATH

MASK = "•••"


class Difference(NamedTuple):
    """A key (``database.host``) with its value before and after; None where it was not stated."""

    path: KEY_PATH
    before: object
    after: object

    @property
    def key(self) -> str:
        return ".".join(self.path)

    def as_row(self, *, of_platform: bool) -> dict[str, object]:
        """Return what is kept and shown of it."""
        values = {"before": self.before, "after": self.after}
        if is_masked(self.path, of_platform=of_platform):
            values = {name: None if value is None else MASK for name, value in values.items()}
        return {"key": self.key, **values}


def differences(before: Table, after: Table) -> tuple[Difference, ...]:
    """Return every value that differs, in the order of the keys."""
    old, new = (dict(leaves_of(table)) for table in (before, after))
    return tuple(
        Difference(path, old.get(path), new.get(path))
        for path in sorted({*old, *new})
        if old.get(path) != new.get(path) or (path in old) != (path in new)
    )


def rows_of(found: Iterable[Difference], *, of_platform: bool = False) -> list[dict[str, object]]:
    return [difference.as_row(of_platform=of_platform) for difference in found]
