"""The examples of containers: their own programs read them, and what they promise holds."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.examples.tools import EXAMPLES, ROOT, read_objects, read_yaml, run_tool
from wagtail_multihost.registry import open_registry

DOCKERFILE = (EXAMPLES / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
#: Where the image keeps the site's data, and finds its snapshot.
DATA, SNAPSHOTS = "/var/lib/mysite", "/run/multihost/sites/"


def instructions(word: str) -> list[str]:
    """Return what follows an instruction of the Dockerfile."""
    return re.findall(rf"^{word} (.*)$", DOCKERFILE, re.MULTILINE)


def container_of(deployment: Any) -> Any:
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    return container


def test_dockerfile_passes_hadolint() -> None:
    """Not even a hint is left."""
    run_tool("hadolint", "--no-color", "--failure-threshold", "style", EXAMPLES / "Dockerfile")


def test_image_is_pinned_and_no_roots() -> None:
    """Each base has a whole version, packages have hashes, and the last account is a number that is not root's."""
    assert all(re.fullmatch(r"python:\d+\.\d+\.\d+-slim( AS \w+)?", base) for base in instructions("FROM"))
    assert "--require-hashes" in DOCKERFILE
    assert instructions("USER") == ["10001:10001"]
    assert DOCKERFILE.index("COPY requirements.txt") < DOCKERFILE.index("pip install") < DOCKERFILE.index("COPY . .")


def test_static_files_are_collected_in_build_mode(tmp_path: Path) -> None:
    """The image's own line collects them: without a registry, a site, a secret or a server."""
    project = tmp_path / "project"
    shutil.copytree(ROOT / "example_project", project, ignore=shutil.ignore_patterns("data", "static", "sites.toml"))
    [line] = [line for line in instructions("RUN") if "manage.py" in line]
    words = shlex.split(line)
    assert words[0] == "python" and DOCKERFILE.index(line) < DOCKERFILE.index("USER ")
    environ = {"DJANGO_SETTINGS_MODULE": "example.settings"}
    command = [sys.executable, *words[1:]]
    done = subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (project / "static" / "wagtailadmin").is_dir()
    assert not (project / "data").exists()


def test_compose_file_is_one() -> None:
    """The schema of Compose accepts it."""
    run_tool("check-jsonschema", "--builtin-schema", "vendor.compose-spec", EXAMPLES / "compose.yaml")


def test_objects_are_those_of_kubernetes() -> None:
    """The schemas of Kubernetes accept every object, and know each of its keys."""
    printed = run_tool("kubernetes-validate", "--strict", EXAMPLES / "kubernetes.yaml")
    assert [printed.count(f"resource {kind}/aurora") for kind in ("deployment", "service")] == [1, 1]


def compose_variables() -> dict[str, str]:
    found: dict[str, str] = read_yaml("compose.yaml")["services"]["aurora"]["environment"]
    return found


def kubernetes_variables() -> dict[str, str]:
    return {
        entry["name"]: entry["value"] for entry in container_of(read_objects("kubernetes.yaml")["Deployment"])["env"]
    }


@pytest.mark.parametrize("read", [compose_variables, kubernetes_variables])
def test_examples_of_containers_are_in_production(read: Any) -> None:
    """Their variables are a valid registry in production, of a site with a key of its own and nothing local."""
    variables = read()
    platform, (site,), _ = open_registry(None, variables).load()
    assert platform.environment == "production"
    assert site.secret_key is not None
    assert (site.database.engine, site.cache.backend, site.storage.backend) == ("postgresql", "redis", "s3")
    assert str(platform.data) == DATA
    assert variables["MULTIHOST_REGISTRY"] == "env:"


def test_service_of_a_snapshot_gets_that_one_file() -> None:
    """It is where the image looks for it, cannot be written, and no neighbour's is beside it."""
    assert f"ENV MULTIHOST_REGISTRY={SNAPSHOTS}" in DOCKERFILE
    service = read_yaml("compose.yaml")["services"]["borealis"]
    [mount] = [volume for volume in service["volumes"] if isinstance(volume, dict)]
    assert service["environment"] == {"MULTIHOST_SITE": "borealis"}
    assert mount["target"] == f"{SNAPSHOTS}borealis.json"
    assert (mount["read_only"], Path(mount["source"]).name) == (True, "borealis.json")


@pytest.mark.parametrize("name", ["aurora", "borealis"])
def test_service_can_do_no_more_than_it_needs(name: str) -> None:
    """Each service writes to its own volume alone, without privileges or limits that others share, on no open port."""
    service = read_yaml("compose.yaml")["services"][name]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"] and service["pids_limit"]
    assert f"{name}:{DATA}" in service["volumes"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_pod_can_do_no_more_than_it_needs() -> None:
    """It is the image's account, without privileges, writes to two bounded volumes, and has limits."""
    pod = read_objects("kubernetes.yaml")["Deployment"]["spec"]["template"]["spec"]
    [container] = pod["containers"]
    account = pod["securityContext"]
    assert f"{account['runAsUser']}:{account['runAsGroup']}" == instructions("USER")[0]
    assert (account["runAsNonRoot"], account["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert (pod["automountServiceAccountToken"], pod["enableServiceLinks"]) == (False, False)
    assert container["resources"]["limits"]["memory"] and container["resources"]["requests"]
    bounded = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume and volume["emptyDir"]["sizeLimit"]}
    writable = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"] if not mount.get("readOnly")}
    assert writable == {DATA: "data", "/tmp": "tmp"}
    assert bounded == set(writable.values())


def test_services_and_policies_are_about_the_pod() -> None:
    """Every selector and port is the pod's."""
    objects = read_objects("kubernetes.yaml")
    deployment, container = objects["Deployment"], container_of(objects["Deployment"])
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert objects["Service"]["spec"]["selector"] == labels
    assert objects["Service"]["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]
    assert objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    assert objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
