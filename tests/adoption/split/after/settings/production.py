from wagtail_multihost.resolver import resolve
from website.settings.base import *

DEBUG = False
STORAGES = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

try:
    from website.settings.local import *
except ImportError:
    pass

resolve(BASE_DIR / "sites.toml").apply(globals())
