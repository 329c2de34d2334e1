# SPDX-License-Identifier: Apache-2.0
"""A LokiStack's spec, and the whole document as it is read."""

from __future__ import annotations

import re

from lokeys.core.schema.language import Anything, Fields, Flag, Integer, ListOf, MapOf, Text
from lokeys.core.stack.resource.fields.limits import LIMITS
from lokeys.core.stack.resource.fields.template import TEMPLATE
from lokeys.core.stack.resource.fields.tenants import TENANTS
from lokeys.core.stack.resource.fields.texts import (
    authority,
    calendar_date,
    ignored,
    label_key,
    line,
    object_name,
)
from lokeys.core.stack.resource.model import SchemaVersion, Size
from lokeys.core.stack.storage.model import CredentialMode, StorageType

NAME_LIMIT = 43
"""The longest name of an object made for a stack ends in `-query-frontend-http`."""
RULE_SETS = ("None", "RestrictIngressEgress")
DEFAULT_SCHEMAS = [{"effectiveDate": "2020-10-11", "version": "v11"}]

_NAME = re.compile(rf"[a-z]([-a-z0-9]{{0,{NAME_LIMIT - 2}}}[a-z0-9])?")

SCHEMA = Fields(
    "",
    {
        "version": Text("The version of the schema.", choices=tuple(SchemaVersion)),
        "effectiveDate": Text(
            "The first day of the schema, in UTC, such as 2024-10-01.",
            accepts=calendar_date,
            says="a date such as 2024-10-01",
            published={"pattern": "^([0-9]{4,})([-]([0-9]{2})){2}$"},
        ),
    },
    required=("version", "effectiveDate"),
)
# Type and mode are judged together with the Secret, not here.
_SECRET = Fields(
    "The Secret that names the bucket and, in mode static, holds the keys.",
    {
        "name": object_name("Its name, in the stack's namespace."),
        "type": Text("The kind of store.", published={"enum": [*map(str, StorageType)]}),
        "credentialMode": Text(
            "How Loki proves who it is: static keys, short-lived tokens, or tokens that the Cloud "
            "Credential Operator sets up. Left out, it follows from the Secret and the cluster.",
            published={"enum": [*map(str, CredentialMode)]},
        ),
    },
    required=("name", "type"),
)
_STORAGE = Fields(
    "Where log lines are kept, and with which credentials.",
    {
        "schemas": ListOf(
            "Loki's storage schemas and since when each is in force, oldest first.",
            SCHEMA,
            default=DEFAULT_SCHEMAS,
            published={"minItems": 1},
        ),
        "secret": _SECRET,
        "tls": authority("A CA of the store's own."),
    },
    required=("secret",),
)
_ZONE = Fields(
    "",
    {
        "topologyKey": label_key("The label."),
        "maxSkew": Integer(
            "By how many pods two values of the label may differ.",
            least=1,
            default=1,
            published={},
        ),
    },
    required=("topologyKey",),
)
_REPLICATION = Fields(
    "How many copies of a line are kept, and how pods are spread.",
    {
        "factor": Integer("How many ingesters hold each line.", least=1),
        "zones": ListOf("Labels of nodes over which the pods are spread.", _ZONE),
    },
)
_HASH_RING = Fields(
    "How Loki's pods find each other.",
    {
        "type": Text("The kind of ring.", choices=("memberlist",), default="memberlist"),
        "memberlist": Fields(
            "The ring that needs no other system.",
            {
                "enableIPv6": Flag("Whether the ring uses IPv6."),
                "instanceAddrType": Text(
                    "Which address a pod announces: found by Loki, or the pod's IP.",
                    choices=("default", "podIP"),
                ),
            },
        ),
    },
)
_PROXY = Fields(
    "The HTTP proxy between Loki and its store.",
    {
        "httpProxy": line("For http addresses."),
        "httpsProxy": line("For https addresses."),
        "noProxy": line("Hosts that are reached without it, with commas between."),
    },
)
SPEC = Fields(
    "What is wanted.",
    {
        "managementState": Text(
            "Managed: lokeys keeps the stack's objects. Unmanaged: it writes none, unless it has "
            "taken the stack over.",
            choices=("Managed", "Unmanaged"),
            default="Managed",
        ),
        "size": Text(
            "How much the stack is made for: replicas, requests and limits follow from it.",
            choices=tuple(Size),
        ),
        "storage": _STORAGE,
        "storageClassName": object_name("The storage class of Loki's volumes."),
        "replication": _REPLICATION,
        "replicationFactor": Integer("Older name of replication.factor; never both.", least=1),
        "hashRing": _HASH_RING,
        "proxy": _PROXY,
        "rules": Fields(
            "Whether rules are evaluated, and which.",
            {
                "enabled": Flag("Whether there is a ruler."),
                "selector": ignored(),
                "namespaceSelector": ignored(),
            },
            required=("enabled",),
        ),
        "limits": LIMITS,
        "template": TEMPLATE,
        "tenants": TENANTS,
        "networkPolicies": Fields(
            "What may reach Loki, and what Loki may reach.",
            {"ruleSet": Text("None, or only what Loki needs.", choices=RULE_SETS)},
            required=("ruleSet",),
        ),
    },
    required=("size", "storage", "storageClassName"),
)
_METADATA = Fields(
    "",
    {
        "name": Text(
            "The stack's name.",
            accepts=_NAME.fullmatch,
            says=f"lower-case letters, digits and -, beginning with a letter, at most {NAME_LIMIT}",
        ),
        "namespace": object_name("Its namespace."),
        "uid": line(),
        "labels": MapOf("", Text("")),
        "annotations": MapOf("", Text("")),
    },
    required=("name",),
    open=True,
)
_APPLIED = Fields("", {"schemas": ListOf("", SCHEMA)}, open=True)
DOCUMENT = Fields(
    "",
    {
        "apiVersion": Anything(""),
        "kind": Anything(""),
        "metadata": _METADATA,
        "spec": SPEC,
        "status": Fields("", {"storage": _APPLIED}, open=True),
    },
    required=("metadata", "spec"),
)
"""The parts of a manifest that are read; of its status, the applied schemas."""
