"""Apps that spoil Django's cache of content types."""

from __future__ import annotations

from pathlib import Path

from django.apps import AppConfig
from django.conf import settings

CONTENT_TYPES_OF_ANOTHER_SITE = 1000


class RememberingConfig(AppConfig):
    """Keeps the cache of content types in a file of the folder SHARED, where every process finds it."""

    name = "tests.testing.remembering"
    path = "tests/testing"
    label = "remembering"

    def ready(self) -> None:
        from django.contrib.contenttypes.models import ContentType, ContentTypeManager

        class RememberingManager(ContentTypeManager):
            def get_by_natural_key(self, app_label: str, model: str) -> ContentType:
                kept = Path(settings.SHARED, f"{app_label}-{model}")
                if kept.exists():
                    return ContentType(pk=int(kept.read_text()), app_label=app_label, model=model)
                found = super().get_by_natural_key(app_label, model)
                kept.write_text(str(found.pk))
                return found

        ContentType.objects.__class__ = RememberingManager


class LeftoversConfig(AppConfig):
    """Has content types of another site in its cache, as a process that was forked too late."""

    name = "tests.testing.remembering"
    path = "tests/testing"
    label = "leftovers"

    def ready(self) -> None:
        from django.contrib.contenttypes.models import ContentType

        left_over = ContentType(pk=CONTENT_TYPES_OF_ANOTHER_SITE, app_label="sessions", model="session")
        ContentType.objects._add_to_cache("default", left_over)
