"""A site's own process: what it answers to hosts through WSGI, and what it is connected to."""

import io
import json
import sys
from wsgiref.util import setup_testing_defaults

from website.wsgi import application  # it sets Django up

from django.conf import settings
from django.core.files.storage import default_storage, storages


def status_of(host):
    environ = {"HTTP_HOST": host, "wsgi.url_scheme": "https", "HTTP_X_FORWARDED_PROTO": "https"}
    setup_testing_defaults(environ)
    environ["wsgi.errors"] = io.StringIO()
    statuses = []
    list(application(environ, lambda status, headers: statuses.append(int(status.split()[0]))))
    return statuses[0]


# Django 6.1 has MAILERS, and those before have EMAIL_HOST.
mailers = getattr(settings, "MAILERS", None)
storage = {key: getattr(default_storage, key, None) for key in ("bucket_name", "access_key", "custom_domain")}
database = {key: settings.DATABASES["default"][key] for key in ("NAME", "USER", "PASSWORD", "HOST")}
answer = {
    "statuses": {host: status_of(host) for host in sys.argv[1:]},
    "cache prefixes": {alias: options["KEY_PREFIX"] for alias, options in settings.CACHES.items()},
    "database": database,
    "storage": storage,
    "mail": mailers["default"].get("OPTIONS", {}).get("host") if mailers else settings.EMAIL_HOST,
    "static files": type(storages["staticfiles"]).__name__,
    "search": settings.WAGTAILSEARCH_BACKENDS["default"],
    "secret key": settings.SECRET_KEY,
}
print(json.dumps(answer))
