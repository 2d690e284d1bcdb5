"""Which sites a search finds, in the dashboard and in the API."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, TextField
from django.db.models.functions import Cast

from wagtail_multihost.control.models import Hostname
from wagtail_multihost.spec.identifiers import parse_hostname


def search_sites(sites: QuerySet[Any], text: str) -> QuerySet[Any]:
    """Return the sites with ``text`` in their id, in a hostname or in a label (``plan=gold``, ``gold``)."""
    hosts = Hostname.objects.filter(site=OuterRef("pk"), name__icontains=as_hostname(text))
    found = Q(identifier__icontains=text) | Q(Exists(hosts))
    key, equals, value = text.partition("=")
    if equals:
        found |= Q(labels__contains={key.strip(): value.strip()})
    with_text: QuerySet[Any] = sites.annotate(label_text=Cast("labels", TextField()))
    return with_text.filter(found | Q(label_text__icontains=text))


def as_hostname(text: str) -> str:
    """Return what is searched as names are stored, where it is a name."""
    try:
        return parse_hostname(text)
    except ValueError:
        return text
