"""What a control project has at its root, beside Wagtail's admin: the API, invitations, health, status pages."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from wagtail_multihost.control.dashboard.invitation import InvitationView
from wagtail_multihost.control.health import live, ready
from wagtail_multihost.control.public_status import PLATFORM, SITE, show_platform, show_site

urlpatterns: list[URLPattern | URLResolver] = [
    path("-/live", live, name="multihost_control_live"),
    path("-/ready", ready, name="multihost_control_ready"),
    path("status/", show_platform, name=PLATFORM),
    path("status/<slug:site>/", show_site, name=SITE),
    path("api/control/v1/", include("wagtail_multihost.control.api.urls")),
    path("invitations/<str:text>/", InvitationView.as_view(), name="multihost_control_invitation"),
]
