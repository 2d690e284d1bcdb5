"""Findings, jobs and webhooks in a real browser: on a phone and on a desktop, by keyboard, and with hostile texts."""

from __future__ import annotations

from datetime import timedelta
from html.parser import HTMLParser

import pytest

from tests.control.browser import SCREENS, ControlSite
from tests.control.dashboard.hostile import HOSTILE
from tests.control.dashboard.visits import FINDINGS, JOBS, WEBHOOKS, signed_in, text_of
from tests.control.fleet import OPERATOR, Fleet
from tests.control.test_findings import condition, report
from wagtail_multihost.control.dashboard.addresses import site_address
from wagtail_multihost.control.dashboard.tabs import JOBS as JOBS_TAB
from wagtail_multihost.control.jobs import want_job
from wagtail_multihost.control.models import Job, Webhook, WebhookDelivery
from wagtail_multihost.control.nodes import save_group, save_node
from wagtail_multihost.control.webhooks import save_webhook
from wagtail_multihost.nodeapi.node_states import ACTIVE, ALL

LONG = "a-long-name-of-something" * 4


def furnish(fleet: Fleet, text: str) -> list[str]:
    """Write ``text`` wherever a node, a runner or a receiver can; return the addresses of pages that show it."""
    site = fleet.add("aurora")
    save_group(OPERATOR, "web", ALL)
    for node in ("web-0", "web-1"):
        save_node(OPERATOR, node, "web", state=ACTIVE)
    report("web-0", fleet.revision, condition("Drift", message=text), aurora=text)
    report("web-1", fleet.revision, ago=timedelta(seconds=100))
    jobs = want_job(OPERATOR, "reload-site", site, {}).jobs
    log = f"{text}\n{text * 20}"
    Job.objects.update(log=log, progress=text[:200], problem=text, holder=text[:100], state="failed")
    want_job(OPERATOR, "restart-site", site, {})
    hook = save_webhook(OPERATOR, f"https://hooks.example.org/{LONG}", ["site.changed"])
    Webhook.objects.update(problem=text[:300])
    body = {"type": text, "site": text}
    WebhookDelivery.objects.create(webhook=hook, revision=1, body=body, problem=text[:300], attempts=2)
    tab = site_address(site.uid, JOBS_TAB)
    return ["/admin/", FINDINGS, JOBS, f"{JOBS}{jobs[0].pk}/", tab, WEBHOOKS, f"{WEBHOOKS}{hook.pk}/"]


@pytest.mark.parametrize("screen", SCREENS)
def test_pages_are_accessible_and_fit(control_site: ControlSite, live_fleet: Fleet, screen: str) -> None:
    """Axe finds nothing, and no page has to be scrolled sideways, however long a text is."""
    pages = furnish(live_fleet, LONG * 4)
    control_site.sign_in(live_fleet.user("olga", operator=True))
    for page in (*pages, f"{FINDINGS}?severity=notice", f"{JOBS}?q=nothing"):
        control_site.show(page, SCREENS[screen])
        assert control_site.violations() == [], page
        assert control_site.fits(), page


@pytest.mark.parametrize("screen", SCREENS)
def test_empty_pages_are_accessible_and_fit(control_site: ControlSite, live_fleet: Fleet, screen: str) -> None:
    site = live_fleet.add("aurora")
    control_site.sign_in(live_fleet.user("olga", operator=True))
    for page in (FINDINGS, JOBS, WEBHOOKS, site_address(site.uid, JOBS_TAB)):
        control_site.show(page, SCREENS[screen])
        assert control_site.violations() == [], page
        assert control_site.fits(), page


def test_what_others_wrote_is_never_run(control_site: ControlSite, live_fleet: Fleet) -> None:
    pages = furnish(live_fleet, HOSTILE)
    control_site.sign_in(live_fleet.user("olga", operator=True))
    for page in pages:
        text = control_site.show(page)
        assert not control_site.tab.evaluate("window.pwned || document.querySelector('main img[src=x]')"), page
        assert page == "/admin/" or "window.pwned=1" in text or page == WEBHOOKS, page


def test_log_stays_in_its_box(control_site: ControlSite, live_fleet: Fleet) -> None:
    """Lines without end, and letters that are as high as a page."""
    page = furnish(live_fleet, "aurora")[3]
    Job.objects.update(log=f"{'x' * 40_000}\nZ{chr(0x301) * 2_000}\n" * 2)
    control_site.sign_in(live_fleet.user("olga", operator=True))
    control_site.show(page, SCREENS["phone"])
    assert control_site.fits()
    box = "document.querySelector('.multihost-log')"
    assert control_site.tab.evaluate(
        f"{box}.scrollWidth <= {box}.clientWidth && {box}.scrollHeight > {box}.clientHeight"
    )
    assert control_site.tab.evaluate(f"getComputedStyle({box}).contain") == "paint"


def test_site_is_repaired_by_keyboard_alone(control_site: ControlSite, live_fleet: Fleet) -> None:
    """From the finding to the job and its cancellation; the command is copied as it is shown."""
    furnish(live_fleet, "Its codebase is not listed.")
    control_site.sign_in(live_fleet.user("olga", operator=True))
    control_site.show(FINDINGS)
    control_site.tab.evaluate(
        "navigator.clipboard.writeText = text => { window.copied = text; return Promise.resolve() }"
    )
    control_site.tab_to("[data-action='w-clipboard#copy']")
    control_site.press("Enter")
    control_site.wait_for("document.body.innerText.includes('The command is copied.')")
    assert control_site.tab.evaluate("window.copied") == "systemctl status multihost-agent"
    control_site.tab_to("main button[aria-label='Reread site: aurora']")
    control_site.mark()
    control_site.press("Enter")
    control_site.wait_for_next_page()
    assert control_site.path == site_address(live_fleet.site("aurora").uid, JOBS_TAB)
    assert "1 job asked for." in control_site.text
    job = Job.objects.get(kind="reread-site")
    assert job.node_id == "web-0"
    control_site.tab_to(f"a[href='{JOBS}{job.pk}/']", limit=400)
    control_site.mark()
    control_site.press("Enter")
    control_site.wait_for_next_page()
    control_site.tab_to("main button.no")
    control_site.mark()
    control_site.press("Enter")
    control_site.wait_for_next_page()
    assert "The job is cancelled." in control_site.text
    job.refresh_from_db()
    assert job.state == "cancelled"


class Tags(HTMLParser):
    """Collects, of a page's main part, the tags and attributes that a policy for content forbids."""

    def __init__(self) -> None:
        super().__init__()
        self.is_main = False
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.is_main = self.is_main or tag == "main"
        if self.is_main:
            named = [name for name, _ in attrs if name == "style" or name.startswith("on")]
            self.found += [tag] if tag in ("script", "style") or named else []

    def handle_endtag(self, tag: str) -> None:
        self.is_main = self.is_main and tag != "main"


def test_pages_have_no_script_of_their_own(live_fleet: Fleet) -> None:
    """So that a policy of the project's can forbid scripts and styles in pages."""
    pages = furnish(live_fleet, "aurora")
    client = signed_in(live_fleet.user("olga", operator=True))
    for page in pages[1:]:
        tags = Tags()
        tags.feed(text_of(client, page))
        assert tags.found == [], page
