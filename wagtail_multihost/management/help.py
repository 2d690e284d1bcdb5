"""The help texts of the ``multihost_…`` commands."""

from __future__ import annotations

from django.core.management.base import DjangoHelpFormatter


class HelpFormatter(DjangoHelpFormatter):
    """Shows Django's own options last and wraps paragraphs, but keeps the lines of exit codes and of examples."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return "\n\n".join(
            part if "\n" in part else super(HelpFormatter, self)._fill_text(part, width, indent)
            for part in text.split("\n\n")
        )
