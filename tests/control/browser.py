"""The control site as people see it: a live server under its own name, and a real browser that is signed in to it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client

from tests.servers.chromium import Chromium

#: Chromium resolves every name below "localhost" to the loopback interface.
HOST = "control.localhost"
PHONE, DESKTOP = (390, 844), (1280, 900)
SCREENS = {"phone": PHONE, "desktop": DESKTOP}
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SECONDS = 60
#: The number of a key, and the text that it enters.
KEYS = {"Tab": (9, ""), "Enter": (13, "\r"), "Escape": (27, ""), " ": (32, " "), "ArrowDown": (40, ""), "End": (35, "")}
SHIFT = 8


@dataclass(frozen=True)
class ControlSite:
    """The ``origin`` of the control site, and the ``tab`` that shows it."""

    origin: str
    tab: Chromium

    def sign_in(self, user: Any) -> None:
        """Let the browser be signed in as ``user``, and as nobody else."""
        client = Client()
        client.force_login(user)
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        self.tab.send("Network.clearBrowserCookies")
        self.tab.send("Network.setCookie", name=settings.SESSION_COOKIE_NAME, value=session, url=self.origin)

    def show(self, path: str, screen: tuple[int, int] = DESKTOP) -> str:
        """Show the page at ``path``, and where it leads to, on a screen of that size; return what people read."""
        width, height = screen
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        self.tab.send("Emulation.setDeviceMetricsOverride", **size)
        self.mark()
        found = self.tab.send("Page.navigate", url=f"{self.origin}{path}")
        assert "errorText" not in found, found
        self.wait_for_next_page()
        return self.text

    def mark(self) -> None:
        """Mark the page that is shown, so that the next one can be told from it."""
        self.tab.evaluate("window.isLeft = true; 1")

    def wait_for_next_page(self) -> None:
        """Wait until another page than the marked one is shown whole."""
        self.wait_for("!window.isLeft && document.readyState === 'complete' && location.href !== 'about:blank'")

    def follow(self, expression: str) -> str:
        """Do what leads to another page, in the language of the browser; return what people read there."""
        self.mark()
        self.tab.evaluate(f"{expression}; 1")
        self.wait_for_next_page()
        return self.text

    def wait_for(self, expression: str) -> Any:
        """Wait until the expression is true; return it."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            try:
                found = self.tab.evaluate(expression)
            except AssertionError:  # between two pages there is nothing that could evaluate it
                found = None
            if found:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{expression} was never true. {self.path}: {self.text[:2000]}")

    @property
    def text(self) -> str:
        return str(self.tab.evaluate("document.body.innerText"))

    @property
    def path(self) -> str:
        """The path and the query of the page that is shown."""
        parts = urlsplit(str(self.tab.evaluate("location.href")))
        return f"{parts.path}?{parts.query}" if parts.query else parts.path

    def press(self, key: str, *, times: int = 1, shift: bool = False) -> None:
        """Press a key of the keyboard."""
        code, text = KEYS[key]
        common = {"key": key, "windowsVirtualKeyCode": code, "modifiers": SHIFT if shift else 0}
        for _ in range(times):
            self.tab.send("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
            self.tab.send("Input.dispatchKeyEvent", type="keyUp", **common)

    def type(self, text: str) -> None:
        """Enter ``text`` where the focus is."""
        self.tab.send("Input.insertText", text=text)

    def tab_to(self, selector: str, *, limit: int = 200) -> None:
        """Move the focus by the Tab key alone until it is on the element, which must then be seen to have it."""
        wanted = f"document.activeElement.matches({json.dumps(selector)})"
        for _ in range(limit):
            self.press("Tab")
            if self.tab.evaluate(wanted):
                assert self.tab.evaluate(HAS_VISIBLE_FOCUS), f"Nobody sees that {selector} has the focus."
                return
        raise AssertionError(f"The Tab key never reaches {selector} on {self.path}.")

    def fits(self) -> bool:
        """Return whether nothing has to be scrolled sideways."""
        return bool(self.tab.evaluate(FITS))

    def violations(self, part: str = "main") -> list[str]:
        """Return what axe has to say against a ``part`` of the page; the rest of it is Wagtail's."""
        axe = files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
        self.tab.evaluate(f"{axe}; 1")
        call = f"axe.run({json.dumps(part)}, {json.dumps({'runOnly': AXE_TAGS})})"
        found = self.tab.evaluate(f"{call}.then(({{violations, passes}}) => ({{violations, passes}}))")
        assert "color-contrast" in {rule["id"] for rule in found["passes"]}
        return [f"{rule['id']}: {[node['html'] for node in rule['nodes']]}" for rule in found["violations"]]


FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
HAS_VISIBLE_FOCUS = """
(() => {
  const box = document.activeElement.getBoundingClientRect();
  return document.activeElement.matches(':focus-visible') && box.width > 0 && box.height > 0;
})()
"""
