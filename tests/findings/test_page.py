"""The page on findings."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "explanation" / "findings.md"


def test_page_names_tests_that_exist() -> None:
    """Every row of the page ends with tests, and each of them is here."""
    rows = [row for row in PAGE.read_text(encoding="utf-8").splitlines() if row.startswith("| ")][1:]
    defined = {
        name for path in HERE.glob("test_*.py") for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    }
    named = [re.findall(r"`(test_\w+)`", row) for row in rows]
    assert len(rows) == 12
    assert all(named)
    assert {name for names in named for name in names} <= defined
