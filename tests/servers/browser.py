"""An HTTP client that keeps cookies, fills in forms and logs in through one, as a person's browser does."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin, urlsplit

from urllib3.filepost import encode_multipart_formdata

SECONDS = 60
REDIRECTS = frozenset({301, 302, 303, 307, 308})
Upload = tuple[str, bytes, str]


@dataclass
class Form:
    """A form: where it is sent, and the values that its fields have already."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    """An answer and the URL it came from."""

    url: str
    status: int
    headers: Message
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")

    @property
    def location(self) -> str:
        """Where a redirect leads, blank for other answers."""
        location = self.headers.get("Location", "")
        return urljoin(self.url, location) if location else ""

    def form(self, *names: str) -> Form:
        """Return the first form that has all the fields ``names``."""
        reader = PageReader()
        reader.feed(self.text)
        found = [form for form in reader.forms if form.fields.keys() >= set(names)]
        assert found, f"{self.url} ({self.status}) has no form with the fields {', '.join(names)}."
        return found[0]

    def links(self, tag: str = "a", attribute: str = "href") -> list[str]:
        """Return where the page's links, or other tags, lead."""
        reader = PageReader()
        reader.feed(self.text)
        return [urljoin(self.url, target) for name, key, target in reader.targets if (name, key) == (tag, attribute)]


class PageReader(HTMLParser):
    """Collects the forms and the links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.targets: list[tuple[str, str, str]] = []
        self.select = self.textarea = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {key: value or "" for key, value in attributes}
        self.targets += [(tag, key, values[key]) for key in ("href", "src") if key in values]
        if tag == "form":
            self.forms.append(Form(values.get("action", "")))
            return
        if not self.forms:
            return
        fields, name = self.forms[-1].fields, values.get("name", "")
        if tag == "input" and name and is_sent(values):
            fields[name] = values.get("value", "on" if values.get("type") == "checkbox" else "")
        elif tag == "textarea" and name:
            self.textarea, fields[name] = name, ""
        elif tag == "select" and name:
            self.select, fields[name] = name, ""
        elif tag == "option" and self.select and "selected" in values:
            fields[self.select] = values.get("value", "")

    def handle_data(self, data: str) -> None:
        if self.textarea:
            self.forms[-1].fields[self.textarea] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.textarea = ""
        elif tag == "select":
            self.select = ""


def is_sent(values: Mapping[str, str]) -> bool:
    if values.get("type") in ("checkbox", "radio"):
        return "checked" in values
    return values.get("type") not in ("submit", "button", "image", "reset")


class Browser:
    """
    Visits one ``origin``, connecting to the loopback ``port`` whatever the origin's host resolves to. With
    ``authority`` (a PEM file) the server's certificate is checked against it and against the host.
    """

    def __init__(self, origin: str, port: int, authority: str | None = None) -> None:
        self.origin = origin
        self.port = port
        self.cookies: dict[str, str] = {}
        self.tls = ssl.create_default_context(cafile=authority) if origin.startswith("https:") else None

    def get(self, url: str, **headers: str) -> Page:
        return self.request("GET", url, headers=headers)

    def open(self, url: str) -> Page:
        """Return the page at ``url`` after the redirects of this origin; one that leads away is not followed."""
        page = self.get(url)
        while page.status in REDIRECTS and page.location.startswith(f"{self.origin}/"):
            page = self.get(page.location)
        return page

    def submit(self, page: Page, form: Form, values: Mapping[str, str | Upload]) -> Page:
        """Send a form of ``page`` with ``values`` filled in; redirects are not followed."""
        filled = {**form.fields, **values}
        if any(isinstance(value, tuple) for value in filled.values()):
            body, content_type = encode_multipart_formdata(list(filled.items()))
        else:
            body, content_type = urlencode(filled).encode(), "application/x-www-form-urlencoded"
        headers = {"Content-Type": content_type, "Origin": self.origin, "Referer": page.url}
        return self.request("POST", urljoin(page.url, form.action), body, headers)

    def log_in(self, username: str, password: str) -> Page:
        """Log in to Wagtail's admin through its form; return the first page after it."""
        page = self.open("/admin/login/")
        answer = self.submit(page, page.form("username", "password"), {"username": username, "password": password})
        assert answer.status in REDIRECTS, f"The login of {self.origin} was refused ({answer.status})."
        return self.open(answer.location)

    def request(self, method: str, url: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Page:
        full = urljoin(f"{self.origin}/", url)
        parts = urlsplit(full)
        assert f"{parts.scheme}://{parts.netloc}" == self.origin, f"{full} is not on {self.origin}."
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        sent = {"Host": parts.netloc, **self.cookie_header(), **(headers or {})}
        connection = http.client.HTTPConnection(str(parts.hostname), self.port)
        connection.sock = self.connect(str(parts.hostname))
        try:
            connection.request(method, target, body or None, sent)
            answer = connection.getresponse()
            page = Page(full, answer.status, answer.headers, answer.read())
        finally:
            connection.close()
        self.keep_cookies(page)
        return page

    def connect(self, host: str) -> socket.socket:
        plain = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        if self.tls is None:
            return plain
        try:
            return self.tls.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    def cookie_header(self) -> dict[str, str]:
        pairs = [f"{name}={value}" for name, value in self.cookies.items()]
        return {"Cookie": "; ".join(pairs)} if pairs else {}

    def keep_cookies(self, page: Page) -> None:
        for header in page.headers.get_all("Set-Cookie", []):
            for name, morsel in SimpleCookie(header).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
