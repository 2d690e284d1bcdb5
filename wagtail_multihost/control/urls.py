"""What a control project includes at its root, beside Wagtail's admin."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, path

from wagtail_multihost.control.dashboard.invitation import InvitationView

app_name = "multihost_control"

urlpatterns: list[URLPattern | URLResolver] = [
    path("invitations/<str:text>/", InvitationView.as_view(), name="invitation"),
]
