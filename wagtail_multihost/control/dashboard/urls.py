"""The addresses of the control app's pages, below ``fleet/`` of Wagtail's admin."""

from __future__ import annotations

from django.urls import path

from wagtail_multihost.control.dashboard import access, people, roles, tokens, website

app_name = "multihost"
urlpatterns = [
    path("sites/<uuid:uid>/", website.WebsiteView.as_view(), name="site_website"),
    path("sites/<uuid:uid>/access/", access.AccessView.as_view(), name="site_access"),
    path("sites/<uuid:uid>/access/<int:group>/take/", access.TakeAccessView.as_view(), name="take_access"),
    path("people/", people.GroupsView.as_view(), name="people"),
    path("people/<int:group>/", people.PeopleOfGroupView.as_view(), name="group"),
    path("people/<int:group>/<int:user>/remove/", people.RemovePersonView.as_view(), name="remove_person"),
    path("people/<int:group>/<int:user>/admin/", people.GroupAdminView.as_view(), name="group_admin"),
    path("people/<int:group>/<uuid:invitation>/withdraw/", people.WithdrawView.as_view(), name="withdraw_invitation"),
    path("tokens/", tokens.TokensView.as_view(), name="tokens"),
    path("tokens/<int:token>/revoke/", tokens.RevokeTokenView.as_view(), name="revoke_token"),
    path("platform/roles/", roles.RolesView.as_view(), name="roles"),
]
