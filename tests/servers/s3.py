"""A private S3 server over HTTP: moto's, which also has IAM users and, when asked, enforces their policies."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests
from botocore.config import Config

from tests.servers.accounts import OTHERS
from tests.servers.processes import free_port, running, wait_for

REGION = "us-east-1"


@dataclass(frozen=True)
class AccessKeys:
    """What a client signs its requests with."""

    access_key: str
    secret_key: str


OPERATOR = AccessKeys("operator", "operator")


@dataclass(frozen=True)
class S3Server:
    """The server at ``endpoint``."""

    endpoint: str

    @contextlib.contextmanager
    def client(self, service: str = "s3", keys: AccessKeys = OPERATOR) -> Iterator[Any]:
        client = boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            config=Config(s3={"addressing_style": "path"}),
        )
        with contextlib.closing(client):
            yield client

    def add_bucket(self, name: str) -> None:
        # In one process moto's servers have the same buckets.
        with self.client() as client, contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket=name)

    def add_user(self, name: str, bucket: str) -> AccessKeys:
        """Make an IAM user who may do everything with ``bucket``, and nothing else."""
        resources = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
        policy = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": resources}],
        }
        with self.client("iam") as iam:
            iam.create_user(UserName=name)
            iam.put_user_policy(UserName=name, PolicyName="own-bucket", PolicyDocument=json.dumps(policy))
            created = iam.create_access_key(UserName=name)["AccessKey"]
        return AccessKeys(created["AccessKeyId"], created["SecretAccessKey"])

    def enforce_policies(self) -> None:
        """From now on, refuse what a user's policies do not allow."""
        # https://docs.getmoto.org/en/latest/docs/iam.html
        requests.post(f"{self.endpoint}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()

    def names(self, bucket: str) -> list[str]:
        """Return the names of the objects in ``bucket``."""
        with self.client() as client:
            return [item["Key"] for item in client.list_objects_v2(Bucket=bucket).get("Contents", [])]

    def is_up(self) -> bool:
        try:
            return requests.get(f"{self.endpoint}/moto-api/", timeout=10).ok
        except requests.ConnectionError:
            return False


@contextlib.contextmanager
def running_s3(folder: Path, python: Path) -> Iterator[S3Server]:
    OTHERS.folder(folder, 0o700)
    port = free_port()
    server = S3Server(f"http://127.0.0.1:{port}")
    serve = OTHERS.command(python, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port))
    with running(serve, folder / "s3.log", cwd=folder):
        wait_for(server.is_up, "the S3 server")
        yield server
