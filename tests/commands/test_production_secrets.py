"""Which registries a repository must not have."""

from __future__ import annotations

from pathlib import Path

import pytest

from wagtail_multihost.production.folders import file_has_secret


@pytest.mark.parametrize("name", ["none.toml", "broken.toml", " ", "//[x/sites.toml"])
def test_registry_that_cannot_be_opened_is_taken_for_one_with_secrets(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is missing or broken, or has a name that is no address, is told to be left out, and no traceback."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.toml").write_text("[platform\n")
    assert file_has_secret(Path(name)) is True


@pytest.mark.parametrize(
    ("stated", "expected"),
    [('STRIPE = "inline"', True), ('STRIPE = "env:STRIPE"', False), ('STRIPE_file = "/k"', False), ("", False)],
)
def test_secrets_of_the_projects_own_are_secrets(tmp_path: Path, stated: str, expected: bool) -> None:
    """A value of one does not belong in a repository; references and plain values do."""
    path = tmp_path / "sites.toml"
    path.write_text(
        "[platform.project_settings]\nSTRIPE = { secret = true }\nSHOP = {}\n"
        f"[sites.aurora.project_settings]\nSHOP = 'a'\n{stated}\n"
    )
    assert file_has_secret(path) is expected
