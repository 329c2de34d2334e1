# SPDX-License-Identifier: Apache-2.0
"""LK01xx, of objects as a whole: Secrets and CAs that are not there, or there twice."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.text.shell import command

MISSING_STORAGE_SECRET = Rule(
    code="LK0101",
    title="the storage Secret is not there",
    message="{stack_ref} takes its storage from {place}, which {where}",
    meaning="spec.storage.secret.name points at a Secret that is not among the objects given, and "
    "no ExternalSecret or SealedSecret there makes it.",
    why="Without it no Loki pod that reaches the storage can start.",
    remedy=(
        Remedy(
            text="hand in its manifest, too; what the cluster has can be looked at with",
            command=command("kubectl -n {namespace} get secret {name}"),
        ),
        Remedy(text="where Secrets are kept elsewhere: `lokeys validate --secrets optional`"),
    ),
    fault="missing_storage_secret",
    rank=10,
)
MISSING_MANAGED_SECRET = Rule(
    code="LK0102",
    title="the managed credentials are not there",
    message="{stack_ref} is in mode token-cco, and {place} {where}",
    meaning="In token-cco the Cloud Credential Operator answers the stack's CredentialsRequest "
    "with a Secret named after the stack. It is made in the cluster, and in no manifest: for "
    "manifests alone say `--secrets optional`.",
    why="The pods mount it: until it is there, they cannot start.",
    remedy=(
        Remedy(
            text="see what the Cloud Credential Operator says of the request",
            command=command("kubectl -n {namespace} describe credentialsrequest {stack}"),
        ),
        Remedy(
            text="where manifests are judged before they are applied: "
            "`lokeys validate --secrets optional` takes it for granted"
        ),
    ),
    fault="missing_managed_secret",
    rank=40,
)
MISSING_CA_CONFIGMAP = Rule(
    code="LK0125",
    title="the CA's ConfigMap is not there",
    message="{stack_ref} trusts the CA in {place}, which {where}",
    meaning="spec.storage.tls.caName points at a ConfigMap that is not there.",
    why="The pods mount it: without it they do not start.",
    remedy=(
        Remedy(
            text="make it of the CA's file",
            command=command(
                "kubectl -n {namespace} create configmap {name} --from-file={key}=ca.crt"
            ),
        ),
    ),
    fault="missing_ca_configmap",
    rank=11,
)
BAD_CA_CONFIGMAP = Rule(
    code="LK0126",
    title="no usable CA in the ConfigMap",
    message="{place}: `{field}` {found}; expected {expected}",
    meaning="The key holds one certificate or more in PEM, valid today, and nothing secret.",
    why="Without a valid CA every TLS connection to the store fails; and anybody may read a "
    "ConfigMap.",
    remedy=(
        Remedy(
            text="make it anew of the CA's file",
            command=command(
                "kubectl -n {namespace} create configmap {name} --from-file={field}=ca.crt "
                "--dry-run=client -o yaml"
            ).pipe("kubectl apply -f -"),
        ),
    ),
    fault="bad_ca_configmap",
    rank=19,
)
DUPLICATE_OBJECT = Rule(
    code="LK0132",
    severity=Severity.WARNING,
    title="the same object twice, with different contents",
    message="{place} stands in the input {count} times, and not always the same",
    meaning="Which of them ends up in the cluster depends on the order in which they are applied.",
    why="What is said here is true of one of them only.",
    remedy=(Remedy(text="leave out those that are not meant"),),
    fault="duplicate_object",
    rank=62,
)
EXTERNAL_SECRET_KEPT_OUT = Rule(
    code="LK0135",
    severity=Severity.WARNING,
    title="an ExternalSecret writes to what another one owns",
    message="{place} (creationPolicy {policy}) has {secret} as its target, which {owner} owns",
    meaning="One ExternalSecret owns a Secret (creationPolicy Owner, or no word of it); External "
    "Secrets refuses all others: `target is owned by another ExternalSecret`.",
    why="What it should bring never arrives, though the Secret is there.",
    remedy=(
        Remedy(text="let one ExternalSecret bring all keys"),
        Remedy(
            text="or let none own the Secret: creationPolicy Orphan for the one that makes it, "
            "Merge for the others",
            command=command("kubectl -n {namespace} edit externalsecret {name}"),
        ),
    ),
    fault="target_owned_by_other",
    rank=61,
)
BAD_STORAGE_CREDENTIAL = Rule(
    code="LK0134",
    title="a StorageCredential that the API server would refuse",
    message="{place}: {problem}",
    meaning="A field is missing, unknown, or holds what it cannot.",
    why="The resource cannot be created, so nobody keeps this key right.",
    remedy=(Remedy(text="docs/reference/storagecredential.md says what each field is"),),
    rank=12,
)
