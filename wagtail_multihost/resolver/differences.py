"""What would change for a project that runs already, if its process became a site's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from wagtail_multihost.exceptions import ConfigurationError, Problem, SecretUnreadableError
from wagtail_multihost.resolver.comparable import Settings, comparable, is_remote
from wagtail_multihost.resolver.databases import KNOWN
from wagtail_multihost.resolver.effects import OTHER, PARTS, VISITORS_PART, effect_of, key_of
from wagtail_multihost.resolver.explain import find_secrets
from wagtail_multihost.resolver.masking import JsonValue, mask_known_secrets, mask_setting
from wagtail_multihost.resolver.plain import Plain, plain_settings
from wagtail_multihost.resolver.resolved import ResolvedSettings
from wagtail_multihost.resolver.setting import ABSENT, Project, aliases_of
from wagtail_multihost.resolver.storages import STATIC, media_url
from wagtail_multihost.spec.libpq import STATED, ambient_overrides
from wagtail_multihost.spec.overrides import SWITCH_SETTINGS, TEXT_SETTINGS
from wagtail_multihost.spec.secret import MASK, Secret
from wagtail_multihost.spec.site import SiteSpec

Path = tuple[str, ...]

#: Settings that are tables of aliases, and how deep their values are compared.
DEPTHS = {
    "CACHES": 2,
    "DATABASES": 2,
    "MAILERS": 3,
    "STORAGES": 3,
    "TASKS": 2,
    "WAGTAILFRONTENDCACHE": 2,
    "WAGTAILSEARCH_BACKENDS": 2,
}
DOCUMENTS = "wagtail.documents"
DOCUMENTS_SENTENCE = (
    "Links straight to a document's file end: the emitted nginx and uwsgi.http answer 404 there. Wagtail's own links, "
    "/documents/5/report.pdf, go on, and check who may read them."
)
DIRECT_SENTENCE = (
    ' WAGTAILDOCS_SERVE_METHOD is "direct", so today every page links there: remove it, and empty the caches of pages.'
)


class Difference(NamedTuple):
    """
    A ``setting`` (with its place in a table, ``DATABASES.default.NAME``), its value ``now`` and ``then``, masked, and
    the ``meaning`` of that; ``part`` is the heading that it stands under. ``key`` is the key of the registry that keeps
    what is now, blank if there is none, and ``keep`` the line of the registry that does, where it is known.
    """

    setting: str
    now: JsonValue
    then: JsonValue
    meaning: str
    part: str
    key: str = ""
    keep: str = ""


def settings_of_site(resolved: ResolvedSettings, project: Project) -> tuple[dict[str, Plain], list[Problem]]:
    """
    Return the settings that a site's process would have on top of ``project``, and what the resolver refuses in these,
    which is left out then. Raises ConfigurationError for problems that are not the project's.
    """
    problems: list[Problem] = []
    values = dict(project)
    while True:
        try:
            made = {setting.name: setting.value for setting in resolved.settings(values)}
            break
        except ConfigurationError as error:
            refused = {problem.where for problem in error.problems}
            if not refused <= values.keys() or (problems and refused <= {problem.where for problem in problems}):
                raise
            problems.extend(error.problems)
            for name in refused:
                values[name] = without_refused(name, values)
    kept = {name: value for name, value in {**values, **made}.items() if value is not ABSENT}
    return plain_settings(kept), problems


def without_refused(name: str, project: Project) -> Plain:
    """Return the project's setting ``name`` without what the resolver can refuse in it."""
    aliases = aliases_of(project, name)
    if name == "DATABASES":
        default = aliases.get("default", {})
        return {"default": {key: value for key, value in default.items() if key in KNOWN - {"OPTIONS", "CONN_MAX_AGE"}}}
    refused = ("OPTIONS", "KEY_FUNCTION")
    return {
        alias: options if alias == STATIC else {key: value for key, value in options.items() if key not in refused}
        for alias, options in aliases.items()
    }


def find_differences(now: Settings, then: Settings, defaults: Project, site: SiteSpec) -> Iterator[Difference]:
    """Yield what differs between two processes' settings, what matters most first; a secret is never shown."""
    usual = plain_settings(defaults)
    before = comparable({**usual, **now}, now)
    after = comparable({**usual, **then}, then, site)
    secrets = find_secrets(now) | find_secrets(then)
    found = []
    unused = {"MEDIA_ROOT"} if is_remote(now) and site.storage.backend == "s3" else set()
    for name in sorted((before.keys() | after.keys()) - unused):
        for path, old, new in differing_places((name,), before.get(name), after.get(name), DEPTHS.get(name, 0)):
            found.append((effect_of(".".join(path))[0], path, old, new))
    rows = [
        difference_at(path, old, new, site, secrets, present_engine(before))
        for _, path, old, new in sorted(found, key=lambda one: one[:2])
    ]
    order = (*PARTS, OTHER)
    yield from sorted([*document_differences(now), *rows], key=lambda row: order.index(row.part))


