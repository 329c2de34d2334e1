# SPDX-License-Identifier: Apache-2.0
"""The StorageCredential's definition as it was before hops and fields were added to it."""

from typing import Any

from lokeys.core.route.resource.crd import crd

NEW_HOPS = ("values", "release")
NEW_FIELDS = ("madeBy", "values", "inside", "kind")


def older_crd() -> dict[str, Any]:
    """Return the definition that a cluster has which was not upgraded with the operator."""
    definition = crd()
    schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    status = schema["properties"]["status"]["properties"]
    for place, name in (("hops", "name"), ("findings", "hop")):
        field = status[place]["items"]["properties"][name]
        field["enum"] = [word for word in field["enum"] if word not in NEW_HOPS]
    secret = schema["properties"]["spec"]["properties"]["secret"]
    del secret["x-kubernetes-validations"]
    for field in NEW_FIELDS:
        del secret["properties"][field]
    return definition
