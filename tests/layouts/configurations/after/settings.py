from pathlib import Path

from configurations import Configuration, values

from wagtail_multihost.resolver import resolve

BASE_DIR = Path(__file__).resolve().parent.parent


class Base(Configuration):
    INSTALLED_APPS = [
        "wagtail_multihost",
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
        "wagtail_multihost.health.middleware.HealthMiddleware",
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

    @classmethod
    def post_setup(cls):
        super().post_setup()
        resolve(BASE_DIR / "sites.toml").apply(globals())


class Production(Base):
    DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql"}}
    REDIS_URL = values.Value(environ_required=True, environ_prefix=None)
    ELASTICSEARCH_URL = values.Value(environ_required=True, environ_prefix=None)
    STORAGES = {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
    }
    SENTRY_DSN = values.Value("", environ_prefix=None)

    @property
    def CACHES(self):
        redis = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": self.REDIS_URL}
        return {"renditions": redis}

    @property
    def WAGTAILSEARCH_BACKENDS(self):
        elasticsearch = "wagtail.search.backends.elasticsearch8"
        return {"default": {"BACKEND": elasticsearch, "URLS": [self.ELASTICSEARCH_URL]}}
