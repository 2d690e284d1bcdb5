"""One workshop, and one of each of its servers, for all attacks that need them."""

from __future__ import annotations

from tests.servers.conftest import _postgres, _redis, _s3, _workshop  # noqa: F401  # fixtures
