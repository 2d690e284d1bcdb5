"""Where secrets come out of stock tools: messages, representations, pickles, error pages; and never of ours."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from pathlib import Path
from typing import Any

import environ
import pytest
from django.views.debug import SafeExceptionReporterFilter

from tests.findings.conftest import REGISTRY, SettingsOf
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.registry import open_registry
from wagtail_multihost.resolver import resolve

SECRET = "a&d3*0k-a-password-that-nobody-may-see"
REDIS = f"{REGISTRY}cache = {{ backend = 'redis', host = 'cache.internal', password = '{SECRET}' }}\n"


def test_report_on_a_mistake_has_no_secret(tmp_path: Path) -> None:
    """django-environ puts a value that begins with $ into its message; our report never has a value of a secret."""
    env = type("Env", (environ.Env,), {"ENVIRON": {"PASSWORD": f"${SECRET}"}})()
    with pytest.raises(environ.ImproperlyConfigured, match="nobody-may-see"):
        env.str("PASSWORD")
    path = tmp_path / "sites.toml"
    path.write_text(f"{REGISTRY}database = 'mysql://u:{SECRET}@h/d'\ncache = {{ pasword = '{SECRET}' }}\n")
    with pytest.raises(ConfigurationError) as caught:
        open_registry(path, {}).load()
    assert len(caught.value.problems) >= 2
    shown = [str(caught.value), repr(caught.value), str(pickle.dumps(caught.value.args))]
    assert not any(SECRET in text for text in shown)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_secret_of_a_site_is_not_printed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A dict of settings shows its password to whoever prints it; a site's record does not, in any form."""
    assert SECRET in repr({"default": {"PASSWORD": SECRET}})
    path = tmp_path / "sites.toml"
    path.write_text(REDIS)
    resolved = resolve(path, environ={"MULTIHOST_SITE": "borealis"})
    assert resolved.site is not None and resolved.site.cache.password is not None
    assert resolved.site.cache.password.reveal() == SECRET
    logging.getLogger("findings").warning("%s %r", resolved.site, resolved)
    forms = [repr(resolved), str(resolved.site), f"{resolved.site.cache.password}", caplog.text]
    assert not any(SECRET in form for form in forms)
    with pytest.raises((TypeError, pickle.PicklingError)) as caught:
        json.dumps(resolved.site.cache.password)
    assert SECRET not in str(caught.value)


def test_error_page_shows_no_password_of_a_cache(settings_of: SettingsOf) -> None:
    """Django's error page shows a LOCATION as it is; the resolver keeps the password out of it, where it is masked."""

    def page(caches: dict[str, Any]) -> str:
        return str(SafeExceptionReporterFilter().cleanse_setting("CACHES", caches))

    assert SECRET in page({"default": {"LOCATION": f"redis://:{SECRET}@cache.internal:6379/0"}})
    caches = settings_of("borealis", registry=REDIS)["CACHES"]
    assert caches["default"]["OPTIONS"]["password"] == SECRET
    assert SECRET not in page(caches)
