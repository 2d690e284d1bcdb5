from pathlib import Path

from configurations import Configuration, values

BASE_DIR = Path(__file__).resolve().parent.parent


class Base(Configuration):
    INSTALLED_APPS = [
        "wagtail.users",
        "wagtail.documents",
        "wagtail.images",
        "wagtail.search",
        "wagtail.admin",
        "wagtail",
        "modelcluster",
        "taggit",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django.contrib.postgres",
        "django.contrib.staticfiles",
    ]
    MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "whitenoise.middleware.WhiteNoiseMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
    ]
    ROOT_URLCONF = "website.urls"
    WSGI_APPLICATION = "website.wsgi.application"
    TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ]
    DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
    USE_TZ = True
    STATIC_ROOT = BASE_DIR / "static"
    STATIC_URL = "/static/"
    MEDIA_URL = "/media/"
    WAGTAIL_SITE_NAME = "Aurora"


class Production(Base):
    SECRET_KEY = values.SecretValue()
    ALLOWED_HOSTS = values.ListValue(["www.aurora.example.org"])
    WAGTAILADMIN_BASE_URL = "https://www.aurora.example.org"

    DATABASES = values.DatabaseURLValue()
    REDIS_URL = values.Value(environ_required=True, environ_prefix=None)
    ELASTICSEARCH_URL = values.Value(environ_required=True, environ_prefix=None)
    STORAGES = {
        "default": {"BACKEND": "storages.backends.s3.S3Storage"},
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    AWS_STORAGE_BUCKET_NAME = "aurora-media"
    AWS_ACCESS_KEY_ID = values.SecretValue(environ_prefix=None)
    AWS_SECRET_ACCESS_KEY = values.SecretValue(environ_prefix=None)
    SENTRY_DSN = values.Value("", environ_prefix=None)

    @property
    def CACHES(self):
        redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": self.REDIS_URL}
        return {"default": {**redis, "KEY_PREFIX": "aurora"}, "renditions": {**redis, "KEY_PREFIX": "renditions"}}

    @property
    def WAGTAILSEARCH_BACKENDS(self):
        elasticsearch = "wagtail.search.backends.elasticsearch8"
        return {"default": {"BACKEND": elasticsearch, "URLS": [self.ELASTICSEARCH_URL], "INDEX": "aurora"}}
