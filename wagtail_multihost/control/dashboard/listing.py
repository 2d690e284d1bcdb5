"""What all lists of the control app have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponseBase
from wagtail.admin.views.generic.base import BaseListingView
from wagtail.admin.views.mixins import SpreadsheetExportMixin

from wagtail_multihost.control.dashboard.addresses import page_address
from wagtail_multihost.control.guard import GuardedView
from wagtail_multihost.control.spreadsheets import neutralize


class ListView(GuardedView, SpreadsheetExportMixin, BaseListingView):  # type: ignore[misc]
    """
    A list with search, filters, and a spreadsheet of what it shows. ``name`` is that of its address; each subclass
    says in ``get_base_queryset`` what the person may see, and everything else only narrows it.
    """

    name = ""
    template_name = "multihost_control/list.html"
    results_template_name = "multihost_control/list_results.html"
    paginate_by = 50
    is_searchable = True
    #: What an empty list says, and the page and the words of the next step, which is shown to operators.
    empty_message = ""
    next_step = ("", "")

    def get_index_url(self) -> str:
        return page_address(self.name)

    def get_index_results_url(self) -> str:
        return page_address(f"{self.name}_results")

    def get_next_step(self) -> tuple[str, str]:
        """Return the address and the words of what can be done about an empty list, blank if nothing can."""
        page, words = self.next_step
        address = page_address(page) if page and self.authority.may_operate else ""
        return (address, words) if address else ("", "")

    def order_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        # Rows that are equal would change places between two pages.
        return queryset.order_by(self.ordering, "pk")

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        # What a filter does not understand lets nothing through: a bulk action or an export must not reach more.
        if self.filters and not self.filters.is_valid():
            return queryset.none()
        return super().filter_queryset(queryset)  # type: ignore[no-any-return]

    def get_filterset_kwargs(self) -> dict[str, Any]:
        return {**super().get_filterset_kwargs(), "queryset": self.get_base_queryset(), "authority": self.authority}

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        return {
            **super().get_context_data(*args, **kwargs),
            "is_list": True,
            "empty_message": self.empty_message,
            "next_step": self.get_next_step(),
        }

    @cached_property
    def export_columns(self) -> Mapping[str, Any]:
        """The columns of the spreadsheet, each with what returns its cell of a row."""
        return {}

    @property
    def list_export(self) -> list[str]:
        return list(self.export_columns)

    def get_heading(self, queryset: QuerySet[Any], field: str) -> str:
        return field

    def to_row_dict(self, item: Any) -> dict[str, Any]:
        return {name: neutralize(cell(item)) for name, cell in self.export_columns.items()}

    def render_to_response(self, context: dict[str, Any], **response_kwargs: Any) -> HttpResponseBase:
        if self.is_export:
            found: HttpResponseBase = self.as_spreadsheet(context["object_list"], self.request.GET.get("export"))
        else:
            found = super().render_to_response(context, **response_kwargs)
        return found


class ShownRowsView(ListView):
    """A list that says more of its rows than they have: they are read once, and the rest for all ``shown`` together."""

    shown: Sequence[Any]

    def render_to_response(self, context: dict[str, Any], **response_kwargs: Any) -> HttpResponseBase:
        self.shown = list(context["object_list"])
        context["object_list"] = self.shown
        context["table"] = self.get_table(self.shown)
        return super().render_to_response(context, **response_kwargs)