def differing_places(path: Path, old: Plain, new: Plain, depth: int) -> Iterator[tuple[Path, Plain, Plain]]:
    """Yield the places at most ``depth`` below ``path`` where two values differ, each with the parts that do."""
    if depth and (isinstance(old, Mapping) or isinstance(new, Mapping)):
        first, second = (value if isinstance(value, Mapping) else {} for value in (old, new))
        for key in dict.fromkeys((*first, *second)):
            yield from differing_places((*path, str(key)), first.get(key), second.get(key), depth - 1)
        return
    if path[0] == "DATABASES" and path[-1] == "OPTIONS":
        new = without_ambient(old, new)
    old, new = differing_parts(old, new)
    if not is_blank(old) or not is_blank(new):
        yield path, old, new


def without_ambient(old: Plain, new: Plain) -> Plain:
    """Return a database's options without those that only say that nothing is taken from the environment."""
    if not isinstance(new, Mapping):
        return new
    stated = old if isinstance(old, Mapping) else {}
    quiet = ambient_overrides(STATED)
    return {key: value for key, value in new.items() if key in stated or quiet.get(key) != value}


def differing_parts(old: Plain, new: Plain) -> tuple[Plain, Plain]:
    """Return two values without the parts that are equal."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        pairs = {key: differing_parts(old.get(key), new.get(key)) for key in {**old, **new}}
        kept = {key: pair for key, pair in pairs.items() if not all(map(is_blank, pair))}
        return {key: pair[0] for key, pair in kept.items() if key in old}, {
            key: pair[1] for key, pair in kept.items() if key in new
        }
    return (None, None) if is_equal(old, new) else (old, new)


def is_blank(value: Plain) -> bool:
    return value is None or value == "" or value == {}


def is_equal(old: Plain, new: Plain) -> bool:
    """Return whether two values are the same. A secret that cannot be read equals nothing."""
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(is_equal, old, new))
    try:
        old, new = (value.reveal() if isinstance(value, Secret) else value for value in (old, new))
    except (SecretUnreadableError, ConfigurationError):  # the latter: it is derived, and so no key of the project's
        return False
    return (is_blank(old) and is_blank(new)) or old == new


def unread_file(value: Plain) -> str:
    """Return why a secret cannot be compared; blank if it can."""
    try:
        if isinstance(value, Secret):
            value.reveal()
    except SecretUnreadableError as error:
        return str(error)
    except ConfigurationError:
        return ""
    return ""


def difference_at(
    path: Path, old: Plain, new: Plain, site: SiteSpec, secrets: frozenset[str], engine: str
) -> Difference:
    """Return a difference for readers, with all secrets masked."""
    name = ".".join(path)
    _, part, effect = effect_of(name)
    key = key_of(name, effect, engine)
    meaning = effect.meaning
    if reason := unread_file(new):
        meaning = f"It cannot be compared. {reason} If it differs: {meaning}"
    # What a site has as a secret is one today, whatever its name is.
    shown_now = MASK if isinstance(new, Secret) and not is_blank(old) else masked(path, old, secrets)
    states = name in TEXT_SETTINGS or name in SWITCH_SETTINGS or key == "database.path" or effect.states
    line = ""
    if key and states and shown_now == old and isinstance(old, str | int) and old != "":
        line = f"sites.{site.id}.{key} = {json.dumps(old, ensure_ascii=False)}"
    return Difference(
        name, shown_now, masked(path, new, secrets), meaning, part, f"sites.{site.id}.{key}" if key else "", line
    )


def masked(path: Path, value: Plain, secrets: frozenset[str]) -> JsonValue:
    """Return what may be shown of the value at ``path``, masked as the whole setting would be."""
    for name in reversed(path[1:]):
        value = {name: value}
    shown: object = mask_known_secrets(mask_setting(path[0], value), secrets)
    for name in path[1:]:
        if not isinstance(shown, Mapping) or name not in shown:
            return MASK
        shown = shown[name]
    return shown


def present_engine(settings: Settings) -> str:
    return str(aliases_of(settings, "DATABASES").get("default", {}).get("ENGINE", ""))


def document_differences(now: Settings) -> Iterator[Difference]:
    """Yield what becomes of the addresses of documents' files below MEDIA_URL, where the project has any."""
    apps = now.get("INSTALLED_APPS")
    url = media_url(now)
    if is_remote(now) or not isinstance(apps, list) or not url.startswith("/"):
        return
    if any(str(app).startswith(DOCUMENTS) for app in apps):
        is_direct = now.get("WAGTAILDOCS_SERVE_METHOD") == "direct"
        yield Difference(
            f"{url}documents/…",
            "the file",
            "404",
            DOCUMENTS_SENTENCE + (DIRECT_SENTENCE if is_direct else ""),
            VISITORS_PART,
        )
