"""Django's cache of content types."""

from __future__ import annotations

from collections.abc import Iterator

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import router

from wagtail_multihost.testing.canaries.base import Canary, Crossing
from wagtail_multihost.testing.canaries.database import database_setting

LABEL = "multihost_canary"
CACHE = "ContentType.objects"


class ContentTypesCanary(Canary):
    """A content type that only one site has; and the ids in the cache must be those of the site's own table."""

    name = "content-types"

    def applies(self) -> bool:
        return apps.is_installed("django.contrib.contenttypes")

    def plant(self, token: str) -> int:
        made = ContentType.objects.create(app_label=LABEL, model=token)
        # Puts it into the cache of the process, as projects do.
        return int(ContentType.objects.get_by_natural_key(LABEL, token).pk or made.pk)

    def crossed(self, token: str, planted: int) -> Iterator[Crossing]:
        if ContentType.objects.filter(app_label=LABEL, model=token).exists():
            setting = database_setting(router.db_for_read(ContentType))
            yield Crossing(setting, "The content type is in the database.")
        elif is_known(token):
            yield Crossing(CACHE, "The content type is in the manager's cache, but not in the database.")
        for content_type in cached_content_types():
            own = ContentType.objects.filter(pk=content_type.pk).values_list("app_label", "model").first()
            if own != (content_type.app_label, content_type.model) and content_type.model != token:
                yield Crossing(
                    CACHE, f"The cached id {content_type.pk} of {content_type} is not the one in the database."
                )

    def remove(self, token: str, planted: int) -> None:
        ContentType.objects.filter(pk=planted).delete()
        ContentType.objects.clear_cache()


def is_known(token: str) -> bool:
    try:
        ContentType.objects.get_by_natural_key(LABEL, token)
    except ContentType.DoesNotExist:
        return False
    return True


def cached_content_types() -> list[ContentType]:
    """Return every content type in the manager's cache (an attribute that Django does not document)."""
    models = [model for app in apps.get_app_configs() for model in app.get_models()]
    for model in models:
        ContentType.objects.get_for_model(model)
    found: dict[str, dict[object, ContentType]] = getattr(ContentType.objects, "_cache", {})
    return [content_type for by_key in found.values() for content_type in set(by_key.values())]
