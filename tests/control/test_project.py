"""A project beside the sites runs where this package is installed, without being a site."""

from __future__ import annotations

import io
import os

import pytest
from django.apps import apps
from django.core.management import call_command

from wagtail_multihost.running import current


@pytest.mark.django_db
def test_project_that_is_no_site_passes_its_checks() -> None:
    """Neither the app nor a site is there, nothing was resolved, and ``check`` finds nothing to say."""
    assert not apps.is_installed("wagtail_multihost")
    assert "MULTIHOST_SITE" not in os.environ
    assert current() is None
    out, err = io.StringIO(), io.StringIO()
    call_command("check", fail_level="WARNING", stdout=out, stderr=err)
    assert (out.getvalue().strip(), err.getvalue()) == ("System check identified no issues (0 silenced).", "")
