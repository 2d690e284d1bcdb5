"""What the emitting commands warn of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.emitters.conftest import make_plan, make_platform, make_site
from wagtail_multihost.emitters import emitters
from wagtail_multihost.emitters.cautions import cautions
from wagtail_multihost.emitters.files import Plan, listed
from wagtail_multihost.spec.cache import CacheSpec
from wagtail_multihost.spec.nginx import NginxOptions
from wagtail_multihost.spec.systemd import SystemdOptions
from wagtail_multihost.spec.uwsgi import UwsgiOptions

PROTO = ("HTTP_X_FORWARDED_PROTO", "https")
REDIS = CacheSpec(backend="redis", host="cache.internal")
ONE = make_platform(uwsgi=UwsgiOptions(processes=1), systemd=SystemdOptions(workers=1))


def told(plan: Plan, *targets: str) -> list[str]:
    """Return the sentences of a plan; each is a whole one."""
    found = list(cautions(plan, targets or ["uwsgi"]))
    assert all(sentence.endswith(".") for sentence in found)
    return found


def test_local_memory_with_several_workers_is_told() -> None:
    """A cache of each worker's own is told with its site and the option, by default too."""
    (sentence,) = told(make_plan(make_site("aurora"), make_site("borealis", cache=REDIS)))
    assert sentence.startswith("The cache of the site aurora is in local memory, and uwsgi.processes is more than 1:")


@pytest.mark.parametrize("target", ["nginx", "uwsgi"])
def test_local_memory_with_one_worker_is_quiet(target: str) -> None:
    """One process has one cache, however many threads it has."""
    platform = make_platform(uwsgi=UwsgiOptions(processes=1, threads=8))
    assert told(make_plan(make_site("aurora"), platform=platform), target) == []


def test_nginx_has_no_workers_of_a_site() -> None:
    """A target that runs no sites says nothing of their workers."""
    assert told(make_plan(make_site("aurora")), "nginx") == []


def test_site_with_its_own_number_of_workers_is_told_by_that() -> None:
    """A site's own options decide, over the platform's, in both directions."""
    many = make_site("aurora", uwsgi=(("processes", 4),))
    (sentence,) = told(make_plan(many, make_site("borealis"), platform=ONE))
    assert "the site aurora " in sentence
    few = make_site("aurora", uwsgi=(("processes", 1),))
    assert told(make_plan(few)) == []


def test_cookies_that_neighbours_can_plant_are_told() -> None:
    """The keys and the names of cookies from before are said; what is bound to the host is not."""
    kept = {"session_cookie": "sessionid", "csrf_cookie": "__Host-csrf", "language_cookie": "__Secure-language"}
    (sentence,) = told(make_plan(make_site("aurora", **kept), make_site("borealis"), platform=ONE))
    assert sentence.startswith("sites.aurora: session_cookie, language_cookie: Every other name of the domain can")
    assert "sessionid, __Secure-language" in sentence
    assert "__Host-csrf" not in sentence


def test_many_sites_are_one_sentence() -> None:
    """However many sites it concerns, there is one line of bounded length, of the chosen sites alone."""
    sites = [make_site(f"site{number}") for number in range(500)]
    (sentence,) = told(make_plan(*sites))
    assert "the sites site0, site1, site2 and 497 more is" in sentence
    (sentence,) = told(make_plan(*sites, only=frozenset({"site7", "site9"})))
    assert "the sites site7 and site9 is" in sentence


@pytest.mark.parametrize(
    ("options", "account"),
    [
        ({"user": "hosting"}, "the account hosting"),
        ({"user": "hosting", "environment": "production"}, "the account hosting"),
        ({"environment": "production"}, "the account of their server"),
    ],
)
def test_sites_of_one_account_are_told(options: dict[str, object], account: str) -> None:
    """Two sites under one account can do what they like with each other: said where it is stated or serious."""
    sites = [make_site(name, cache=REDIS) for name in ("aurora", "borealis")]
    (sentence,) = told(make_plan(*sites, platform=make_platform(**options)))
    assert sentence.startswith(f"platform.user: All 2 sites run under {account}, so")
    assert told(make_plan(sites[0], platform=make_platform(**options))) == []
    assert told(make_plan(*sites, platform=make_platform(**options, shares_registry=True))) == []
    assert told(make_plan(*sites, platform=make_platform(**{**options, "user": "site-{site}"}))) == []
    closed = NginxOptions(logs=Path("/nowhere"))
    assert told(make_plan(*sites, platform=make_platform(**options, nginx=closed)), "nginx") == []


