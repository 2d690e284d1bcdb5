"""Who may ask for the health of sites through nginx: nobody, unless the platform names networks."""

from __future__ import annotations

from wagtail_multihost.emitters.files import Plan
from wagtail_multihost.emitters.quoting import nginx_quote


def health(plan: Plan) -> str:
    """Return health.conf; blank where nobody may."""
    options = plan.nginx
    if not options.health_from:
        return ""
    return plan.render(
        "nginx/health.conf",
        probers=[nginx_quote(network) for network in options.health_from],
        proxies=[nginx_quote(network) for network in options.proxies],
        # A dot is the only character of such a path that a pattern reads.
        prefix=nginx_quote(plan.codebase.health_prefix.replace(".", "[.]")).strip('"'),
    )
