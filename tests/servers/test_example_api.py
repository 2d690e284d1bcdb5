"""The script that makes a site by the API, against the example: what it makes is served."""

from __future__ import annotations

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.servers
SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "create-site-by-api.sh"
TOKEN = """
from datetime import timedelta
from django.contrib.auth import get_user_model
from django.utils import timezone
from wagtail_multihost.control.tokens import create_token
user = get_user_model().objects.filter(is_superuser=True).first()
print(create_token(user, "a script", "operate", None, timezone.now() + timedelta(hours=1)).secret)
"""

if find_spec("tests.servers.test_example_control"):  # the example with its control site
    from tests.servers.test_example_control import _log, _run, control  # noqa: F401  # fixtures

    def test_site_that_the_script_makes_is_served(run, tmp_path: Path) -> None:
        (tmp_path / "token").write_text(control(run, TOKEN).strip())
        environ = {
            **os.environ,
            "CONTROL": f"http://control.localhost:{run.port}",
            "SITE_URL": f"http://rhea.localhost:{run.port}/",
            "TOKEN_FILE": str(tmp_path / "token"),
        }
        words = ["sh", SCRIPT, "rhea", "rhea.localhost", "www.rhea.localhost"]
        done = subprocess.run(words, env=environ, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.endswith(f"http://rhea.localhost:{run.port}/ answers.\n")
