"""The table of behaviours and carriers is the page of the reference, and has no line twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.conformance.behaviours import CARRIERS
from tests.conformance.table import SUBJECTS, render_page

PAGE = Path(__file__).parents[2] / "docs/reference/carriers.md"


def test_page_of_the_reference_is_what_is_tried(request: pytest.FixtureRequest) -> None:
    """docs/reference/carriers.md is the table, word for word; ``--regenerate`` writes it anew."""
    if request.config.getoption("--regenerate"):
        PAGE.write_text(render_page(), encoding="utf-8")
    print(render_page())
    assert PAGE.read_text(encoding="utf-8") == render_page()


def test_behaviours_have_names_of_their_own() -> None:
    """No line of the table is there twice, and each difference is of a carrier in it, has a reason and differs."""
    behaviours = [behaviour for rows in SUBJECTS.values() for behaviour in rows]
    assert not [name for name, number in Counter(one.name for one in behaviours).items() if number > 1]
    for behaviour in behaviours:
        assert behaviour.differs.keys() <= CARRIERS.keys()
        for difference in behaviour.differs.values():
            assert difference.reason.endswith(".") and difference.wanted != behaviour.wanted, behaviour.name
