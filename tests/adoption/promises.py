"""What holds of a project that was moved: modules of tests have these for one project each, as ``adopted``."""

from __future__ import annotations

from tests.adoption.adopted import ADMIN, HOSTS, NEW, OLD, PASSWORD, TITLES, Adopted, links_below

#: What ``check --deploy`` finds in both projects, and why it is so.
EXPECTED = {
    "security.W004": "neither project sets SECURE_HSTS_SECONDS",
    "security.W008": "nginx redirects to https, which Django cannot know",
    "wagtail_multihost.W011": "uploads are local files",
    "wagtail_multihost.W015": "nor does nginx add HSTS",
    "wagtail_multihost.W026": "the servers have ports on this machine",
}


def test_what_would_change_is_said_before_the_move(adopted: Adopted) -> None:
    """The comparison names another database with a short registry, and none with the whole one; never a secret."""
    short, whole = adopted.differences
    assert "DATABASES.default.NAME\n" in short
    assert "DATABASES.default.NAME\n" not in whole
    assert not any(secret in short + whole for secret in (adopted.old_key, adopted.old_password))


def test_each_site_serves_its_own_pages_and_static_files(adopted: Adopted) -> None:
    """Each hostname shows its own site's home page, and the stylesheets that it links to."""
    for site, title in TITLES.items():
        page = adopted.browser(site).get("/")
        assert page.status == 200
        assert title in page.text and TITLES[OLD if site == NEW else NEW] not in page.text
        linked = links_below(page, "/static/")
        assert linked
        assert {adopted.browser(site).get(url).status for url in linked} == {200}


def test_each_site_has_its_own_admin(adopted: Adopted) -> None:
    """Each site's user logs in; what a browser has from one site is nothing at the other."""
    cookies = {}
    for site in HOSTS:
        browser = adopted.browser(site)
        page = browser.log_in(ADMIN, PASSWORD)
        assert page.status == 200 and page.url == f"https://{HOSTS[site]}/admin/"
        cookies[site] = browser.cookies
    assert not set(cookies[OLD]) & set(cookies[NEW])
    stranger = adopted.browser(NEW)
    stranger.cookies = dict(cookies[OLD])
    assert stranger.get("/admin/").status == 302


def test_uploads_of_the_old_site_stay_where_they_were(adopted: Adopted) -> None:
    """A file that was there before the move has its old address, at its own site alone."""
    path = f"/media/original_images/{OLD}.png"
    page = adopted.browser(OLD).get(path)
    assert (page.status, page.body) == (200, (adopted.media / "original_images" / f"{OLD}.png").read_bytes())
    assert adopted.browser(NEW).get(path).status == 404


def test_new_upload_is_served(adopted: Adopted) -> None:
    """A picture that an editor uploads by the admin is served."""
    browser = adopted.browser(NEW)
    browser.log_in(ADMIN, PASSWORD)
    page = browser.open("/admin/images/add/")
    picture = ("new.png", (adopted.media / "original_images" / f"{OLD}.png").read_bytes(), "image/png")
    answer = browser.submit(page, page.form("title", "file"), {"title": "new", "file": picture})
    assert answer.status == 302, answer.text[:2000]
    assert adopted.browser(NEW).get("/media/original_images/new.png").status == 200
    assert adopted.browser(OLD).get("/media/original_images/new.png").status == 404


def test_kept_pages_and_cache_entries_are_the_sites_own(adopted: Adopted) -> None:
    """Every key in Redis, of whichever alias, begins with the prefix of a site, and both sites have some."""
    for site in HOSTS:
        adopted.browser(site).get("/")
    keys = adopted.redis.all_keys()
    assert keys
    assert {key for key in keys if not key.startswith(("aviary.aurora", "aviary.borealis"))} == set()


def test_checks_for_deployment_find_what_is_expected(adopted: Adopted) -> None:
    """What ``check --deploy`` finds is true of this machine and of the projects' settings; with a site, and without."""
    for environ in ({}, {"MULTIHOST_SITE": OLD}):
        found = adopted.deploy_findings(**environ)
        assert found - {"wagtail_multihost.W016"} == EXPECTED.keys()
        # Uploads are in the project's folder, as they were: coderedcms start leaves them out of commits.
        assert ("wagtail_multihost.W016" in found) is (adopted.module == "website.settings.production")


def test_isolation_kit_passes(adopted: Adopted) -> None:
    """The test of the how-to passes, on a project with a page cache, and says what it does."""
    printed = adopted.test_isolation()
    assert "1 passed" in printed
    assert "Isolation: migrating a database, of which both sites get a copy" in printed
