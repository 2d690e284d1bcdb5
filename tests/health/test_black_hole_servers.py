"""A process with the default options whose database swallows everything, over a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.health.lifecycle import BIN, Answered, Server, environment
from tests.health.test_database_probes_servers import black_hole
from tests.servers.processes import free_port, running, wait_for

pytestmark = pytest.mark.servers

QUESTIONS = 20
SECONDS = 5
SETTINGS = """
SECRET_KEY = "x" * 50
ALLOWED_HOSTS = ["www.example.org"]
INSTALLED_APPS = ["django.contrib.contenttypes"]
MIDDLEWARE = ["wagtail_multihost.health.middleware.HealthMiddleware"]
ROOT_URLCONF = "urls"
DATABASES = {{"default": {{
    "ENGINE": "django.db.backends.postgresql", "NAME": "x", "USER": "x", "HOST": "127.0.0.1", "PORT": "{port}",
}}}}
USE_TZ = True
"""
APPLICATION = """
from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
"""


@pytest.fixture(name="server", params=[False, True], ids=["accepting", "full"])
def _server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Two workers that nobody has asked whether they are ready."""
    with black_hole(request.param) as hole:
        files = {"project": SETTINGS.format(port=hole), "urls": "urlpatterns = []\n", "served": APPLICATION}
        for name, text in files.items():
            (tmp_path / f"{name}.py").write_text(text)
        port = free_port()
        command = [BIN / "gunicorn", f"--bind=127.0.0.1:{port}", "--workers=2", "--no-control-socket", "served"]
        environ = {**environment(tmp_path), "DJANGO_SETTINGS_MODULE": "project"}
        with running(command, tmp_path / "log", environ, cwd=tmp_path) as process:
            server = Server(port, process.pid, tmp_path)
            wait_for(server.answers, "the server")
            yield server


def test_database_that_swallows_everything_holds_up_no_question(server: Server) -> None:
    """From the first on, each question on ready is answered with 503 within seconds, and live passes."""
    words = set()
    for _ in range(QUESTIONS):
        ready = asked_in_time(server, "/-/ready")
        live = asked_in_time(server, "/-/live")
        assert (ready.status, live.status, live.body) == (503, 200, b"pass")
        words.add(ready.body)
    assert words <= {b"starting", b"fail"}
    wait_for(lambda: asked_in_time(server, "/-/ready").body == b"fail", "the verdict")


def asked_in_time(server: Server, path: str) -> Answered:
    began = time.monotonic()
    answer = server.ask(path)
    assert time.monotonic() - began < SECONDS
    return answer
