"""
Settings of a Wagtail project that serves no site of a registry.

For apps that sites do not have: tests in this folder run with ``--part control --ds tests.control.settings``. The
database is a private PostgreSQL, which conftest.py starts.
"""

from __future__ import annotations

import django

INSTALLED_APPS = [
    "wagtail_multihost.control",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "django_filters",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
ROOT_URLCONF = "tests.control.urls"
SECRET_KEY = "the-key-of-a-project-that-is-only-tested-0123456789"
ALLOWED_HOSTS = ["control.localhost"]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "control"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # tests make many people
STATIC_URL = "/static/"
USE_TZ = True
if django.VERSION >= (6, 1):  # where the EMAIL_ settings are deprecated
    MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
WAGTAIL_SITE_NAME = "Control"
WAGTAILADMIN_BASE_URL = "http://control.localhost"
