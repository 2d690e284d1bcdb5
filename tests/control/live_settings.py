"""The settings of tests.control.settings for a server in a process of its own, on the database of the tests."""

from __future__ import annotations

import os

from tests.control.settings import *  # noqa: F403

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["CONTROL_DATABASE"],
        "HOST": "127.0.0.1",
        "PORT": os.environ["CONTROL_PORT"],
        "USER": os.environ["CONTROL_USER"],
        "PASSWORD": os.environ["CONTROL_PASSWORD"],
    }
}
ALLOWED_HOSTS = ["control.localhost", "127.0.0.1"]
