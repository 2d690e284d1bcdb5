"""The SQL of the database's roles, for operators: the web process may not run it itself."""

from __future__ import annotations

from typing import Any

from django.views.generic import TemplateView
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from wagtail_multihost.control.guard import OperatorView
from wagtail_multihost.control.roles import roles_sql


class RolesView(WagtailAdminTemplateMixin, OperatorView, TemplateView):  # type: ignore[misc]
    """The text that multihost_control_roles prints."""

    template_name = "multihost_control/roles.html"
    page_title = "Database roles"
    header_icon = "key"
    _show_breadcrumbs = True

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.page_title}]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return {**super().get_context_data(**kwargs), "sql": roles_sql()}
