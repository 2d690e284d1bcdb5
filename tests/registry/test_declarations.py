"""Settings of the project's own and variables of processes: declared by the platform, stated by sites."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest

from tests.registry.conftest import AURORA, BOREALIS, HEAD, RegistryMaker, shown_by_error_pages
from tests.spec.samples import secret_file
from wagtail_multihost.exceptions import ConfigurationError
from wagtail_multihost.publishing.pins import PinChoices, pin_sites
from wagtail_multihost.publishing.snapshots import publish, to_publish
from wagtail_multihost.registry import open_registry
from wagtail_multihost.registry.keys import declared
from wagtail_multihost.registry.snapshot import SnapshotRegistry
from wagtail_multihost.spec.secret import Secret
from wagtail_multihost.spec.site import SiteSpec

HIDDEN = "sk_live_hunter7hunter7"
DECLARED = """
[platform.project_settings]
STRIPE_KEY = { secret = true, meaning = "The key of the shop's account" }
FEE = { type = "decimal", default = "1.50" }
SEATS = { type = "integer", default = 7 }
HAS_SHOP = { type = "boolean", default = false }
CURRENCIES = { type = "list", default = ["EUR"] }
MOTTO = { default = "" }
[platform.env]
NEW_RELIC_APP_NAME = { default = "aviary" }
"""
STATED = f"""
[sites.aurora.project_settings]
STRIPE_KEY = "{HIDDEN}"
FEE = 12345678901234567890.25
SEATS = -9007199254740992
HAS_SHOP = true
CURRENCIES = []
MOTTO = "Zeile 1\\nZeile 2"
[sites.aurora.env]
NEW_RELIC_APP_NAME = "Aurora 100% $HOME"
"""
VALUES = {
    "STRIPE_KEY": Secret(HIDDEN),
    "FEE": Decimal("12345678901234567890.25"),
    "SEATS": -(2**53),
    "HAS_SHOP": True,
    "CURRENCIES": (),
    "MOTTO": "Zeile 1\nZeile 2",
}


def problems_of(registry: RegistryMaker, text: str, environ: Mapping[str, str] | None = None) -> list[tuple[str, str]]:
    with pytest.raises(ConfigurationError) as refused:
        registry(text, environ).site("aurora")
    assert HIDDEN not in shown_by_error_pages(refused.value)
    return [(problem.where.removeprefix("sites.toml: "), problem.message) for problem in refused.value.problems]


def with_setting(declaration: str, stated: str = "") -> str:
    """Return a registry in which one setting is declared, and what aurora states of it."""
    own = f"[sites.aurora.project_settings]\n{stated}\n" if stated else ""
    return f"{HEAD}[platform.project_settings]\n{declaration}\n{AURORA}{own}"


def with_variable(declaration: str, stated: str = "") -> str:
    own = f"[sites.aurora.env]\n{stated}\n" if stated else ""
    return f"{HEAD}[platform.env]\n{declaration}\n{AURORA}{own}"


def test_a_site_has_the_values_that_it_states(registry: RegistryMaker) -> None:
    """Each is of the declared type; a decimal that is written as text has all its digits."""
    text = f"{HEAD}{DECLARED}{AURORA}{STATED}".replace(
        "FEE = 12345678901234567890.25", 'FEE = "12345678901234567890.25"'
    )
    _, site = registry(text).site("aurora")
    assert dict(site.project_settings) == VALUES
    assert {name: type(value) for name, value in site.project_settings} == {n: type(v) for n, v in VALUES.items()}
    assert dict(site.env) == {"NEW_RELIC_APP_NAME": "Aurora 100% $HOME"}
    assert site.sources["project_settings.FEE"] == "sites.toml: sites.aurora.project_settings.FEE"


def test_a_site_that_states_nothing_has_the_defaults(registry: RegistryMaker) -> None:
    """They are of the declared types too, and their source is the declaration."""
    text = f"{HEAD}{DECLARED}{AURORA}[sites.aurora.project_settings]\nSTRIPE_KEY = 'k'\n"
    _, site = registry(text).site("aurora")
    values = dict(site.project_settings)
    assert values.pop("STRIPE_KEY") == Secret("k")
    assert values == {"FEE": Decimal("1.50"), "SEATS": 7, "HAS_SHOP": False, "CURRENCIES": ("EUR",), "MOTTO": ""}
    assert str(values["FEE"]) == "1.50"
    assert dict(site.env) == {"NEW_RELIC_APP_NAME": "aviary"}
    assert site.sources["project_settings.SEATS"] == "sites.toml: platform.project_settings.SEATS.default"
    assert site.sources["env.NEW_RELIC_APP_NAME"] == "sites.toml: platform.env.NEW_RELIC_APP_NAME.default"


def test_a_secret_is_a_file_or_a_variable(registry: RegistryMaker, tmp_path: Path) -> None:
    """As every other secret: a path beside the registry, or the name of a variable."""
    secret_file(tmp_path / "aurora-stripe", f"{HIDDEN}\n")
    for stated in ('STRIPE_KEY_file = "{site}-stripe"', 'STRIPE_KEY = "env:STRIPE"'):
        opened = registry(with_setting("STRIPE_KEY = { secret = true }", stated), {"STRIPE": HIDDEN})
        assert dict(opened.site("aurora")[1].project_settings)["STRIPE_KEY"] == Secret(HIDDEN)
    with pytest.raises(ConfigurationError) as refused:
        registry(with_setting("STRIPE_KEY = { secret = true }", 'STRIPE_KEY = "env:STRIPE"')).site("aurora")
    assert [problem.message for problem in refused.value.problems] == ["The environment variable STRIPE is not set."]


def test_a_default_file_is_each_sites_own(registry: RegistryMaker, tmp_path: Path) -> None:
    """The site's id is in its path, so that no two sites get one secret."""
    secret_file(tmp_path / "aurora-stripe", HIDDEN)
    text = with_setting('STRIPE_KEY = { secret = true, default_file = "{site}-stripe" }')
    _, site = registry(text).site("aurora")
    ((_, secret),) = site.project_settings
    assert isinstance(secret, Secret)
    assert (secret.file, secret.reveal()) == (tmp_path / "aurora-stripe", HIDDEN)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        *((name, "derived from the site's key") for name in ("DATABASES", "CACHES", "SECRET_KEY", "MAILERS")),
        *((name, "changes the code") for name in ("INSTALLED_APPS", "MIDDLEWARE", "ROOT_URLCONF", "WSGI_APPLICATION")),
        *((name, "changes the code") for name in ("PAYMENT_BACKEND", "AUTH_USER_MODEL", "TASK_ROUTERS", "SHOP_CLASS")),
        *((name, "in their settings") for name in ("TIME_ZONE", "WAGTAIL_SITE_NAME", "SECURE_HSTS_PRELOAD")),
        *((name, "reads it") for name in ("DEBUG", "USE_TZ", "SESSION_COOKIE_NAME", "SECURE_SSL_REDIRECT")),
        *((name, "reads it") for name in ("AWS_ACCESS_KEY_ID", "MULTIHOST_HEALTH", "WAGTAILSEARCH_X", "TASKS")),
        *((name, "must be at most") for name in ("stripe", "Stripe_Key", "_KEY", "A__B", "A_", "9A", "A-B", "A" * 65)),
        ("SCHLÜSSEL", "must be at most"),
        ("A\\nB", "must be at most"),
    ],
)
def test_names_that_others_read_are_refused(registry: RegistryMaker, name: str, why: str) -> None:
    """What Django, Wagtail or this package decides cannot be declared, nor a name that a variable could not state."""
    found = problems_of(registry, with_setting(f'"{name}" = {{ default = "" }}'))
    assert any(why in message for where, message in found if where.startswith("platform.project_settings.")), found


