"""The addresses of the control app's pages, below ``fleet/`` of Wagtail's admin."""

from __future__ import annotations

from django.urls import path

from wagtail_multihost.control.dashboard import (
    access,
    domains,
    events,
    history,
    hostnames,
    new_site,
    people,
    platform,
    roles,
    settings,
    sites,
    tokens,
    website,
)

app_name = "multihost"
urlpatterns = [
    path("sites/", sites.SitesView.as_view(), name="sites"),
    path("sites/results/", sites.SitesView.as_view(results_only=True), name="sites_results"),
    path("sites/new/", new_site.NewSiteView.as_view(), name="new_site"),
    path("sites/<uuid:uid>/", website.WebsiteView.as_view(), name="site_website"),
    path("sites/<uuid:uid>/domains/", domains.DomainsView.as_view(), name="site_domains"),
    path("sites/<uuid:uid>/domains/<uuid:proof>/", domains.ProofResultView.as_view(), name="site_proof"),
    path("sites/<uuid:uid>/settings/", settings.SettingsView.as_view(), name="site_settings"),
    path("sites/<uuid:uid>/access/", access.AccessView.as_view(), name="site_access"),
    path("sites/<uuid:uid>/access/<int:group>/take/", access.TakeAccessView.as_view(), name="take_access"),
    path("sites/<uuid:uid>/history/", history.HistoryView.as_view(), name="site_history"),
    path("sites/<uuid:uid>/history/<int:revision>/", history.ApplyAgainView.as_view(), name="site_apply_again"),
    path("domains/", hostnames.HostnamesView.as_view(), name="hostnames"),
    path("domains/results/", hostnames.HostnamesView.as_view(results_only=True), name="hostnames_results"),
    path("events/", events.EventsView.as_view(), name="events"),
    path("events/results/", events.EventsView.as_view(results_only=True), name="events_results"),
    path("platform/", platform.PlatformView.as_view(), name="platform"),
    path("people/", people.GroupsView.as_view(), name="people"),
    path("people/<int:group>/", people.PeopleOfGroupView.as_view(), name="group"),
    path("people/<int:group>/<int:user>/remove/", people.RemovePersonView.as_view(), name="remove_person"),
    path("people/<int:group>/<int:user>/admin/", people.GroupAdminView.as_view(), name="group_admin"),
    path("people/<int:group>/<uuid:invitation>/withdraw/", people.WithdrawView.as_view(), name="withdraw_invitation"),
    path("tokens/", tokens.TokensView.as_view(), name="tokens"),
    path("tokens/<int:token>/revoke/", tokens.RevokeTokenView.as_view(), name="revoke_token"),
    path("platform/roles/", roles.RolesView.as_view(), name="roles"),
]
