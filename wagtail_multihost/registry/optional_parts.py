"""The parts that not every site has: a site's process loads the specs of those that its site has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wagtail_multihost.registry.record import Record

if TYPE_CHECKING:
    from wagtail_multihost.spec.frontend import FrontendCacheSpec
    from wagtail_multihost.spec.mail import MailSpec
    from wagtail_multihost.spec.tls import TlsSpec


def mail_of(part: Record) -> MailSpec | None:
    """Return how a site sends mail; None when its record has problems, which are reported."""
    from wagtail_multihost.spec.mail import MailSpec

    backend, host, username = part.take_text("backend", "smtp"), part.take_text("host"), part.take_text("username")
    port, timeout = part.take_integer("port", 587), part.take_integer("timeout", 10)
    password, security = part.take_secret("password"), part.take_text("security", "starttls")
    part.close()
    return part.build(
        lambda: MailSpec(
            backend=backend,  # type: ignore[arg-type]  # the spec checks it
            host=host,
            port=port,
            username=username,
            password=password,
            security=security,  # type: ignore[arg-type]  # the spec checks it
            timeout=timeout,
        ),
    )


def frontend_of(part: Record) -> FrontendCacheSpec | None:
    """Return the cache in front of a site; None when its record has problems, which are reported."""
    from wagtail_multihost.spec.frontend import FrontendCacheSpec

    backend, location, zone = part.take_text("backend"), part.take_text("location"), part.take_text("zone")
    token = part.take_secret("token")
    access_key, secret_key = part.take_secret("access_key"), part.take_secret("secret_key")
    part.close()
    return part.build(
        lambda: FrontendCacheSpec(
            backend=backend,  # type: ignore[arg-type]  # the spec checks it
            location=location,
            zone=zone,
            token=token,
            access_key=access_key,
            secret_key=secret_key,
        ),
    )


def tls_of(table: Record) -> TlsSpec | None:
    """Return where a site's certificates are; None when its record has problems, which are reported."""
    from wagtail_multihost.spec.tls import TlsSpec

    certificate, key = table.take_text("certificate"), table.take_text("key")
    pending, off = table.take_hosts("pending"), table.take_hosts("off")
    table.close()
    return table.build(lambda: TlsSpec(certificate=certificate, key=key, pending=pending, off=off))
