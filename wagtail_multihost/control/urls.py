"""What a control project includes at its root, beside Wagtail's admin: the API, invitations, health."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from wagtail_multihost.control.dashboard.invitation import InvitationView
from wagtail_multihost.control.health import live, ready

urlpatterns: list[URLPattern | URLResolver] = [
    path("-/live", live, name="multihost_control_live"),
    path("-/ready", ready, name="multihost_control_ready"),
    path("api/control/v1/", include("wagtail_multihost.control.api.urls")),
    path("invitations/<str:text>/", InvitationView.as_view(), name="multihost_control_invitation"),
]