@pytest.mark.parametrize(
    ("declaration", "key", "message"),
    [
        ('X = { type = "float" }', "type", "The type 'float' is not known; accepted: string, integer,"),
        (
            'X = { type = "integer", default = "7" }',
            "default",
            "It must be a whole number without quotes, not a string.",
        ),
        ('X = { type = "integer", default = 9007199254740993 }', "default", "must be between -2^53 and 2^53"),
        ("X = { default = 7 }", "default", "It must be a string, not a whole number."),
        ('X = { type = "decimal", default = nan }', "default", "The value 'nan' is not accepted: it must be a number"),
        ('X = { type = "decimal", default = true }', "default", "not true or false."),
        ('X = { type = "list", default = "EUR" }', "default", "It must be a list of strings, not a string."),
        ('X = { secret = true, type = "integer" }', "type", "is not accepted for a secret, which is a string."),
        (f'X = {{ secret = true, default = "{HIDDEN}" }}', "default", "Every site would share this secret."),
        ('X = { secret = true, default_file = "stripe" }', "default_file", "Every site would share this secret."),
        ('X = { default_file = "{site}" }', "default_file", "It is for secrets"),
        ('X = { secret = "yes" }', "secret", "It must be true or false without quotes, not a string."),
        ("X = { kind = 1 }", "kind", "The key 'kind' is not known. Accepted: default, default_file, meaning,"),
        ('X = { default = "", meaning = "two\\nlines" }', "meaning", "it must be one line"),
        ('X = "text"', "", "It must be a table, not a string."),
        (f'X = {{ default = "{"x" * 20_001}" }}', "default", "at most 20000 characters"),
    ],
)
def test_a_wrong_declaration_is_one_problem(registry: RegistryMaker, declaration: str, key: str, message: str) -> None:
    """It is reported at its key, and what sites state of it is not reported too."""
    where = f"platform.project_settings.X{'.' * bool(key)}{key}"
    [(place, found)] = problems_of(registry, with_setting(declaration, "X = 1"))
    assert place == where
    assert message in found


