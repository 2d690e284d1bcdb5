import os

from wagtail_multihost.resolver import resolve
from website.settings.base import *

DATABASES["default"] = {"ENGINE": "django.db.backends.postgresql"}
CACHES = {
    "renditions": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["REDIS_URL"]},
}
STORAGES = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WAGTAILSEARCH_BACKENDS["default"] = {
    "BACKEND": "wagtail.search.backends.elasticsearch8",
    "URLS": [os.environ["ELASTICSEARCH_URL"]],
}
SENTRY_DSN = os.environ.get("SENTRY_DSN", "")

try:
    from website.settings.local import *
except ImportError:
    pass

resolve(BASE_DIR / "sites.toml").apply(globals())
