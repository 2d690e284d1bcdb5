"""What type checkers say of a settings module: mypy checks this file, and nothing runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

from wagtail_multihost.registry import Contents, Registry, open_registry
from wagtail_multihost.registry.keys import Key, declared
from wagtail_multihost.resolver import ResolvedSettings, activate, resolve
from wagtail_multihost.running import Running, current, own_site
from wagtail_multihost.spec import PlatformSpec, SiteSpec

resolved = resolve()
assert_type(resolved, ResolvedSettings)
assert_type(resolve("sites.toml", environ={"MULTIHOST_SITE": "aurora"}, command="migrate"), ResolvedSettings)
assert_type(resolve(Path("sites.toml")).is_build_mode, bool)
resolved.apply(globals())

DATABASES = resolved.databases
assert_type(DATABASES, dict[str, dict[str, Any]])
assert_type(resolved.caches, dict[str, dict[str, Any]])
assert_type(resolved.storages, dict[str, dict[str, Any]])
assert_type(resolved.allowed_hosts, list[str])
assert_type(resolved.secret_key, str)
assert_type(resolved.site, SiteSpec | None)
assert_type(resolved.platform, PlatformSpec | None)
assert_type(activate(globals(), environ={"MULTIHOST_SITE": "aurora"}), Running)

registry = open_registry("sites.toml", {})
assert_type(registry, Registry)
assert_type(registry.load(), Contents)
assert_type(registry.site("aurora"), tuple[PlatformSpec, SiteSpec])
assert_type(declared(), tuple[Key, ...])
assert_type(current(), Running | None)
assert_type(own_site(), SiteSpec | None)

resolve(7)  # type: ignore[arg-type]
resolve(site="aurora")  # type: ignore[call-arg]
