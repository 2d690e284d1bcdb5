from wagtail_multihost.resolver import resolve
from website.settings.base import *

DEBUG = True
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"

resolve(BASE_DIR / "sites.toml").apply(globals())
