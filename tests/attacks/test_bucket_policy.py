"""
A site's access keys, with the documented policy, against a neighbour's bucket and the rules of its own.

moto enforces the policies of users, and some things otherwise than S3. It does not ask for the right to read the source
of a copy (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html), so that this is tried by what the
policy says. To see a bucket it asks for an action of its own, where S3 asks for s3:ListBucket
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html), and to delete many objects for one, too.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError

from tests.servers.s3 import AccessKeys, S3Server, running_s3
from tests.servers.workshop import Workshop

pytestmark = pytest.mark.servers

POLICY = json.loads((Path(__file__).parents[2] / "docs/examples/bucket-policy.json").read_text())
OWN, NEIGHBOURS = "aviary--aurora", "aviary--borealis"
KEY = "secret.txt"
RULES = {"Version": "2012-10-17", "Statement": []}
CORS = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}

Attack = Callable[[Any, str], Any]
#: What changes who may do what with a bucket, or where its objects go: refused for the site's own bucket, too.
RULE_ATTACKS: dict[str, Attack] = {
    "read the policy": lambda s3, bucket: s3.get_bucket_policy(Bucket=bucket),
    "write a policy": lambda s3, bucket: s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(RULES)),
    "delete the policy": lambda s3, bucket: s3.delete_bucket_policy(Bucket=bucket),
    "read the bucket's ACL": lambda s3, bucket: s3.get_bucket_acl(Bucket=bucket),
    "open the bucket": lambda s3, bucket: s3.put_bucket_acl(Bucket=bucket, ACL="public-read-write"),
    "read an object's ACL": lambda s3, bucket: s3.get_object_acl(Bucket=bucket, Key=KEY),
    "open an object": lambda s3, bucket: s3.put_object_acl(Bucket=bucket, Key=KEY, ACL="public-read"),
    "list versions": lambda s3, bucket: s3.list_object_versions(Bucket=bucket),
    "read a version": lambda s3, bucket: s3.get_object(Bucket=bucket, Key=KEY, VersionId="null"),
    "keep versions": lambda s3, bucket: s3.put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Suspended"}
    ),
    "list uploads in parts": lambda s3, bucket: s3.list_multipart_uploads(Bucket=bucket),
    "change CORS": lambda s3, bucket: s3.put_bucket_cors(Bucket=bucket, CORSConfiguration=CORS),
    "change tags": lambda s3, bucket: s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": []}),
    "read where it lies": lambda s3, bucket: s3.get_bucket_location(Bucket=bucket),
    "make it a website": lambda s3, bucket: s3.put_bucket_website(
        Bucket=bucket, WebsiteConfiguration={"IndexDocument": {"Suffix": "index.html"}}
    ),
    "delete the bucket": lambda s3, bucket: s3.delete_bucket(Bucket=bucket),
}
#: What a site does with its own bucket, and not with a neighbour's.
USES: dict[str, Attack] = {
    "list": lambda s3, bucket: s3.list_objects_v2(Bucket=bucket),
    "list as of old": lambda s3, bucket: s3.list_objects(Bucket=bucket),
    "read": lambda s3, bucket: s3.get_object(Bucket=bucket, Key=KEY),
    "see": lambda s3, bucket: s3.head_object(Bucket=bucket, Key=KEY),
    "write": lambda s3, bucket: s3.put_object(Bucket=bucket, Key="new.txt", Body=b""),
    "write in parts": lambda s3, bucket: s3.create_multipart_upload(Bucket=bucket, Key="new.txt"),
    "copy within": lambda s3, bucket: s3.copy_object(Bucket=bucket, Key="new.txt", CopySource=f"{bucket}/{KEY}"),
    "copy a neighbour's into it": lambda s3, bucket: s3.copy_object(
        Bucket=bucket, Key="new", CopySource=f"{OWN}/{KEY}"
    ),
    "delete": lambda s3, bucket: s3.delete_object(Bucket=bucket, Key="new.txt"),
}
#: What moto refuses to everybody who has the documented actions alone.
SEEN: dict[str, Attack] = {
    "see the bucket": lambda s3, bucket: s3.head_bucket(Bucket=bucket),
    "delete many": lambda s3, bucket: s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "new.txt"}]}),
}
#: What belongs to the account and to no bucket.
ACCOUNT: dict[str, Attack] = {
    "list the buckets": lambda s3, bucket: s3.list_buckets(),
    "make a bucket": lambda s3, bucket: s3.create_bucket(Bucket="aviary--corona"),
}


#: HEAD has no body, so that its error has the number alone.
DENIED = ("AccessDenied", "403")


class Buckets(NamedTuple):
    """A server with two buckets, and the keys of the first one's site."""

    server: S3Server
    keys: AccessKeys

    def outcome(self, attack: Attack, bucket: str) -> str:
        """Return the code of the error that an operation ends in; "done" when it does what it says."""
        with self.server.client(keys=self.keys) as client:
            try:
                answer = attack(client, bucket)
            except ClientError as error:
                return str(error.response["Error"]["Code"])
        # Deleting many at once says it for each.
        return str(answer["Errors"][0]["Code"]) if answer.get("Errors") else "done"


