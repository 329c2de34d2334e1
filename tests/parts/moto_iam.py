# SPDX-License-Identifier: Apache-2.0
"""AWS's IAM, as moto plays it: signatures are verified, and who lacks a right is refused."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import httpx2
from botocore.config import Config
from botocore.session import Session

from parts import packages
from parts.process import Folder, PartError, Process, free_ports, wait_for

HOST = "127.0.0.1"
EVERYTHING = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*"}}
EVERYTHING["Statement"]["Resource"] = "*"  # type: ignore[index]


class MotoIam:
    """One account's IAM at one address, and an administrator of it."""

    def __init__(self) -> None:
        self._folder = Folder("moto")
        (self.port,) = free_ports(1)
        self.endpoint = f"http://{HOST}:{self.port}"
        self._process: Process | None = None
        self.administrator: Mapping[str, str] = {}

    def start(self, *, checked: bool = True) -> None:
        """Start it, make the administrator, and from then on let in whoever has a right.

        Not `checked`: let in anybody.
        """
        packages_folder = packages.moto()
        if packages_folder is None:
            raise PartError("moto is not installed here: run `make parts`")
        argv = (sys.executable, "-m", "moto.server", "-H", HOST, "-p", self.port)
        log = self._folder.path / "moto.log"
        variables = {"PYTHONPATH": str(packages_folder), "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = Process(argv, log=log, env=variables, cwd=self._folder.path)
        wait_for(self._answers, "moto answers", processes=[self._process])
        anybody = self.client({"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"})
        self.administrator = self.make_user("administrator", EVERYTHING, by=anybody)
        answer = self._api("reset-auth", b"0" if checked else b"inf")
        assert answer.is_success, answer.text

    def client(self, pair: Mapping[str, str] | None = None, *, service: str = "iam") -> Any:
        """Return botocore's client of IAM, as the administrator or as whose pair is given."""
        pair = pair or self.administrator
        return Session().create_client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=pair["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=pair["AWS_SECRET_ACCESS_KEY"],
            config=Config(proxies={}, retries={"max_attempts": 0}, read_timeout=10),
        )

    def make_user(self, name: str, policy: Any = None, *, by: Any = None) -> dict[str, str]:
        """Return the variables by which AWS's tools log in as a new user."""
        iam = by or self.client()
        iam.create_user(UserName=name)
        if policy:
            document = json.dumps(policy)
            iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=document)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }

    def make_role(self, name: str, trust: Any, policy: Any = None) -> str:
        """Return the ARN of a new role."""
        iam = self.client()
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]
        if policy:
            document = json.dumps(policy)
            iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=document)
        return str(role["Arn"])

    def make_bucket(self, name: str) -> None:
        """Make a bucket of S3 in the account."""
        self.client(service="s3").create_bucket(Bucket=name)

    def stop(self) -> None:
        if self._process:
            self._process.kill()
        self._folder.remove()

    def _answers(self) -> bool:
        try:
            return self._api("reset-auth", b"inf").is_success
        except httpx2.TransportError:
            return False

    def _api(self, name: str, body: bytes) -> httpx2.Response:
        url = f"{self.endpoint}/moto-api/{name}"
        return httpx2.post(url, content=body, trust_env=False, timeout=5)
