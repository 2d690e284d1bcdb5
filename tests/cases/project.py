"""Settings of a process of a site, in which nothing is the project's but what ``CASE_PROJECT`` has, in JSON."""

from __future__ import annotations

import json
import os

from wagtail_multihost.resolver import resolve

INSTALLED_APPS: list[str] = []
USE_TZ = True
globals().update(json.loads(os.environ.get("CASE_PROJECT", "{}")))

resolve().apply(globals())