@pytest.mark.parametrize(
    ("declaration", "stated", "key", "message"),
    [
        ("X = {}", "", "X", "It is missing: the platform declares it without a default."),
        ("X = { secret = true }", "", "X", "It is missing: the platform declares it without a default."),
        ("STRIPE_URL = {}", 'STRIPE_URI = "a"', "STRIPE_URI", "Did you mean STRIPE_URL?"),
        ('X = { default = "" }', 'STRIPE_KEY = "a"', "STRIPE_KEY", "Accepted: X."),
        ("", 'STRIPE_KEY = "a"', "STRIPE_KEY", "Declare it in platform.project_settings."),
        ("", 'TIME_ZONE = "UTC"', "TIME_ZONE", "state it in settings."),
        ('X = { default = "" }', "X = 1", "X", "It must be a string, not a whole number."),
        ('X = { type = "boolean" }', 'X = "true"', "X", "It must be true or false without quotes, not a string."),
        ('X = { type = "list" }', "X = [1]", "X", "It must be a string, not a whole number."),
        ('X = { type = "decimal" }', 'X = "1,50"', "X", "it must be a number such as 19.90."),
        ('X = { default = "" }', 'X_file = "a"', "X_file", "declares no setting of the project's own 'X_file'."),
        ("X = { secret = true }", "X = 1", "X", "It must be a string, not a whole number."),
        ("X = { secret = true }", 'X = " "', "X", "It is blank."),
        ("X = { secret = true }", 'X = "a"\nX_file = "b"', "X_file", "give only one of the two."),
    ],
)
def test_what_a_site_states_wrong_is_said_in_a_sentence(
    registry: RegistryMaker, declaration: str, stated: str, key: str, message: str
) -> None:
    """Each mistake is at the key that was written, with what is accepted."""
    found = problems_of(registry, with_setting(declaration, stated))
    assert [text for where, text in found if where == f"sites.aurora.project_settings.{key}" and message in text], found


def test_tables_that_are_none_are_said_once(registry: RegistryMaker) -> None:
    """Neither the platform's nor a site's is read further."""
    assert problems_of(registry, f'{HEAD}project_settings = "x"\nenv = 1\n{AURORA}') == [
        ("platform.project_settings", "It must be a table, not a string."),
        ("platform.env", "It must be a table, not a whole number."),
    ]
    site = AURORA + 'project_settings = "x"\nenv = 1\n'
    assert problems_of(registry, f"{HEAD}[platform.project_settings]\nX = {{}}\n[platform.env]\nY = {{}}\n{site}") == [
        ("sites.aurora.project_settings", "It must be a table, not a string."),
        ("sites.aurora.env", "It must be a table, not a whole number."),
    ]


def test_a_setting_of_a_file_beside_a_secret_is_refused(registry: RegistryMaker) -> None:
    """Where variables state values, it could not be told from the file of the secret."""
    text = with_setting('STRIPE_KEY = { secret = true }\nSTRIPE_KEY_FILE = { default = "" }', 'STRIPE_KEY = "a"')
    [(where, message)] = problems_of(registry, text)
    assert where == "platform.project_settings.STRIPE_KEY_FILE"
    assert "the file of the secret STRIPE_KEY" in message


