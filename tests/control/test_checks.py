"""System checks of a control project, and what they are about."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.checks import run_checks
from django.test import Client
from django.utils import timezone

from tests.control.fleet import Fleet
from tests.workspace import ROOT
from wagtail_multihost.control import checks
from wagtail_multihost.control.authority import NOBODY
from wagtail_multihost.control.models import TokenScope
from wagtail_multihost.control.tokens import authority_of_token, create_token

MISSING = "No such file or directory"


def found(**options: Any) -> list[str]:
    return [message.id for message in run_checks(**options) if str(message.id).startswith("multihost_control")]


def test_project_of_the_tests_has_nothing_to_say(fleet: Fleet) -> None:
    fleet.user("root", superuser=True)
    assert found(databases=["default"]) == []


def test_wagtails_own_api_is_an_error(settings: Any) -> None:
    settings.ROOT_URLCONF = "tests.control.urls_with_api"
    assert found() == ["multihost_control.E001"]


def test_missing_page_of_invitations_is_an_error(settings: Any) -> None:
    settings.ROOT_URLCONF = "wagtail.admin.urls"
    assert found() == ["multihost_control.E002"]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("CONFIRM_SHARE", "10%", "is '10%', but it must be a number from 0 to 1, such as 0.1."),
        ("CONFIRM_SHARE", 10, "is 10, but it must be a number from 0 to 1"),
        ("CONFIRM_SHARE", True, "is True, but it must be a number"),
        ("ADMIN_PATH", None, "is None, but it must be a path, such as '/admin/'."),
        ("WAVE_SITES", -1, "is -1, but it must be a whole number from 0 to 1000000, such as 20."),
        ("RELEASES", 5, "is 5, but it must be the path of a file or a folder."),
        ("WAVE_BAKE", 1.5, "is 1.5, but it must be a whole number from 0 to 86400, such as 60."),
    ],
)
def test_setting_of_the_wrong_kind_is_an_error(settings: Any, name: str, value: object, sentence: str) -> None:
    setattr(settings, f"MULTIHOST_CONTROL_{name}", value)
    (message,) = [message for message in run_checks() if message.id == "multihost_control.E003"]
    assert message.msg.startswith(f"MULTIHOST_CONTROL_{name} {sentence}")


def test_file_of_releases_with_mistakes_is_an_error(settings: Any, tmp_path: Path) -> None:
    settings.MULTIHOST_CONTROL_RELEASES = tmp_path / "releases.toml"
    (message,) = [message for message in run_checks() if message.id == "multihost_control.E003"]
    assert message.msg == f"MULTIHOST_CONTROL_RELEASES: {tmp_path}/releases.toml: It cannot be read: {MISSING}."
    (tmp_path / "releases.toml").write_text('[django."5.2"]\nlatest = "5.2.8"\n')
    assert found() == []


@pytest.mark.parametrize("share", [0, 1, 0.25])
def test_settings_that_are_right_are_no_error(settings: Any, share: float) -> None:
    settings.MULTIHOST_CONTROL_CONFIRM_SHARE = share
    assert found() == []


def test_token_is_its_whole_user_on_wagtails_own_api(fleet: Fleet, settings: Any) -> None:
    """Why there is the check: neither the scope nor the end of a token counts there."""
    settings.ROOT_URLCONF = "tests.control.urls_with_api"
    site = fleet.add("aurora")
    made = create_token(fleet.user("root", superuser=True), "x", "read", [site], timezone.now() + timedelta(days=1))
    TokenScope.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert authority_of_token(made.token) == NOBODY
    client = Client(headers={"host": "control.localhost", "authorization": f"Bearer {made.secret}"})
    assert client.get("/wagtail/sites/").status_code == 200
    assert client.get("/wagtail/whoami/").json()


@pytest.mark.parametrize("codename", ["change_user", "add_user", "delete_user", "change_group", "add_group"])
def test_permission_over_accounts_is_reported(fleet: Fleet, codename: str) -> None:
    permission = Permission.objects.get(content_type__app_label="auth", codename=codename)
    person = fleet.user("ada")
    person.user_permissions.add(permission)
    assert found(databases=["default"]) == ["multihost_control.W001"]
    person.user_permissions.clear()
    assert found(databases=["default"]) == []
    Group.objects.create(name="helpers").permissions.add(permission)
    assert found(databases=["default"]) == ["multihost_control.W001"]
    assert found() == []


def test_every_check_is_documented() -> None:
    page = (ROOT / "docs" / "reference" / "control.md").read_text(encoding="utf-8")
    ids = set(re.findall(r'id="(\S+)"', Path(checks.__file__).read_text(encoding="utf-8")))
    assert ids and set(re.findall(r"^### `(multihost_control\..*)`$", page, re.MULTILINE)) == ids
