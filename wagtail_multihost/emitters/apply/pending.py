"""The record of reloads still to be done: it outlives the process that should do them (frappe/press#2703)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wagtail_multihost.emitters.apply.output_folder import OutputFolder, discard_file, read_json, write_json


class Pending:
    """The changed paths, by target, for which the servers have not been reloaded yet."""

    def __init__(self, output: OutputFolder) -> None:
        self.output = output
        self.paths: dict[str, list[str]] = read_json(output.pending, has_paths)

    def of(self, targets: Iterable[str]) -> frozenset[str]:
        """Return those of ``targets`` that need a reload."""
        return frozenset(targets) & self.paths.keys()

    def add(self, paths: dict[str, list[str]]) -> None:
        """Record changes, before they are made."""
        for target, changed in paths.items():
            self.paths[target] = list(dict.fromkeys([*self.paths.get(target, []), *changed]))
        self.save()

    def clear(self, targets: Iterable[str]) -> None:
        """Record that the servers of ``targets`` use the files that are there."""
        for target in targets:
            self.paths.pop(target, None)
        self.save()

    def save(self) -> None:
        if self.paths:
            write_json(self.output.pending, self.paths)
        else:
            discard_file(self.output.pending)


def has_paths(found: dict[str, Any]) -> bool:
    return all(isinstance(paths, list) and all(isinstance(path, str) for path in paths) for paths in found.values())
