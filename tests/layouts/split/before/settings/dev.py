from website.settings.base import *

DEBUG = True
SECRET_KEY = "only-for-development-0123456789-0123456789-0123456789"
ALLOWED_HOSTS = ["*"]
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
