"""MAILERS, or the EMAIL_ settings that they replace."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wagtail_multihost.resolver.content import MAIL_SECONDS, MAILERS_SINCE
from wagtail_multihost.resolver.django_version import django_version
from wagtail_multihost.resolver.setting import ABSENT, Project, Setting, aliases_of
from wagtail_multihost.spec.mail import MailSpec
from wagtail_multihost.spec.platform import PlatformSpec
from wagtail_multihost.spec.site import SiteSpec

MAILER_DEFAULT = "default"
BACKENDS = {
    "smtp": "django.core.mail.backends.smtp.EmailBackend",
    "console": "django.core.mail.backends.console.EmailBackend",
}
FILES = "django.core.mail.backends.filebased.EmailBackend"
# Django refuses these beside MAILERS (django.conf.DEPRECATED_EMAIL_SETTINGS).
REPLACED = (
    "EMAIL_BACKEND",
    "EMAIL_FILE_PATH",
    "EMAIL_HOST",
    "EMAIL_HOST_PASSWORD",
    "EMAIL_HOST_USER",
    "EMAIL_PORT",
    "EMAIL_SSL_CERTFILE",
    "EMAIL_SSL_KEYFILE",
    "EMAIL_TIMEOUT",
    "EMAIL_USE_SSL",
    "EMAIL_USE_TLS",
)
OWN = "the site's own mail server"
OWN_FOLDER = "a folder of the site, where the project writes mail to files"


def mail_settings(platform: PlatformSpec, site: SiteSpec, project: Project) -> Iterator[Setting]:
    """Yield the settings of the site's mail server; without one the project's stay, and mail files get a folder."""
    if site.mail is None:
        yield from mail_file_settings(platform, site, project)
        return
    source = site.sources.get("mail", "")
    if django_version() >= MAILERS_SINCE:
        stated = aliases_of(project, "MAILERS")
        aliases = {
            alias: mailer_options(site.mail, mail_seconds(stated.get(alias, {}), project))
            for alias in (MAILER_DEFAULT, *stated)
        }
        yield Setting("MAILERS", aliases, f"every alias is {OWN}", source)
        for name in REPLACED:
            if name in project:
                yield Setting(name, ABSENT, "removed: MAILERS takes its place", source)
        return
    for name, value in legacy_email_settings(site.mail, mail_seconds({}, project)).items():
        yield Setting(name, value, OWN, source)


def mail_seconds(mailer: Mapping[str, object], project: Project) -> object:
    """Return how long a mail server may take by what the project says, or by default."""
    options = mailer.get("OPTIONS")
    own = options.get("timeout") if isinstance(options, Mapping) else None
    return own or project.get("EMAIL_TIMEOUT") or MAIL_SECONDS


def mailer_options(mail: MailSpec, seconds: object) -> dict[str, object]:
    """Return the alias of MAILERS for a mail server, which may take ``seconds`` if the site does not say."""
    if mail.backend == "console":
        return {"BACKEND": BACKENDS["console"]}
    options: dict[str, object] = {
        "host": mail.host,
        "port": mail.port,
        "use_tls": mail.security == "starttls",
        "use_ssl": mail.security == "tls",
        "timeout": mail.timeout or seconds,
    }
    if mail.username:
        options.update(username=mail.username, password=mail.password)
    return {"BACKEND": BACKENDS["smtp"], "OPTIONS": options}


def legacy_email_settings(mail: MailSpec, seconds: object) -> dict[str, object]:
    """Return the EMAIL_ settings for a mail server. All of them, so that none of the project's stays."""
    return {
        "EMAIL_BACKEND": BACKENDS[mail.backend],
        "EMAIL_HOST": mail.host or "localhost",
        "EMAIL_PORT": mail.port,
        "EMAIL_HOST_USER": mail.username,
        "EMAIL_HOST_PASSWORD": mail.password or "",
        "EMAIL_USE_TLS": mail.security == "starttls",
        "EMAIL_USE_SSL": mail.security == "tls",
        "EMAIL_TIMEOUT": mail.timeout or seconds,
        "EMAIL_SSL_CERTFILE": None,
        "EMAIL_SSL_KEYFILE": None,
    }


def mail_file_settings(platform: PlatformSpec, site: SiteSpec, project: Project) -> Iterator[Setting]:
    """
    Yield the project's mail settings with the site's folder, where it writes mail to files, and with a timeout for
    each server that has none.
    """
    folder = str(platform.local_path(site.id, "mail"))
    if project.get("EMAIL_FILE_PATH"):
        yield Setting("EMAIL_FILE_PATH", folder, OWN_FOLDER, "")
    aliases = aliases_of(project, "MAILERS")
    if any(map(writes_files, aliases.values())) or any(map(waits_forever, aliases.values())):
        value = {alias: add_timeout(move_mail_to_folder(options, folder)) for alias, options in aliases.items()}
        yield Setting("MAILERS", value, f"{OWN_FOLDER}; a timeout for servers", "")


def writes_files(mailer: Mapping[str, object]) -> bool:
    options = mailer.get("OPTIONS")
    return mailer.get("BACKEND") == FILES or (isinstance(options, Mapping) and "file_path" in options)


def waits_forever(mailer: Mapping[str, object]) -> bool:
    options = mailer.get("OPTIONS")
    has_timeout = isinstance(options, Mapping) and options.get("timeout")
    return mailer.get("BACKEND", BACKENDS["smtp"]) == BACKENDS["smtp"] and not has_timeout


def add_timeout(mailer: dict[str, object]) -> dict[str, object]:
    if not waits_forever(mailer):
        return mailer
    options = mailer.get("OPTIONS")
    return {**mailer, "OPTIONS": {**(options if isinstance(options, Mapping) else {}), "timeout": MAIL_SECONDS}}


def move_mail_to_folder(mailer: Mapping[str, object], folder: str) -> dict[str, object]:
    if not writes_files(mailer):
        return dict(mailer)
    options = mailer.get("OPTIONS")
    return {**mailer, "OPTIONS": {**(options if isinstance(options, Mapping) else {}), "file_path": folder}}