def test_development_without_accounts_is_quiet() -> None:
    """A platform that names no account, outside production, is a developer's."""
    assert told(make_plan(*[make_site(name, cache=REDIS) for name in ("aurora", "borealis")])) == []


def test_code_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A site's own folder or virtual environment that this machine lacks is told with its path; others' are not."""
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    paths = {"directory": tmp_path / "code", "virtualenv": tmp_path / "venv"}
    site = make_site("aurora", cache=REDIS, code=(*paths.items(), ("wsgi", "a.wsgi:application")))
    first, second = told(make_plan(site))
    assert first.startswith("sites.aurora.code: directory: This machine has no '")
    assert second.startswith("sites.aurora.code: virtualenv: This machine has no '")
    assert told(make_plan(site), "nginx") == []
    (tmp_path / "code").mkdir()
    (tmp_path / "venv" / "bin" / "python3").touch()
    assert told(make_plan(site)) == []


def test_code_is_told_under_the_key_that_the_operator_wrote() -> None:
    """A registry that has it elsewhere says so."""
    site = make_site("aurora", cache=REDIS, code=(("directory", Path("/nowhere")),), sources={"code": "SITE_CODE"})
    (sentence,) = told(make_plan(site))
    assert sentence == "SITE_CODE: directory: This machine has no '/nowhere'."


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (1, "the site s0"),
        (2, "the sites s0 and s1"),
        (3, "the sites s0, s1 and s2"),
        (4, "the sites s0, s1, s2 and 1 more"),
        (5, "the sites s0, s1, s2 and 2 more"),
    ],
)
def test_sites_are_listed_up_to_three(count: int, words: str) -> None:
    """Of more there is the number."""
    assert listed(make_site(f"s{number}") for number in range(count)) == words


def test_target_of_another_package_is_taken_to_have_one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not known of it is not warned of."""
    other = {"other": replace(emitters()["uwsgi"], name="other")}
    monkeypatch.setattr("wagtail_multihost.emitters.cautions.emitters", lambda: other)
    assert told(make_plan(make_site("aurora")), "other") == []


def test_http_of_uwsgi_on_a_node_is_told() -> None:
    """On a node that stands behind a front server, uWSGI's own HTTP server is a second way in."""
    platform = make_platform(nodes=(("app-1", "10.0.0.5:8080"),), uwsgi=UwsgiOptions(http="0.0.0.0:8000"))
    site = make_site("aurora", cache=REDIS)
    (sentence,) = told(make_plan(site, platform=platform, node="app-1"))
    assert "On the node app-1 uWSGI also serves the sites at 0.0.0.0:8000" in sentence
    assert told(make_plan(site, platform=make_platform(options=platform.options))) == []


def test_workers_of_gunicorn_are_told() -> None:
    """The units of gunicorn have workers too; those of an emperor have none, and the vassals are told of."""
    sites = [make_site("aurora", systemd=(("workers", 3),)), make_site("borealis")]
    own = SystemdOptions(workers=1)
    (sentence,) = told(make_plan(*sites, platform=make_platform(runner="gunicorn", systemd=own)), "systemd")
    assert sentence.startswith("The cache of the site aurora is in local memory, and systemd.workers is more than 1:")
    assert told(make_plan(*sites, platform=make_platform(systemd=own)), "systemd") == []


