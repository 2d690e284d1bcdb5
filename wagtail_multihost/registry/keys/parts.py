"""The keys of the parts of a site that the platform may have defaults for."""

from __future__ import annotations

from wagtail_multihost.registry.keys.key import NONE, REQUIRED, Key, secret
from wagtail_multihost.spec.database import POSTGRESQL_OPTIONS

STAND_INS = "`{hostname}` and `{site}` stand for the name's own."
DATABASE_KEYS: tuple[Key, ...] = (
    Key("database", "engine", '`"sqlite"` or `"postgresql"`', '"sqlite"', "What the database is."),
    Key("database", "path", "path", "`data/sites/ID/db.sqlite3`", "The file.", "sqlite"),
    Key(
        "database", "name", "text, at most 63 characters", "the site's `names.database`", "The database.", "postgresql"
    ),
    Key("database", "user", "text, at most 63 characters", "the site's `names.role`", "The role.", "postgresql"),
    *secret(
        "database",
        "password",
        "required, unless `host` is the folder of a unix socket",
        "The role's password.",
        "postgresql",
    ),
    Key("database", "host", "host, IP address or absolute path", REQUIRED, "The server.", "postgresql"),
    Key("database", "port", "1 to 65535", "5432", "The server's port.", "postgresql"),
    Key(
        "database",
        "options",
        "table",
        NONE,
        f"Connection parameters of libpq: {', '.join(f'`{option}`' for option in sorted(POSTGRESQL_OPTIONS))}.",
        "postgresql",
    ),
)
CACHE_KEYS: tuple[Key, ...] = (
    Key("cache", "backend", '`"locmem"` or `"redis"`', '"locmem"', "In the process, or in a Redis server."),
    Key("cache", "host", "host, IP address or absolute path of a unix socket", REQUIRED, "The server.", "redis"),
    Key("cache", "port", "1 to 65535", "6379", "The server's port.", "redis"),
    Key("cache", "number", "0 or more", "0", "The number of the database in the server.", "redis"),
    Key("cache", "username", "text", NONE, "The user in the server's access list.", "redis"),
    *secret("cache", "password", NONE, "The user's password.", "redis"),
    Key("cache", "tls", "boolean", "false", "Whether the connection is encrypted.", "redis"),
)
STORAGE_KEYS: tuple[Key, ...] = (
    Key("storage", "backend", '`"files"` or `"s3"`', '"files"', "A local folder, or a bucket."),
    Key("storage", "path", "path", "`data/sites/ID/media`", "The folder.", "files"),
    Key("storage", "bucket", "bucket name", "the site's `names.bucket`", "The bucket.", "s3"),
    Key("storage", "region", "text", NONE, "The region of the bucket.", "s3"),
    Key(
        "storage",
        "endpoint",
        "`http://host` or `https://host`, with a port if there is one",
        NONE,
        "The server, where it is not Amazon's.",
        "s3",
    ),
    Key(
        "storage",
        "domain",
        "hostname",
        NONE,
        "The host that serves the files. Without one, addresses are signed.",
        "s3",
    ),
    *secret(
        "storage",
        "access_key",
        NONE,
        "The id of the credentials. Without them the role of the container or the machine is used.",
        "s3",
    ),
    *secret("storage", "secret_key", "required with an access key", "The key of the credentials.", "s3"),
)
MAIL_KEYS: tuple[Key, ...] = (
    Key("mail", "backend", '`"smtp"` or `"console"`', '"smtp"', "A mail server, or mail is printed."),
    Key("mail", "host", "host or IP address", REQUIRED, "The server.", "smtp"),
    Key("mail", "port", "1 to 65535", "587", "The server's port.", "smtp"),
    Key("mail", "username", "text", NONE, "The account, if the server asks for one.", "smtp"),
    *secret("mail", "password", "required with a username", "The account's password.", "smtp"),
    Key(
        "mail",
        "security",
        '`"starttls"`, `"tls"` or `"none"`',
        '"starttls"',
        "How the connection is encrypted: after its start, from its start, or not.",
        "smtp",
    ),
    Key("mail", "timeout", "1 to 300", "10", "How long a connection may take.", "smtp"),
)
FRONTEND_KEYS: tuple[Key, ...] = (
    Key(
        "frontend",
        "backend",
        '`"http"`, `"cloudflare"` or `"cloudfront"`',
        REQUIRED,
        "What the cache is; `http` is Varnish, Squid or nginx.",
    ),
    Key("frontend", "location", "`http://host:port` or `https://host:port`", REQUIRED, "The cache.", "http"),
    Key(
        "frontend",
        "zone",
        "letters and digits",
        REQUIRED,
        "The zone or the distribution.",
        "cloudflare, cloudfront",
    ),
    *secret("frontend", "token", REQUIRED, "A token for the zone.", "cloudflare"),
    *secret(
        "frontend",
        "access_key",
        NONE,
        "The id of the credentials. Without them the role of the container or the machine is used.",
        "cloudfront",
    ),
    *secret("frontend", "secret_key", "required with an access key", "The key of the credentials.", "cloudfront"),
)
TLS_KEYS: tuple[Key, ...] = (
    Key("tls", "certificate", "absolute path", REQUIRED, f"The certificate and its chain, PEM. {STAND_INS}"),
    Key("tls", "key", "absolute path", REQUIRED, f"Its key. {STAND_INS}"),
    Key(
        "tls",
        "pending",
        "list of hostnames",
        NONE,
        "Those of the site whose certificate is still to be issued: on http alone, without a redirect to https.",
    ),
    Key("tls", "off", "list of hostnames", NONE, "Those of the site that never get a certificate."),
)
