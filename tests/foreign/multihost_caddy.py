"""Caddy in front of sites whose runner speaks HTTP: a target of another package, with options of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import ClassVar

from wagtail_multihost.emitters import OWNERSHIP_LINE, EmittedFile, Emitter, Plan, Stage, Validation
from wagtail_multihost.exceptions import RenderError
from wagtail_multihost.spec import SiteSpec
from wagtail_multihost.spec.kinds import choice, integer
from wagtail_multihost.spec.options import OPTIONAL_PATH, Options, option

FOLDER = PurePosixPath("caddy")
SITES = FOLDER / "sites"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaddyOptions(Options):
    """The options of Caddy, in ``[platform.caddy]`` and, where ``per_site``, ``[sites.ID.caddy]``."""

    target: ClassVar[str] = "caddy"

    port: int = option(443, integer(1, 65535), "Where Caddy listens.", who="node")
    errors: Path | None = option(None, OPTIONAL_PATH, "A folder of error pages.")
    encode: str = option("gzip", choice("gzip", "zstd"), "How answers are compressed.", per_site=True)
    margin: int = option(
        5, integer(1, 60), "How many seconds Caddy waits longer than a request may take.", per_site=True
    )


def emit(plan: Plan) -> Iterator[EmittedFile]:
    """Yield the main file, and one for each chosen site."""
    if plan.runner.protocol != "http":
        raise RenderError(f"platform.runner: Caddy speaks HTTP, and {plan.runner.name} does not.")
    options = plan.options(CaddyOptions)
    lines = [OWNERSHIP_LINE, "{", f"    https_port {options.port}", "}"]
    if options.errors:
        lines += ["(errors) {", f"    root * {caddy_quote(str(options.errors))}", "}"]
    yield EmittedFile(FOLDER / "Caddyfile", "\n".join([*lines, "import sites/*", ""]))
    for site in plan.chosen:
        yield EmittedFile(SITES / site.id, site_block(plan, site), site=site.id)


def site_block(plan: Plan, site: SiteSpec) -> str:
    options = plan.options(CaddyOptions, site)
    socket = f"unix/{plan.platform.sockets}/{site.names.socket}"
    return "\n".join(
        [
            OWNERSHIP_LINE,
            f"{', '.join(caddy_quote(host) for host in site.hosts)} {{",
            f"    encode {options.encode}",
            f"    reverse_proxy {caddy_quote(socket)} {{",
            f"        transport http {{ read_timeout {plan.request_seconds(site) + options.margin}s }}",
            "    }",
            "}",
            "",
        ]
    )


def caddy_quote(value: str) -> str:
    """Return ``value`` as one token of a Caddyfile; raises RenderError for what has no spelling in it."""
    if not value.isprintable() or set('"\\{}') & set(value):
        raise RenderError("A Caddyfile has no spelling for a quote, a backslash, a brace or a control character.")
    return f'"{value}"'


def validate(stage: Stage) -> Iterator[Validation]:
    """Yield the command that has Caddy read a scratch copy."""
    path = str(stage.folder / FOLDER / "Caddyfile")
    yield Validation(("caddy", "validate", "--adapter", "caddyfile", "--config", path), path)


def cautions(plan: Plan) -> Iterator[str]:
    """Yield a sentence for what is seldom meant."""
    if plan.options(CaddyOptions).port < 1024 and plan.platform.environment != "production":
        yield "platform.caddy.port: Only root can listen there."


EMITTER = Emitter(
    name="caddy",
    summary="Caddy, which gets certificates by itself",
    folders=(str(FOLDER), str(SITES)),
    emit=emit,
    validate=validate,
    options=CaddyOptions,
    cautions=cautions,
    paths_of=lambda site: (SITES / site,),
)