def test_second_runner_is_told() -> None:
    """Two runners of the same sites would take each other's sockets; an emperor that systemd starts is one runner."""
    site = make_site("aurora", cache=REDIS)
    (sentence,) = told(make_plan(site, platform=make_platform(runner="gunicorn")), "uwsgi")
    assert sentence.startswith("platform.runner: It is gunicorn, but the target uwsgi makes uWSGI run the sites too")
    assert told(make_plan(site), "uwsgi", "systemd") == []
    assert told(make_plan(site, platform=make_platform(runner="gunicorn")), "systemd") == []


def test_site_on_demand_with_an_account_is_told() -> None:
    """The emperor is root where sites have accounts, and shares a socket with each that is on demand."""
    on_demand = make_site("aurora", cache=REDIS, uwsgi=(("on_demand", True),))
    own = make_platform(user="site-{site}")
    (sentence,) = told(make_plan(on_demand, platform=own))
    assert sentence.startswith("uwsgi.on_demand: The emperor shares its socket with the site aurora.")
    assert told(make_plan(on_demand)) == told(make_plan(make_site("aurora", cache=REDIS), platform=own)) == []


def test_closed_site_that_uwsgi_shows_is_told() -> None:
    """A state is for nginx: where uWSGI serves the sites itself, a suspended one is shown nevertheless."""
    closed = make_site("aurora", cache=REDIS, state="suspended")
    (sentence,) = told(make_plan(closed, platform=make_platform(uwsgi=UwsgiOptions(http="127.0.0.1:8000"))))
    assert "keeps showing the site aurora at 127.0.0.1:8000" in sentence
    assert told(make_plan(closed)) == []


@pytest.mark.parametrize(
    ("mode", "environment", "count"), [(0o755, "production", 1), (0o750, "production", 0), (0o755, "development", 0)]
)
def test_an_open_folder_of_nginx_logs_is_told_in_production(
    tmp_path: Path, mode: int, environment: str, count: int
) -> None:
    """nginx makes new logs readable for all, so their folder must be closed."""
    tmp_path.chmod(mode)
    platform = make_platform(nginx=NginxOptions(logs=tmp_path), environment=environment)
    found = [sentence for sentence in cautions(make_plan(platform=platform), ["nginx"]) if "nginx.logs" in sentence]
    assert len(found) == count


@pytest.mark.parametrize(("proxy", "whose"), [("127.0.0.0/8", "programs"), ("::1", "programs by IPv6")])
def test_proxies_that_sites_can_pass_for_are_told_in_production(proxy: str, whose: str) -> None:
    """Where nginx and sites share a machine, loopback is every site's; in front of nodes there are none."""
    nginx = NginxOptions(proxies=(proxy, "10.0.0.8"), fronts=("10.0.0.4",), logs=Path("/nowhere"))
    options = {"nginx": nginx, "user": "site-{site}"}
    production = make_platform(environment="production", **options)
    (sentence,) = told(make_plan(make_site("aurora"), platform=production), "nginx")
    assert sentence.startswith(f"platform.nginx.proxies: {proxy} includes the address of the machine's own {whose},")
    assert told(make_plan(make_site("aurora"), platform=make_platform(**options)), "nginx") == []
    front = make_platform(environment="production", nodes=(("app-1", "10.0.0.5:80"),), **options)
    assert told(make_plan(make_site("aurora"), platform=front), "nginx") == []


@pytest.mark.parametrize(
    ("environment", "header", "proxies", "count"),
    [
        ("production", PROTO, (), 1),
        ("production", PROTO, ("10.0.0.9",), 0),
        ("production", None, (), 0),
        ("development", PROTO, (), 0),
    ],
)
def test_proxy_without_a_name_is_told(
    environment: str, header: tuple[str, str] | None, proxies: tuple[str, ...], count: int
) -> None:
    """A platform whose proxy says the scheme, and is not named, believes everybody: production is told."""
    platform = make_platform(
        environment=environment,
        secure_proxy_ssl_header=header,
        nginx=NginxOptions(proxies=proxies, logs=Path("/nowhere")),
    )
    found = [one for one in told(make_plan(platform=platform), "nginx") if one.startswith("platform.nginx.proxies: ")]
    assert len(found) == count
