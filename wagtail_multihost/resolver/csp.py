"""SECURE_CSP and SECURE_CSP_REPORT_ONLY: the site's own media host, and no other site's uploads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wagtail_multihost.exceptions import ConfigurationError, Problem
from wagtail_multihost.resolver.setting import Project, Setting
from wagtail_multihost.spec.identifiers import shown
from wagtail_multihost.spec.site import SiteSpec
from wagtail_multihost.spec.storage import StorageSpec

POLICIES = ("SECURE_CSP", "SECURE_CSP_REPORT_ONLY")
MEDIA = ("img-src", "media-src")
FALLBACK = "default-src"
NONE = "'none'"
STRICT = "'strict-dynamic'"
# What a page runs or frames (https://www.w3.org/TR/CSP3/#directives-fetch).
RUNS = frozenset(
    {
        "child-src",
        FALLBACK,
        "frame-src",
        "object-src",
        "script-src",
        "script-src-attr",
        "script-src-elem",
        "style-src",
        "style-src-attr",
        "style-src-elem",
        "worker-src",
    }
)
EVERYWHERE = frozenset({"*", "http:", "https:", "http://*", "https://*"})
# Hosts that serve anybody's uploads, and how many labels in front of them do not name a bucket.
SHARED_HOSTS = {
    "amazonaws.com": 0,
    "azureedge.net": 0,
    "azurefd.net": 0,
    "b-cdn.net": 0,
    "backblazeb2.com": 1,
    "blob.core.windows.net": 0,
    "cloudfront.net": 0,
    "digitaloceanspaces.com": 1,
    "linodeobjects.com": 1,
    "r2.cloudflarestorage.com": 1,
    "r2.dev": 0,
    "scw.cloud": 2,
    "storage.googleapis.com": 0,
    "wasabisys.com": 1,
    "your-objectstorage.com": 1,
}


def csp_settings(site: SiteSpec, project: Project) -> Iterator[Setting]:
    """
    Yield the project's policies with the host of the site's bucket among the sources of images and media.

    Raises ConfigurationError for a source that allows what editors of other sites upload.
    """
    own = media_sources(site.storage)
    problems: list[Problem] = []
    for name in POLICIES:
        policy = project.get(name)
        if not isinstance(policy, Mapping) or not policy:
            continue
        problems.extend(policy_problems(name, policy, site))
        yield Setting(name, add_media_sources(policy, own), "the project's, with the site's media host", "")
    if problems:
        raise ConfigurationError(problems)


def media_sources(storage: StorageSpec) -> list[str]:
    """Return the sources of the site's uploaded files; none when they have the host of its pages."""
    if storage.backend != "s3":
        return []
    if storage.domain:
        return [f"https://{storage.domain}"]
    if storage.visited_endpoint:
        return list(endpoint_sources(storage))
    # Signed URLs have either host (https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html).
    regional = [f"https://{storage.bucket}.s3.{storage.region}.amazonaws.com"] if storage.region else []
    return [f"https://{storage.bucket}.s3.amazonaws.com", *regional]


def endpoint_sources(storage: StorageSpec) -> Iterator[str]:
    """Yield the sources of a bucket on another server than Amazon's: its folder there, or its own host."""
    scheme, _, server = storage.visited_endpoint.rstrip("/").partition("://")
    if storage.style != "virtual":
        yield f"{scheme}://{server}/{storage.bucket}/"
    if storage.style != "path":
        yield f"{scheme}://{storage.bucket}.{server}"


def sources_of(values: object) -> list[str] | None:
    """Return a directive's sources as Django reads them; None for a directive that is left out."""
    if values is None or values is False:
        return None
    if values is True:
        return []
    if isinstance(values, set | frozenset):
        return sorted(values)
    return list(values) if isinstance(values, list | tuple) else [str(values)]


def split_sources(sources: list[str]) -> list[str]:
    """Return single sources, in lower case; the project may have written several in one string."""
    return " ".join(map(str, sources)).lower().split()


def add_media_sources(policy: Mapping[object, object], own: list[str]) -> dict[object, object]:
    extended = dict(policy)
    for directive in MEDIA if own else ():
        sources = sources_of(policy.get(directive))
        if sources is None:
            sources = sources_of(policy.get(FALLBACK))
        if sources is None or EVERYWHERE.intersection(split_sources(sources)):
            continue
        kept = [source for source in sources if source != NONE]
        extended[directive] = [*kept, *(source for source in own if source not in kept)]
    return extended


def policy_problems(name: str, policy: Mapping[object, object], site: SiteSpec) -> Iterator[Problem]:
    for directive, values in policy.items():
        sources = split_sources(sources_of(values) or [])
        # A browser that supports strict-dynamic ignores hosts beside it; they are for older browsers.
        judges_all = directive in RUNS and STRICT not in sources
        for source in sources:
            if is_shared(source) or (judges_all and source in EVERYWHERE):
                yield Problem(
                    name,
                    f"The source {shown(source)} of {shown(str(directive))} allows what editors of other sites "
                    "upload. Name the platform's hosts only; the host of the site's own bucket is added automatically.",
                    site.id,
                )


def is_shared(source: str) -> bool:
    """Return whether a source covers the buckets of several owners."""
    if source.startswith(("'", "<")):
        return False
    host, _, path = (source.partition("://")[2] or source).lstrip("/").partition("/")
    host = host.partition(":")[0].rstrip(".")
    is_wildcard = host.startswith("*.")
    name = host.removeprefix("*.")
    for shared, free in SHARED_HOSTS.items():
        if name != shared and not name.endswith(f".{shared}"):
            # A wildcard over several providers at once, such as *.com.
            if is_wildcard and shared.endswith(f".{name}"):
                return True
            continue
        labels = name.removesuffix(shared).rstrip(".").split(".") if name != shared else []
        names_bucket = len(labels) > free and not is_service(labels)
        if is_wildcard or not (names_bucket or path.strip("/")):
            return True
    return False


def is_service(labels: list[str]) -> bool:
    """Return whether the labels before amazonaws.com name S3 itself and not a bucket."""
    return labels[0] == "s3" or (labels[0].startswith("s3-") and len(labels) == 1) or labels[0] == "s3-accelerate"
