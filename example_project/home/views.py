import os
from collections.abc import Iterator
from typing import NamedTuple

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.crypto import salted_hmac
from wagtail.models import Page

from wagtail_multihost.running import registered_site
from wagtail_multihost.spec.site import SiteSpec

STARTED = timezone.now()


def search(request: HttpRequest) -> HttpResponse:
    """List the live pages that match the query ``q``."""
    query = request.GET.get("q", "")
    results = Page.objects.live().search(query) if query else Page.objects.none()
    return render(request, "home/search.html", {"query": query, "results": results})


def mine(request: HttpRequest) -> HttpResponse:
    """
    Show what this site shares with no other.

    It tells names and paths, which is no visitor's business: it is not found unless the platform is in development.
    """
    registered = registered_site()
    if registered is None or registered[0].environment != "development":
        raise Http404
    return render(request, "home/mine.html", {"facts": facts(registered[1])})


class Fact(NamedTuple):
    name: str
    value: object
    meaning: str


def facts(site: SiteSpec) -> Iterator[Fact]:
    """Yield what this process has of its own, as Django sees it; of a secret, what cannot be turned back into it."""
    yield Fact("Site", f"{site.id} · {site.uid}", "The id, and the uid that its keys and its database belong to.")
    yield Fact("Addresses", ", ".join(site.hosts), "No other Host is answered.")
    database, cache = connection.settings_dict, settings.CACHES["default"]
    place = " on ".join(filter(None, [str(database["NAME"]), database.get("HOST")]))
    yield Fact("Database", f"{connection.vendor} · {place}", "It keeps the uid, and refuses another site's process.")
    yield Fact("Cache prefix", cache["KEY_PREFIX"], f"It begins each key in {cache['BACKEND'].rpartition('.')[2]}.")
    uploads = getattr(default_storage, "bucket_name", None) or settings.MEDIA_ROOT
    yield Fact("Uploads", uploads, "The folder, or the bucket, of its pictures and documents.")
    fingerprint = salted_hmac("home.mine", "fingerprint").hexdigest()[:16]
    yield Fact("Key fingerprint", fingerprint, "Derived from its SECRET_KEY, which signs its sessions and links.")
    yield Fact("Cookie", settings.SESSION_COOKIE_NAME, "Its neighbours' have other names.")
    zone = f"{settings.LANGUAGE_CODE} · {settings.TIME_ZONE}"
    yield Fact("Language and time zone", zone, "From its settings in the registry.")
    since = f"{timezone.localtime(STARTED):%Y-%m-%d %H:%M:%S}"
    yield Fact("Process", f"{os.getpid()}, since {since}", "It serves this site and no other.")