@contextlib.contextmanager
def opened_buckets(folder: Path, python: Path) -> Iterator[Buckets]:
    with running_s3(folder, python) as server:
        for bucket in (OWN, NEIGHBOURS):
            server.add_bucket(bucket)
            with server.client() as client:
                client.put_object(Bucket=bucket, Key=KEY, Body=bucket.encode())
        with server.client("iam") as iam:
            iam.create_user(UserName="aurora")
            iam.put_user_policy(UserName="aurora", PolicyName="own", PolicyDocument=json.dumps(POLICY))
            created = iam.create_access_key(UserName="aurora")["AccessKey"]
        server.enforce_policies()
        yield Buckets(server, AccessKeys(created["AccessKeyId"], created["SecretAccessKey"]))


@pytest.fixture(name="buckets", scope="module")
def _buckets(workshop: Workshop) -> Iterator[Buckets]:
    with opened_buckets(workshop.folder / "policy-s3", workshop.python) as found:
        yield found


def test_a_site_uses_its_own_bucket(buckets: Buckets) -> None:
    """The policy allows what the storage and its mark do."""
    assert {name: buckets.outcome(use, OWN) for name, use in USES.items()} == dict.fromkeys(USES, "done")


@pytest.mark.parametrize("name", [*USES, *SEEN, *RULE_ATTACKS])
def test_a_neighbours_bucket_is_closed(buckets: Buckets, name: str) -> None:
    """No operation reads, lists, writes or deletes anything of the neighbour's, nor its rules."""
    assert buckets.outcome({**USES, **SEEN, **RULE_ATTACKS}[name], NEIGHBOURS) in DENIED


@pytest.mark.parametrize("name", [*RULE_ATTACKS, *ACCOUNT])
def test_the_rules_of_its_own_bucket_are_not_the_sites(buckets: Buckets, name: str) -> None:
    """Hostile code opens its bucket to nobody, and keeps nothing by a rule that outlives its keys."""
    assert buckets.outcome({**RULE_ATTACKS, **ACCOUNT}[name], OWN) in DENIED


def test_the_source_of_a_copy_is_the_sites_own() -> None:
    """The right to read, which S3 asks for at a copy's source, ends at the site's bucket, whatever the key."""
    readable = [
        statement["Resource"]
        for statement in POLICY["Statement"]
        if any(fnmatch.fnmatchcase("s3:GetObject", action) for action in statement["Action"])
    ]
    assert readable
    for bucket in (NEIGHBOURS, f"{OWN}-2", "aviary"):
        assert not [pattern for pattern in readable if fnmatch.fnmatchcase(f"arn:aws:s3:::{bucket}/{KEY}", pattern)]
