"""The paths of ``benchmarks.control``: the control app's, and Wagtail's own list of the same sites."""

from __future__ import annotations

from django.urls import include, path
from wagtail.admin.viewsets.model import ModelViewSet

from tests.control.urls import urlpatterns as of_project
from wagtail_multihost.control.models import ManagedSite


class PlainSites(ModelViewSet):  # type: ignore[misc]
    """What Wagtail makes of the model, without anything of ours."""

    model = ManagedSite
    form_fields = ("identifier",)
    list_display = ("identifier", "enabled", "state", "created")
    list_filter = ("enabled", "state")
    search_fields = ("identifier",)
    url_namespace = "plain"


sites = PlainSites("plain")
urlpatterns = [path("plain/", include((sites.get_urlpatterns(), "plain"), namespace="plain")), *of_project]