def test_settings_in_the_wrong_table_are_led_to_the_right_one(registry: RegistryMaker) -> None:
    """The table settings has Django's and Wagtail's, and names the other one."""
    [(where, message)] = problems_of(registry, f'{HEAD}{AURORA}settings = {{ STRIPE_KEY = "a" }}\n')
    assert where == "sites.aurora.settings.STRIPE_KEY"
    assert "platform.project_settings" in message


REFUSED = (
    *("PSQLRC", "PSQL_PAGER", "MYSQL_HOME", "NETRC", "EDITOR", "COVERAGE_PROCESS_START", "GDAL_DRIVER_PATH"),
    *("LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONSTARTUP", "UWSGI_HTTP", "MULTIHOST_SITE", "PGSERVICE"),
    *("PGHOST", "AWS_PROFILE", "DJANGO_SETTINGS_MODULE", "GUNICORN_CMD_ARGS", "PATH", "HOME", "TMPDIR", "TMP", "USER"),
    *("SSL_CERT_FILE", "SSLKEYLOGFILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("OPENSSL_CONF", "GIO_MODULE_DIR", "GCONV_PATH", "HOSTALIASES", "RES_OPTIONS", "LOCPATH", "TZDIR", "TZ"),
    *("LISTEN_FDS", "NOTIFY_SOCKET", "BASH_ENV", "GIT_SSH_COMMAND", "MAGICK_CONFIGURE_PATH", "WEB_CONCURRENCY"),
    *("DATABASE_URL", "PORT", "BOTO_CONFIG", "GLIBC_TUNABLES", "KRB5CCNAME", "XDG_CONFIG_HOME", "NODE_EXTRA_CA_CERTS"),
)


@pytest.mark.parametrize("name", REFUSED)
def test_variables_that_change_a_process_are_refused(registry: RegistryMaker, name: str) -> None:
    """Who it is, what it loads, where it looks and whom it trusts is not a site's to say."""
    [(where, message), *_] = problems_of(registry, with_variable(f'{name} = {{ default = "x" }}'))
    assert where == f"platform.env.{name}"
    assert message.startswith(f"The variable {name} is not accepted")


@pytest.mark.parametrize("name", ["http_proxy", "A=B", "A B", "A__B", "", "É"])
def test_names_of_variables_are_words_in_capitals(registry: RegistryMaker, name: str) -> None:
    """Others could end the name in a file, or be a proxy's."""
    found = problems_of(registry, with_variable(f'"{name}" = {{ default = "x" }}'))
    assert any("must be at most 64 letters A-Z" in message for _, message in found)


@pytest.mark.parametrize(
    "value", ["a\\nb", "a\\tb", "a\\u2028b", " a", "a ", "a%(b)", "$(id)", "@(exec://id)", "x" * 2001]
)
def test_values_that_a_file_cannot_have_are_refused(registry: RegistryMaker, value: str) -> None:
    """They would end the line, be lost, or be expanded by uWSGI, which runs commands."""
    [(where, message)] = problems_of(registry, with_variable("X = {}", f'X = "{value}"'))
    assert where == "sites.aurora.env.X"
    assert "is not accepted" in message


@pytest.mark.parametrize(
    ("declaration", "stated", "where", "message"),
    [
        ("X = { secret = true }", 'X = "a"', "platform.env.X.secret", "platform.project_settings"),
        ('X = { type = "integer" }', 'X = "a"', "platform.env.X.type", "a variable is a string"),
        ("X = {}", "", "sites.aurora.env.X", "It is missing"),
        ("X = {}", "X = 1", "sites.aurora.env.X", "It must be a string, not a whole number."),
        ("X = {}", 'X = ""', "sites.aurora.env.X", "It is blank."),
        ("NEW_RELIC = {}", 'NEW_RELC = "a"', "sites.aurora.env.NEW_RELC", "Did you mean NEW_RELIC?"),
    ],
)
def test_wrong_variables_are_said_in_a_sentence(
    registry: RegistryMaker, declaration: str, stated: str, where: str, message: str
) -> None:
    """A secret is refused with where to declare it; names and values as those of settings."""
    found = problems_of(registry, with_variable(declaration, stated))
    assert [text for place, text in found if place == where and message in text], found


ENVIRON = {
    "MULTIHOST_SITE": "aurora",
    "MULTIHOST_PLATFORM_NAME": "aviary",
    "MULTIHOST_PLATFORM_SECRET_KEY": "k" * 50,
    "MULTIHOST_PLATFORM_PROJECT_SETTINGS__STRIPE_KEY__SECRET": "true",
    "MULTIHOST_PLATFORM_PROJECT_SETTINGS__FEE__TYPE": "decimal",
    "MULTIHOST_PLATFORM_PROJECT_SETTINGS__SEATS__TYPE": "integer",
    "MULTIHOST_PLATFORM_PROJECT_SETTINGS__SEATS__DEFAULT": "-7",
    "MULTIHOST_PLATFORM_PROJECT_SETTINGS__CURRENCIES__TYPE": "list",
    "MULTIHOST_PLATFORM_ENV__NEW_RELIC__MEANING": "x",
    "MULTIHOST_SITE_HOSTNAMES": "aurora.example.org",
    "MULTIHOST_SITE_PROJECT_SETTINGS__FEE": "1.50",
    "MULTIHOST_SITE_PROJECT_SETTINGS__CURRENCIES": "EUR,CHF",
    "MULTIHOST_SITE_ENV__NEW_RELIC": "Aurora",
}


def test_variables_declare_and_state_them_too(tmp_path: Path) -> None:
    """A registry of variables has the same declarations, with names as they are and a secret's file."""
    file = secret_file(tmp_path / "stripe", HIDDEN)
    name = "MULTIHOST_SITE_PROJECT_SETTINGS__STRIPE_KEY"
    for own in ({name: HIDDEN}, {f"{name}_FILE": str(file)}, {name: "env:STRIPE", "STRIPE": HIDDEN}):
        _, site = open_registry("env:", {**ENVIRON, **own}).site("aurora")
        expected = {"FEE": Decimal("1.50"), "SEATS": -7, "CURRENCIES": ("EUR", "CHF"), "STRIPE_KEY": Secret(HIDDEN)}
        assert dict(site.project_settings) == expected
        assert dict(site.env) == {"NEW_RELIC": "Aurora"}
    with pytest.raises(ConfigurationError) as refused:
        open_registry("env:", ENVIRON).site("aurora")
    assert [problem.where for problem in refused.value.problems] == [name]


def test_a_snapshot_has_the_sites_values_and_no_others(registry: RegistryMaker, tmp_path: Path) -> None:
    """What is read back of it is equal, types and secrets too; nothing of a neighbour is in it."""
    borealis = BOREALIS + '[sites.borealis.project_settings]\nSTRIPE_KEY = "neighbours-key"\n'
    text = f"{HEAD}{DECLARED}{AURORA}{STATED}{borealis}".replace(
        "= 12345678901234567890.25", '= "12345678901234567890.25"'
    )
    opened = registry(text)
    folder = tmp_path / "snapshots"
    publish(opened, to_publish(opened), folder)
    platform, site = SnapshotRegistry(folder, {}).site("aurora")
    assert dict(site.project_settings) == VALUES
    assert dict(site.env) == {"NEW_RELIC_APP_NAME": "Aurora 100% $HOME"}
    assert dict(platform.project_settings)["STRIPE_KEY"].secret
    content = (folder / "aurora.json").read_text()
    assert "neighbours-key" not in content
    assert HIDDEN in content


def test_pins_leave_declarations_and_values_as_they_are(registry: RegistryMaker) -> None:
    """The file has the same tables after it was pinned, and the pins beside them."""
    text = f"{HEAD}{DECLARED}{AURORA}{STATED}".replace("= 12345678901234567890.25", "= 2.5")
    opened = registry(text)
    pin_sites(opened, PinChoices(new=["aurora"]))
    before, after = tomllib.loads(text), tomllib.loads(Path(opened.url).read_text(encoding="utf-8"))
    assert after["platform"] == before["platform"]
    pinned = after["sites"]["aurora"]
    assert {key: pinned[key] for key in before["sites"]["aurora"]} == before["sites"]["aurora"]
    assert {"uid", "names"} <= pinned.keys()
    assert dict(opened.site("aurora")[1].project_settings)["FEE"] == Decimal("2.5")


def test_a_snapshot_without_declarations_has_no_word_of_them(registry: RegistryMaker, tmp_path: Path) -> None:
    """A site of an older version reads it."""
    opened = registry(f"{HEAD}{AURORA}")
    publish(opened, to_publish(opened), tmp_path / "snapshots")
    content = (tmp_path / "snapshots/aurora.json").read_text()
    assert "project_settings" not in content
    assert '"env"' not in content


def test_a_secret_of_the_project_is_found_as_every_other(registry: RegistryMaker, tmp_path: Path) -> None:
    """Its file must not be in a folder that another site writes to."""
    text = with_setting("STRIPE_KEY = { secret = true }", f'STRIPE_KEY_file = "{tmp_path}/data/sites/borealis/x"')
    with pytest.raises(ConfigurationError) as refused:
        registry(f"{text}{BOREALIS}[sites.borealis.project_settings]\nSTRIPE_KEY = 'b'\n").load()
    assert any("secret file" in problem.message for problem in refused.value.problems)


def test_no_key_of_a_declaration_is_a_secret() -> None:
    """Declarations are the platform's, and every site's process reads them."""
    assert not [key for key in declared() if ".NAME" in key.table and key.is_secret]


def test_a_spec_refuses_what_a_registry_does(registry: RegistryMaker) -> None:
    """A spec that exists is valid, wherever it was made."""
    _, site = registry(f"{HEAD}{AURORA}").site("aurora")
    values = {name: getattr(site, name) for name in site.__dataclass_fields__}
    for wrong in (
        {"project_settings": (("DEBUG", True),)},
        {"project_settings": (("STRIPE", 1.5),)},
        {"env": (("PATH", "/tmp"),)},
        {"env": (("X", "a\nb"),)},
    ):
        with pytest.raises(ConfigurationError):
            SiteSpec(**{**values, **wrong})


def with_codebases(listed: str, stated: str, *more: str) -> str:
    return f"{HEAD}{listed}\n{AURORA}{stated}\n{''.join(more)}"


SHOP = """
[platform.codebases.shop]
wsgi = "shop.wsgi:application"
virtualenv = "/srv/shop/venv"
pythonpath = ["/srv/p"]
"""


def test_a_site_runs_the_codebase_that_it_names(registry: RegistryMaker) -> None:
    """What the platform lists under the name is the site's code, and its own table of code overrides each key."""
    text = with_codebases(SHOP, 'codebase = "shop"\ncode = { virtualenv = "/srv/aurora/venv" }', BOREALIS)
    contents = registry(text).load()
    aurora, borealis = contents.sites
    assert dict(aurora.code) == {
        "wsgi": "shop.wsgi:application",
        "virtualenv": Path("/srv/aurora/venv"),
        "pythonpath": ("/srv/p",),
    }
    assert (aurora.codebase, borealis.codebase, borealis.code) == ("shop", "", ())
    assert [name for name, _ in contents.platform.codebases] == ["shop"]


def test_sites_may_share_a_codebase(registry: RegistryMaker) -> None:
    """It is the operator's, and no site's own: two sites may run it."""
    sites = registry(with_codebases(SHOP, 'codebase = "shop"', BOREALIS, 'codebase = "shop"\n')).load().sites
    assert [site.sources["code"] for site in sites] == ["sites.toml: platform.codebases.shop"] * 2
    assert sites[0].code == sites[1].code != ()


@pytest.mark.parametrize(
    ("listed", "accepted"),
    [(SHOP, "accepted: shop."), ("", "the platform lists none."), ("codebases = {}", "lists none")],
)
def test_a_codebase_that_is_not_listed_is_refused(registry: RegistryMaker, listed: str, accepted: str) -> None:
    """The site alone has the problem, and is told the names that there are."""
    text = with_codebases(listed, 'codebase = "shopp"', BOREALIS)
    ((where, message),) = problems_of(registry, text)
    assert where == "sites.aurora.codebase"
    assert accepted in message
    contents = registry(text).load(keep_going=True)
    assert [site.id for site in contents.sites] == ["borealis"]
    assert list(contents.problems) == ["aurora"]


def test_a_codebase_with_a_mistake_is_reported_once(registry: RegistryMaker) -> None:
    """Its key is reported, and not also that the site names a codebase that is missing."""
    text = with_codebases("[platform.codebases.shop]\nwsgi = 'shop'\n", 'codebase = "shop"')
    assert [where for where, _ in problems_of(registry, text)] == ["platform.codebases.shop.wsgi"]


def test_a_codebase_has_a_name_that_is_a_slug(registry: RegistryMaker) -> None:
    """Any other is refused at its key."""
    text = with_codebases("[platform.codebases.'The Shop']\nwsgi = 'shop.wsgi:application'\n", "")
    assert "must start with a letter" in problems_of(registry, text)[0][1]
