"""RSS 2.0: an item for each problem."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote

from django.utils.feedgenerator import Rss201rev2Feed

from wagtail_multihost.health.formats.meanings import meaning_of_code, meaning_of_word
from wagtail_multihost.health.formats.quantities import format_quantity
from wagtail_multihost.health.seen import Health

CONTENT_TYPE = "application/rss+xml; charset=utf-8"


class Item(NamedTuple):
    """A problem; ``identity`` is the same in every process for as long as the problem lasts."""

    title: str
    description: str
    identity: str


def write(health: Health) -> tuple[bytes, str]:
    """Return the body and its content type."""
    title = f"Health of {health.service}" if health.service else "Health"
    # Only the request has the server's name, which may be anything: the ids serve as links.
    feed = Rss201rev2Feed(
        title=title, link=make_urn(process_identity(health)), description=meaning_of_word(health.word)
    )
    for item in find_items(health):
        link = make_urn(item.identity)
        feed.add_item(item.title, link, item.description, unique_id=link, unique_id_is_permalink=False)
    return feed.writeString("utf-8").encode(), CONTENT_TYPE


def find_items(health: Health) -> Iterator[Item]:
    if health.word != "pass":
        yield Item(f"{health.word}: this process", meaning_of_word(health.word), process_identity(health))
    for site, status in health.sites.items():
        if status:
            yield Item(f"{status}: {site}", meaning_of_word(str(status)), f"site:{site}:{status}")
    for result in health.results:
        for status, code, value, unit, subject in result.outcomes:
            if status:
                names = [*filter(None, (result.entry.site, result.entry.name, subject))]
                meaning = meaning_of_code(result.entry.probe, code)
                observed = format_quantity(value, unit)
                description = f"{code}: {meaning} {f'Observed: {observed}.' if observed else ''}".strip()
                yield Item(f"{status}: {' '.join(names)}", description, ":".join(["probe", *names, str(status), code]))


def process_identity(health: Health) -> str:
    return ":".join(filter(None, ("process", health.service, health.word)))


def make_urn(identity: str) -> str:
    return f"urn:wagtail-multihost:health:{quote(identity, safe=':')}"
