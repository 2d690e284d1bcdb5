"""
Who may open the control app's own pages. A route of the app that is not here fails test_url_matrix.py: whoever adds a
page says here for whom it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from wagtail_multihost.control.models import ADMIN, CHANGE, OPERATE, VIEW

#: Beside the actions over the site in the address: everyone who sees a site, who looks after the group in the address,
#: who looks after any, the owner of what is in the address (not even operators), operators of the platform, and
#: everyone at all, also only once somebody has said so, which nobody has here. None: nobody uses the method.
SEES, GROUP, PEOPLE, SELF, OPERATOR, EVERYONE = "sees", "group", "people", "self", "operator", "everyone"
SHOWN = "shown"


@dataclass(frozen=True)
class Rule:
    """
    Who may GET and POST a page. ``data`` is a form that does what the page is for; a word in braces stands for
    something of the site in question (``{group}``).
    """

    get: str | None
    post: str | None = None
    data: Mapping[str, str] = field(default_factory=dict)


ROUTES = {
    "multihost:sites": Rule(SEES),
    "multihost:sites_results": Rule(SEES),
    "multihost:new_site": Rule(OPERATOR, OPERATOR, {"identifier": "cordelia", "hostnames": "cordelia.example.com"}),
    "multihost:site_website": Rule(VIEW, CHANGE, {"action": "note", "text": "A note"}),
    "multihost:site_domains": Rule(VIEW, CHANGE, {"action": "prove", "name": "new.example.org"}),
    "multihost:site_proof": Rule(VIEW),
    "multihost:site_settings": Rule(VIEW, CHANGE, {"generation": "2", "admins": "new@example.net"}),
    "multihost:site_deployment": Rule(VIEW),
    "multihost:site_versions": Rule(VIEW),
    "multihost:site_history": Rule(VIEW),
    "multihost:site_apply_again": Rule(CHANGE, CHANGE, {"generation": "2"}),
    "multihost:site_jobs": Rule(VIEW, CHANGE, {"kind": "verify-hostname", "parameter-hostname": "new.example.org"}),
    "multihost:site_availability": Rule(
        VIEW, OPERATE, {"action": "plan", "since": "{soon}", "till": "{later}", "reason": "A reason"}
    ),
    "multihost:site_availability_now": Rule(VIEW),
    "multihost:availability": Rule(SEES),
    "multihost:availability_results": Rule(SEES),
    "multihost:incidents": Rule(SEES),
    "multihost:incidents_results": Rule(SEES),
    "multihost:incident": Rule(VIEW),
    "multihost:silences": Rule(SEES, OPERATE, {"site": "{uid}", "length": "1h", "reason": "A reason"}),
    "multihost:end_silence": Rule(None, OPERATE),
    "multihost:recipients": Rule(OPERATOR, OPERATOR, {"label": "night", "is_active": "on", "generation": "0"}),
    "multihost:recipient": Rule(OPERATOR, OPERATOR, {"action": "test"}),
    "multihost:findings": Rule(SEES),
    "multihost:jobs": Rule(SEES),
    "multihost:jobs_results": Rule(SEES),
    "multihost:job": Rule(VIEW, OPERATE),
    "multihost:webhooks": Rule(OPERATOR, OPERATOR, {"url": "https://hooks.example.org/", "is_active": "on"}),
    "multihost:webhook": Rule(OPERATOR, OPERATOR, {"action": "test"}),
    "multihost:hostnames": Rule(SEES),
    "multihost:hostnames_results": Rule(SEES),
    "multihost:events": Rule(SEES),
    "multihost:events_results": Rule(SEES),
    "multihost:nodes": Rule(OPERATOR),
    "multihost:nodes_results": Rule(OPERATOR),
    "multihost:node": Rule(OPERATOR, OPERATOR, {"action": "weight", "weight": "7", "generation": "{node_revision}"}),
    "multihost:plan": Rule(OPERATOR, OPERATOR, {"action": "cancel"}),
    "multihost:waves": Rule(OPERATOR),
    "multihost:wave": Rule(None, OPERATOR, {"action": "finish", "confirmed": "yes"}),
    "multihost:holds": Rule(SEES, OPERATE, {"site": "{uid}", "length": "1h", "reason": "A reason"}),
    "multihost:end_hold": Rule(None, OPERATE),
    "multihost:platform": Rule(OPERATOR, OPERATOR, {"generation": "1"}),
    "multihost:roles": Rule(OPERATOR),
    "multihost:site_access": Rule(ADMIN, ADMIN, {"group": "{group}", "action": "view"}),
    "multihost:take_access": Rule(None, ADMIN),
    "multihost:people": Rule(PEOPLE, OPERATOR, {"name": "A new customer"}),
    "multihost:group": Rule(GROUP, GROUP, {"email": "new@example.com"}),
    "multihost:remove_person": Rule(None, GROUP),
    "multihost:group_admin": Rule(None, OPERATOR, {"is_admin": "on"}),
    "multihost:withdraw_invitation": Rule(None, GROUP),
    "multihost:tokens": Rule(SEES, SEES, {"name": "x", "action": "read", "days": "30"}),
    "multihost:revoke_token": Rule(None, SELF),
    "multihost_control_invitation": Rule(EVERYONE, EVERYONE),
    "multihost_control_live": Rule(EVERYONE),
    "multihost_control_ready": Rule(EVERYONE),
    "multihost_control_status": Rule(SHOWN),
    "multihost_control_site_status": Rule(SHOWN),
}
