"""A site's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wagtail_multihost.registry.fields import URL_PARSERS, Fields, fields_of, overlay_fields, refuse_url
from wagtail_multihost.registry.platform_record import NAMES, Defaults, target_tables
from wagtail_multihost.registry.reading import own_keys, read_spec, read_values, spec_class
from wagtail_multihost.registry.record import KEY_PATH, PLATFORM, Record
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.cookies import COOKIE_KEYS, needs_https
from wagtail_multihost.spec.database import DatabaseSpec
from wagtail_multihost.spec.declared import Part, parts, selector
from wagtail_multihost.spec.identifiers import parse_site_id, shown
from wagtail_multihost.spec.names import Names, derive_names
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.proofs import NO_PROBE_KEY, is_probe_key
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SECRET_KEY_LENGTH, SiteSpec
from wagtail_multihost.spec.storage import StorageSpec

if TYPE_CHECKING:
    from wagtail_multihost.spec.options import Overrides
    from wagtail_multihost.spec.overrides import SettingValue
    from wagtail_multihost.spec.project_settings import Values
    from wagtail_multihost.spec.tls import TlsSpec
    from wagtail_multihost.spec.variables import Environ

MAIL = "mail"
DERIVED = "derived from the platform's name and the site id"
NAME_KEYS = tuple(field.name for field in fields(Names))
NOWHERE = Path("/dev/null")
#: What stands in for a part that could not be built and is reported, so that the rest of the record is checked too.
STAND_INS = {
    "database": DatabaseSpec(engine="sqlite", path=NOWHERE),
    "cache": CacheSpec(backend="locmem"),
    "storage": StorageSpec(backend="files", path=NOWHERE),
}
STAND_IN_HOSTNAMES = ("stand-in.invalid",)


class SiteReader:
    """Reads one site's record on top of the platform's defaults."""

    def __init__(self, record: Record, platform: PlatformSpec, defaults: Defaults, requires_pin: bool = True) -> None:
        self.record = record
        self.platform = platform
        self.defaults = defaults
        self.requires_pin = requires_pin
        self.sources: dict[str, str] = {}

    def read(self) -> SiteSpec | None:
        """Return the site, None when its record has problems (all of them reported)."""
        record, before = self.record, len(self.record.problems)
        try:
            parse_site_id(record.site)
        except ValueError as error:
            record.report(str(error), record.path)
            return None
        self.sources = {
            "names": DERIVED,
            "uid": DERIVED,
            **{key: record.source.label((*record.path, key)) for key in record.entries},
            "id": record.source.label(record.path),
        }
        names, pinned = self.names()
        built = self.build(names, pinned=pinned and "uid" in record.written)
        record.close()
        self.check_pin(pinned=pinned and "uid" in record.written)
        return built if len(record.problems) == before else None

    def build(self, names: Names, *, pinned: bool) -> SiteSpec | None:
        record = self.record
        values = read_values(record, SiteSpec)
        values["hostnames"] = self.required_hosts(values["hostnames"])
        values["uid"] = values["uid"] or self.platform.uid_of(record.site)
        self.check_secret_key(values["secret_key"])
        self.check_probe_key(values["probe_key"])
        values["settings"] = self.settings()
        values["project_settings"], values["env"] = self.project_settings(), self.env()
        values["code"] = self.code(values["codebase"])
        built = {name: self.part(name, part, names) for name, part in parts(SiteSpec) if name != NAMES}
        values["options"] = self.options()
        self.check_nodes(values["nodes"], built)
        self.check_cookies(values, built["tls"])
        stood_in = {name: stand_in for name, stand_in in STAND_INS.items() if built[name] is None}
        return record.build(
            lambda: SiteSpec(
                **{**values, **built, **stood_in}, id=record.site, names=names, pinned=pinned, sources=self.sources
            )
        )

    def check_pin(self, *, pinned: bool) -> None:
        if self.requires_pin and self.platform.environment == "production" and not pinned:
            self.record.report(
                "The platform's environment is production, but the site's uid and names are not pinned. "
                f"{self.record.source.pins_with}",
                self.record.path,
            )

    def names(self) -> tuple[Names, bool]:
        """Return the site's names, pinned ones first, and whether all of them are pinned."""
        table = self.record.take_table(NAMES)
        if table is None:
            return derive_names(self.platform.name, self.record.site), False
        pins = {key: table.take_text(key) for key in NAME_KEYS if key in table.entries}
        table.known.extend(NAME_KEYS)
        table.close()
        names = table.build(lambda: self.pinned_names({key: pin for key, pin in pins.items() if pin}))
        return names or derive_names(self.platform.name, self.record.site), len(pins) == len(NAME_KEYS)

    def pinned_names(self, pins: dict[str, str]) -> Names:
        """Return the names with ``pins`` on top of the derived ones, which are made where one is missing."""
        if len(pins) == len(NAME_KEYS):
            return Names(**pins)
        return replace(derive_names(self.platform.name, self.record.site), **pins)

    def check_secret_key(self, key: Secret | None) -> None:
        """Report a site's own key that is too short, where secrets are read."""
        path = self.path_of_secret("secret_key")
        if key is not None and self.may_read(path) and len(key.reveal()) < SECRET_KEY_LENGTH:
            self.record.report(f"The key is too short: at least {SECRET_KEY_LENGTH} characters.", path)

    def check_probe_key(self, key: Secret | None) -> None:
        """Report a probe key of another form, where secrets are read."""
        path = self.path_of_secret("probe_key")
        if key is not None and self.may_read(path) and not is_probe_key(key.reveal()):
            self.record.report(NO_PROBE_KEY, path)

    def path_of_secret(self, key: str) -> KEY_PATH:
        return (*self.record.path, key if key in self.record.written else f"{key}_file")

    def may_read(self, path: KEY_PATH) -> bool:
        """Return whether a secret may be read, of which nothing is reported yet."""
        label = self.record.source.label(path)
        return self.record.source.reads_secrets and all(problem.where != label for problem in self.record.problems)

    def required_hosts(self, hostnames: tuple[str, ...]) -> tuple[str, ...]:
        """Return the hostnames, or a stand-in if none is left and a problem with them is already reported."""
        entry = self.record.written.get("hostnames")
        if entry is None:
            path = (*self.record.path, "hostnames")
            self.record.report("It is missing: a site needs at least one hostname.", path)
        return hostnames or (() if entry is not None and entry.value == [] else STAND_IN_HOSTNAMES)

    def part(self, name: str, part: Part, names: Names) -> Any:
        """Return the part ``name``, the site's fields over the platform's; None if there is none or it is wrong."""
        record, spec = self.record, part.spec
        entry = record.take(name)
        base = self.defaults.fields.get(name, {})
        own = fields_of(entry, URL_PARSERS.get(name, refuse_url), record)
        if entry is None:
            first = next(iter(base.values()), None)
            self.sources[name] = record.source.label(first.path[:2]) if first else f"default: {part.default}"
        if part.optional and not base and not own:
            return None
        merged: Fields = overlay_fields(base, entry, own, selector(spec_class(spec)))
        account = merged.get("username")
        # A snapshot has every key as the site's own, and does not say which were the platform's.
        if name == MAIL and account and account.path[0] != PLATFORM and record.source.follows_references:
            self.sources["mail.username"] = record.source.label(account.path)
        path = entry.path if entry else (PLATFORM, name) if base else (*record.path, name)
        derived = {"names": names, "data": self.platform.data, "site": record.site}
        inner = Record(merged, path, record.source, record.problems, record.site)
        inner.find_own_keys = lambda: own_keys(spec_class(spec))
        return read_spec(inner, spec_class(spec), derived)

    def code(self, codebase: str) -> Overrides:
        """Return what the site runs instead of the platform's code: its own, over what its ``codebase`` lists."""
        listed = self.listed_code(codebase) if codebase else ()
        if listed:
            self.sources.setdefault("code", self.record.source.label((PLATFORM, "codebases", codebase)))
        return tuple({**dict(listed), **dict(self.own_code())}.items())

    def listed_code(self, codebase: str) -> Overrides:
        """Return the code that the platform lists under a name; a name that it does not list is reported."""
        known = self.defaults.codebases
        if codebase not in known:
            accepted = f"accepted: {', '.join(known)}" if known else "the platform lists none"
            message = f"The codebase {shown(codebase)} is not known; {accepted}."
            self.record.report(message, (*self.record.path, "codebase"))
        return known.get(codebase) or ()

    def own_code(self) -> Overrides:
        """Return what the site's own table of code states."""
        table = self.record.take_table("code")
        if table is None:
            return ()
        from wagtail_multihost.registry.options import read_site_options  # loads only for a site that has options
        from wagtail_multihost.spec.code import CodeOptions

        return read_site_options(table, CodeOptions())

    def options(self) -> tuple[tuple[str, Overrides], ...]:
        """Return the options of targets that the site states."""
        found = []
        for kind, table in target_tables(self.record):
            from wagtail_multihost.registry.options import read_site_options

            if stated := read_site_options(table, self.platform.options_of(kind) or kind()):
                found.append((kind.target, stated))
        return tuple(found)

    def check_cookies(self, values: Mapping[str, Any], tls: TlsSpec | None) -> None:
        """Report each cookie whose name browsers accept over https alone, of a site that is on http."""
        host = values["hostnames"][0] if values["hostnames"] else ""
        if self.platform.origin_of(host, has_tls=tls is not None and tls.is_on(host)).startswith("https:"):
            return
        for key in COOKIE_KEYS:
            if needs_https(values[key]):
                self.record.report(
                    f"The cookie name {shown(values[key])} is not accepted: browsers keep it over https alone, and the "
                    "site is on http.",
                    (*self.record.path, key),
                )

    def check_nodes(self, nodes: tuple[str, ...], built: Mapping[str, Any]) -> None:
        known = tuple(name for name, _ in self.platform.nodes)
        if nodes or known:
            from wagtail_multihost.registry.nodes import (  # loads only where nodes are
                report_local_parts,
                report_unknown_nodes,
            )

            report_unknown_nodes(self.record, known, nodes)
            report_local_parts(self.record, nodes or known, built["database"], built["cache"], built["storage"])

    def project_settings(self) -> Values:
        """Return the site's values of the settings that the platform declares for the project."""
        if not self.has_declared("project_settings"):
            return ()
        from wagtail_multihost.registry.declarations import read_site_settings  # loads only where some are declared

        found = tuple(read_site_settings(self.record, self.defaults.project_settings))
        self.sources.update({f"project_settings.{name}": source for name, _, source in found})
        return tuple((name, value) for name, value, _ in found)

    def env(self) -> Environ:
        """Return the site's values of the variables that the platform declares."""
        if not self.has_declared("env"):
            return ()
        from wagtail_multihost.registry.declarations import read_site_variables  # loads only where some are declared

        found = tuple(read_site_variables(self.record, self.defaults.env))
        self.sources.update({f"env.{name}": source for name, _, source in found})
        return tuple((name, value) for name, value, _ in found)

    def has_declared(self, key: str) -> bool:
        """Return whether the platform declares anything in a table, or the site states something of it."""
        self.record.known.append(key)  # for the hint at a misspelt key
        return bool(getattr(self.defaults, key)) or key in self.record.entries

    def settings(self) -> tuple[tuple[str, SettingValue], ...]:
        record = self.record
        own = record.take_table("settings")
        entries = {**self.defaults.settings, **(own.entries if own else {})}
        values: list[tuple[str, SettingValue]] = []
        for name, entry in entries.items():
            try:
                values.append((name, self.setting_value(name, entry.value)))
                self.sources[f"settings.{name}"] = record.source.label(entry.path)
            except ValueError as error:
                record.report(str(error), entry.path)
        return tuple(values)

    def setting_value(self, name: str, value: object) -> SettingValue:
        """Return the value of a setting, which is text or a switch; raises ValueError for another type."""
        from wagtail_multihost.spec.overrides import SWITCH_SETTINGS, refuse_type  # loads only for a site that has some

        if name in SWITCH_SETTINGS:
            return self.record.source.boolean(value)  # a variable has it as text
        if isinstance(value, str | bool):
            return value
        raise ValueError(refuse_type(name, value))
