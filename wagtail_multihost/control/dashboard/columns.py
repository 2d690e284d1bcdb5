"""Columns of the lists. Whatever people wrote is escaped by the templates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from wagtail.admin.ui.tables import Column


class Link(NamedTuple):
    """Words that lead somewhere; words alone if there is nowhere to go."""

    text: str
    url: str = ""


class LinksColumn(Column):  # type: ignore[misc]
    """A cell with any number of links."""

    cell_template_name = "multihost_control/tables/links_cell.html"

    def __init__(self, name: str, links: Callable[[Any], list[Link]], **kwargs: Any) -> None:
        super().__init__(name, accessor=links, **kwargs)


class LongTextColumn(Column):  # type: ignore[misc]
    """A cell with text that may be long, which is broken anywhere."""

    def __init__(self, name: str, text: Callable[[Any], str], **kwargs: Any) -> None:
        super().__init__(name, accessor=text, classname="multihost-long", **kwargs)
