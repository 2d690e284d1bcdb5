"""Lists that are read again by themselves, until that is paused."""

from __future__ import annotations

from typing import Any, NamedTuple

from wagtail_multihost.control.dashboard.listing import ShownRowsView
from wagtail_multihost.control.dashboard.refreshing import MILLISECONDS, is_paused


class LiveWords(NamedTuple):
    """What the page says where the list is read again by itself, where it is not, and the words of the way back."""

    is_on: str
    is_off: str
    turn_on: str


class LiveRowsView(ShownRowsView):
    """A list of which the first page is read again by itself, in the order that it has without being asked for one."""

    template_name = "multihost_control/live_list.html"
    results_template_name = "multihost_control/live_list_results.html"
    live_words: LiveWords

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(*args, **kwargs)
        # On another page, or in another order, what is new would not be seen.
        page = context["page_obj"]
        is_first = page is not None and page.number == 1 and not self.is_explicitly_ordered
        return {
            **context,
            "is_live": is_first and not is_paused(self.request),
            "can_be_live": is_first,
            "live_words": self.live_words,
            "milliseconds": MILLISECONDS,
        }
