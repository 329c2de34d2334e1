# SPDX-License-Identifier: Apache-2.0
"""The `aws` tool, as far as it is printed: its words become a call of botocore, as they do there.

python -m trust.aws_tool iam create-role --role-name x … prints the answer as JSON.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.session import Session

_ABOUT_THE_CALL = ("--endpoint-url", "--region", "--query", "--output")


def main(argv: Sequence[str]) -> int:
    service, command, *rest = argv
    said = dict(_flags(rest))
    about = {flag: said.pop(flag)[0] for flag in _ABOUT_THE_CALL if flag in said}
    client = Session().create_client(
        service,
        endpoint_url=about.get("--endpoint-url"),
        region_name=about.get("--region", "us-east-1"),
        config=Config(proxies={}, retries={"max_attempts": 0}, read_timeout=10),
    )
    operation = command.replace("-", "_")
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    members = model.input_shape.members
    parameters: dict[str, Any] = {}
    for name, shape in members.items():
        values = said.pop(f"--{xform_name(name, '-')}", None)
        if values is not None:
            parameters[name] = values if shape.type_name == "list" else _content(values[0])
    if said:
        sys.stderr.write(f"unknown options: {', '.join(said)}\n")
        return 252
    try:
        answer = getattr(client, operation)(**parameters)
    except ClientError as error:
        sys.stderr.write(f"{error}\n")
        return 254
    answer.pop("ResponseMetadata", None)
    sys.stdout.write(json.dumps(answer, default=str) + "\n")
    return 0


def _flags(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    at = 0
    while at < len(words):
        end = at + 1
        while end < len(words) and not words[end].startswith("--"):
            end += 1
        yield words[at], list(words[at + 1 : end])
        at = end


def _content(value: str) -> str:
    return Path(value[7:]).read_text() if value.startswith("file://") else value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
