"""The settings of one process."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from wagtail_multihost.resolver.caches import cache_settings
from wagtail_multihost.resolver.content import content_settings
from wagtail_multihost.resolver.databases import database_settings
from wagtail_multihost.resolver.folders import prepare_private_folders
from wagtail_multihost.resolver.hosts import host_settings
from wagtail_multihost.resolver.reports import report_settings
from wagtail_multihost.resolver.secret_key import secret_key_settings
from wagtail_multihost.resolver.sessions import session_settings
from wagtail_multihost.resolver.setting import ABSENT, Project, Setting, reveal_secrets
from wagtail_multihost.resolver.storages import storage_settings
from wagtail_multihost.resolver.uploads import upload_settings
from wagtail_multihost.running import Running, set_running
from wagtail_multihost.spec.frozen import Frozen, frozen
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

    from wagtail_multihost.registry import Registry


@frozen
class ResolvedSettings(Frozen):
    """
    What :func:`resolve` returns. ``site`` and ``platform`` are None in build mode; ``ephemeral`` holds
    the folder of a test run's site. ``registry`` is what the settings module said, for its commands; ``opened``
    is the registry that the site was read from. ``command`` and ``serves`` are what the process was started for.
    """

    platform: PlatformSpec | None = None
    site: SiteSpec | None = None
    ephemeral: TemporaryDirectory[str] | None = field(default=None, repr=False)
    registry: Path | str | None = None
    opened: Registry | None = field(default=None, repr=False, compare=False)
    command: str = ""
    serves: bool = True

    def __init__(
        self,
        platform: PlatformSpec | None = None,
        site: SiteSpec | None = None,
        ephemeral: TemporaryDirectory[str] | None = None,
        registry: Path | str | None = None,
        opened: Registry | None = None,
        command: str = "",
        serves: bool = True,
    ) -> None:
        Frozen.__init__(
            self,
            platform=platform,
            site=site,
            ephemeral=ephemeral,
            registry=registry,
            opened=opened,
            command=command,
            serves=serves,
        )

    @property
    def is_build_mode(self) -> bool:
        """Whether this process has no site."""
        return self.site is None

    def apply(self, namespace: MutableMapping[str, object]) -> None:
        """
        Set everything that must differ per site in a settings module: ``resolve().apply(globals())``, as
        its last line. CACHES, STORAGES and the like are overlaid on what ``namespace`` already has.

        Raises ConfigurationError when the project has something that all sites would share.
        """
        set_running(self.overlay(namespace))

    def overlay(self, namespace: MutableMapping[str, object]) -> Running:
        """Do what ``apply`` does to ``namespace``, and return the process's new state without setting it."""
        project = {name: value for name, value in namespace.items() if name.isupper()}
        settings = list(self.settings(project))
        values = {setting.name: reveal_secrets(setting.value) for setting in settings if setting.value is not ABSENT}
        if self.platform is not None and self.site is not None:
            values.update(prepare_private_folders(self.platform, self.site, values))
        namespace.update(values)
        for setting in settings:
            if setting.value is ABSENT:
                namespace.pop(setting.name, None)
        return Running(
            platform=self.platform,
            site=self.site,
            registry=self.registry,
            opened=self.opened,
            project=project,
            # A copy of tables and lists alone: Django changes some in place, and LOGGING may hold open streams.
            values={name: reveal_secrets(value) for name, value in values.items()},
            command=self.command,
            serves=self.serves,
            ephemeral=self.ephemeral is not None,
        )

    def settings(self, project: Project) -> Iterator[Setting]:
        """Yield every setting of this process, overlaid on the settings of the project."""
        if self.platform is None or self.site is None:
            from wagtail_multihost.resolver.inert import build_settings  # loads only where no site is served

            yield from build_settings(project)
            return
        if self.ephemeral:
            from wagtail_multihost.resolver.inert import ephemeral_database  # loads only for test runs

            yield ephemeral_database(project, self.command)
        else:
            yield from database_settings(self.site, project)
        yield from cache_settings(self.site, self.platform.data, project)
        yield from storage_settings(self.site, self.platform.data, project)
        yield from secret_key_settings(self.platform, self.site)
        yield from host_settings(self.platform, self.site, project)
        yield from content_settings(self.site, project)
        if self.site.project_settings:
            from wagtail_multihost.resolver.project_settings import declared_settings  # loads only where there are some

            yield from declared_settings(self.site)
        yield from session_settings(self.platform, self.site, project)
        yield from upload_settings(self.platform, self.site, project)
        if self.site.mail or "EMAIL_FILE_PATH" in project or "MAILERS" in project:
            from wagtail_multihost.resolver.mail import mail_settings  # loads only where it sets something

            yield from mail_settings(self.platform, self.site, project)
        if project.get("SECURE_CSP") or project.get("SECURE_CSP_REPORT_ONLY"):
            from wagtail_multihost.resolver.csp import csp_settings  # loads only where it sets something

            yield from csp_settings(self.site, project)
        if self.site.frontend or "WAGTAILFRONTENDCACHE" in project or "WAGTAILFRONTENDCACHE_LOCATION" in project:
            from wagtail_multihost.resolver.frontend import frontend_settings  # loads only where it sets something

            yield from frontend_settings(self.platform, self.site, project, is_test_run=self.ephemeral is not None)
        yield from report_settings(project)
        if project.get("TASKS") and not self.ephemeral:
            from wagtail_multihost.resolver.tasks import task_settings  # loads only where it sets something

            yield from task_settings(project)
        if project.get("LOGGING"):
            from wagtail_multihost.resolver.logs import log_settings  # loads only where it sets something

            yield from log_settings(self.platform, self.site, project)

    def value(self, name: str, project: Project | None = None) -> object:
        """Return the value of the setting ``name``; raises KeyError when it is not one of the resolved ones."""
        for setting in self.settings(project or {}):
            if setting.name == name and setting.value is not ABSENT:
                return reveal_secrets(setting.value)
        raise KeyError(name)

    @property
    def databases(self) -> dict[str, dict[str, Any]]:
        """DATABASES, for projects that assign single settings."""
        return cast("dict[str, dict[str, Any]]", self.value("DATABASES"))

    @property
    def caches(self) -> dict[str, dict[str, Any]]:
        """CACHES with the alias default."""
        return cast("dict[str, dict[str, Any]]", self.value("CACHES"))

    @property
    def storages(self) -> dict[str, dict[str, Any]]:
        """STORAGES with the aliases default and staticfiles."""
        return cast("dict[str, dict[str, Any]]", self.value("STORAGES"))

    @property
    def allowed_hosts(self) -> list[str]:
        """ALLOWED_HOSTS."""
        return cast("list[str]", self.value("ALLOWED_HOSTS"))

    @property
    def secret_key(self) -> str:
        """SECRET_KEY, in the clear."""
        return cast("str", self.value("SECRET_KEY"))
