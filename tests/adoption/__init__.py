"""Projects of other people's making, moved by the how-to's own commands."""

import pytest

pytest.register_assert_rewrite("tests.adoption.adopted", "tests.adoption.promises")
