import os

from website.settings.base import *

SECRET_KEY = os.environ["SECRET_KEY"]
ALLOWED_HOSTS = ["www.aurora.example.org"]
WAGTAILADMIN_BASE_URL = "https://www.aurora.example.org"

DATABASES["default"] = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": "aurora",
    "USER": "aurora",
    "PASSWORD": os.environ["DATABASE_PASSWORD"],
    "HOST": "db.internal",
}
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["REDIS_URL"]},
    "renditions": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": os.environ["REDIS_URL"]},
}
STORAGES = {
    "default": {"BACKEND": "storages.backends.s3.S3Storage", "OPTIONS": {"bucket_name": "aurora-media"}},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
AWS_ACCESS_KEY_ID = os.environ["AWS_ACCESS_KEY_ID"]
AWS_SECRET_ACCESS_KEY = os.environ["AWS_SECRET_ACCESS_KEY"]
WAGTAILSEARCH_BACKENDS["default"] = {
    "BACKEND": "wagtail.search.backends.elasticsearch8",
    "URLS": [os.environ["ELASTICSEARCH_URL"]],
    "INDEX": "aurora",
}
SENTRY_DSN = os.environ.get("SENTRY_DSN", "")

try:
    from website.settings.local import *
except ImportError:
    pass
