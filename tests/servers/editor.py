"""What an editor does in Wagtail's admin: upload pictures and documents, publish pages."""

from __future__ import annotations

import io
import json
import re
import secrets
from dataclasses import dataclass

from PIL import Image

from tests.servers.browser import REDIRECTS, Browser, Page, Upload

PARENT = re.compile(r"/admin/pages/(\d+)/add_subpage/")


def unique(word: str) -> str:
    """Return a word that nothing else has."""
    return f"{word}{secrets.token_hex(6)}"


def picture() -> bytes:
    """Return a small PNG."""
    file = io.BytesIO()
    Image.new("RGB", (40, 30), color=tuple(secrets.token_bytes(3))).save(file, "PNG")
    return file.getvalue()


@dataclass(frozen=True)
class Editor:
    """A ``browser`` that is logged in to the admin of a site."""

    browser: Browser

    def upload_image(self, title: str) -> list[str]:
        """Upload a picture; return the URLs of the pictures on the page where it is edited."""
        self.upload("/admin/images/add/", title, (f"{title}.png", picture(), "image/png"))
        edited = self.edit_page("/admin/images/", title, r"/admin/images/\d+/")
        return [url for url in edited.links("img", "src") if title in url]

    def upload_document(self, title: str, content: bytes) -> str:
        """Upload a document; return its URL on the site."""
        self.upload("/admin/documents/add/", title, (f"{title}.txt", content, "text/plain"))
        edited = self.edit_page("/admin/documents/", title, r"/admin/documents/edit/\d+/")
        return next(url for url in edited.links() if f"{self.browser.origin}/documents/" in url)

    def upload(self, url: str, title: str, file: Upload) -> None:
        page = self.browser.open(url)
        answer = self.browser.submit(page, page.form("title", "file"), {"title": title, "file": file})
        assert answer.status in REDIRECTS, f"The upload was refused ({answer.status}): {answer.text[:3000]}"

    def edit_page(self, listing: str, title: str, pattern: str) -> Page:
        """Return the page that edits what a listing has found under ``title``."""
        found = self.browser.open(f"{listing}?q={title}")
        links = [link for link in found.links() if re.fullmatch(self.browser.origin + pattern, link)]
        assert links, f"{found.url} does not list {title}."
        return self.browser.open(links[0])

    def publish_article(self, title: str, text: str) -> str:
        """Publish an article below the home page; return its path."""
        parent = PARENT.search(self.browser.open("/").text)
        assert parent, "The home page has no user bar."
        page = self.browser.open(f"/admin/pages/add/home/articlepage/{parent[1]}/")
        values = {"title": title, "slug": title, "body": rich_text(text), "action-publish": "action-publish"}
        answer = self.browser.submit(page, page.form("title", "slug", "body"), values)
        assert answer.status in REDIRECTS, f"The article was refused ({answer.status}): {answer.text[:3000]}"
        return f"/{title}/"


def rich_text(text: str) -> str:
    """Return one paragraph as Wagtail's editor sends it (https://draftjs.org/docs/api-reference-data-conversion)."""
    block = {"key": "abcde", "type": "unstyled", "depth": 0, "text": text, "inlineStyleRanges": [], "entityRanges": []}
    return json.dumps({"blocks": [block], "entityMap": {}})
