# SPDX-License-Identifier: Apache-2.0
"""LK01xx, of objects as a whole: Secrets and CAs that are not there, or there twice."""

from __future__ import annotations

from typing import LiteralString

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.text.shell import Json, command


def _go_template(text: LiteralString) -> str:
    """Return a word for `kubectl -o`, in which `@name` is the object's name."""
    braces = text.replace("{", "{{").replace("}", "}}")
    return "go-template=" + braces.replace("@name", "{name}")


_OF_CLAIM = _go_template(
    '{"apiVersion":"v1","kind":"Secret","metadata":{"name":"@name-loki"},'
    "{{with (index .items 0).data}}"
    '"data":{"access_key_id":"{{.AWS_ACCESS_KEY_ID}}",'
    '"access_key_secret":"{{.AWS_SECRET_ACCESS_KEY}}"},{{end}}'
    '{{with (index .items 1).data}}"stringData":{"bucketnames":{{printf `%q` .BUCKET_NAME}},'
    '"endpoint":{{if eq .BUCKET_PORT `443`}}'
    "{{printf `https://%s:%s` .BUCKET_HOST .BUCKET_PORT | printf `%q`}}"
    "{{else}}{{printf `http://%s:%s` .BUCKET_HOST .BUCKET_PORT | printf `%q`}}{{end}}"
    "}{{end}}}"
)
"""Whoever writes the ConfigMap may put quotes into it, so it is quoted; the pair is base64."""

MISSING_STORAGE_SECRET = Rule(
    code="LK0101",
    title="the storage Secret does not exist",
    message="{stack_ref} needs {place} for its storage, which {where}",
    meaning="spec.storage.secret.name names a Secret that is not among the given objects, and "
    "none of them creates it.",
    why="Without it, no Loki pod that uses the storage can start.",
    remedy=(
        Remedy(
            text="pass its manifest, too; to see whether the cluster has it",
            command=command("kubectl -n {namespace} get secret {name}"),
        ),
        Remedy(text="if Secrets are kept elsewhere, use `lokeys validate --secrets optional`"),
    ),
    fault="missing_storage_secret",
    rank=10,
)
MISSING_MANAGED_SECRET = Rule(
    code="LK0102",
    title="the managed credentials do not exist",
    message="{stack_ref} is in mode token-cco, and {place} {where}",
    meaning="In token-cco the Cloud Credential Operator answers the stack's CredentialsRequest "
    "with a Secret named after the stack. That Secret exists only in the cluster, never in a "
    "manifest: to check manifests alone, use `--secrets optional`.",
    why="The pods mount the Secret and cannot start without it.",
    remedy=(
        Remedy(
            text="to see the status of the request",
            command=command("kubectl -n {namespace} describe credentialsrequest {stack}"),
        ),
        Remedy(
            text="to check manifests before they are applied, use `lokeys validate --secrets "
            "optional`, which assumes that the Secret exists"
        ),
    ),
    fault="missing_managed_secret",
    rank=40,
)
MISSING_CA_CONFIGMAP = Rule(
    code="LK0125",
    title="the CA's ConfigMap does not exist",
    message="{stack_ref} trusts the CA in {place}, which {where}",
    meaning="spec.storage.tls.caName names a ConfigMap that does not exist.",
    why="The pods mount it and do not start without it.",
    remedy=(
        Remedy(
            text="create it from the CA's file",
            command=command(
                "kubectl -n {namespace} create configmap {name} --from-file={key}=ca.crt"
            ),
        ),
    ),
    fault="missing_ca_configmap",
    rank=11,
)
TAKE_OUT = Remedy(text="remove it from the original of the CA's file")
BAD_CA_CONFIGMAP = Rule(
    code="LK0126",
    title="the CA's ConfigMap is not valid",
    message="{place}: `{field}` {found}; expected {expected}",
    meaning="The key holds one or more certificates in PEM format and nothing secret. Loki trusts "
    "those that are valid today and ignores the others; it is an error only if none is valid.",
    why="Without a valid CA every TLS connection to the store fails. A certificate signed by an "
    "expired CA is refused. A ConfigMap is not protected like a Secret.",
    remedy=(
        Remedy(
            text="recreate it from the CA's file, if nothing else writes the ConfigMap",
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
    title="the same object is given twice, with different contents",
    message="{place} is in the input {count} times, with different contents",
    meaning="Which of them ends up in the cluster depends on the order in which they are applied.",
    why="The findings are about only one of them.",
    remedy=(Remedy(text="remove the ones that you do not want"),),
    fault="duplicate_object",
    rank=62,
)
EXTERNAL_SECRET_KEPT_OUT = Rule(
    code="LK0135",
    severity=Severity.WARNING,
    title="an ExternalSecret writes to a Secret that another ExternalSecret owns",
    message="the target of {place} (creationPolicy {policy}) is {secret}, which {owner} owns",
    meaning="One ExternalSecret owns a Secret (creationPolicy Owner, which is the default). "
    "External Secrets refuses all others: `target is owned by another ExternalSecret`.",
    why="Its data never arrives, although the Secret exists.",
    remedy=(
        Remedy(text="let one ExternalSecret provide all keys"),
        Remedy(
            text="or let none own the Secret: creationPolicy Orphan for the one that creates it, "
            "Merge for the others",
            command=command("kubectl -n {namespace} edit externalsecret {name}"),
        ),
    ),
    fault="target_owned_by_other",
    rank=61,
)
UNKNOWN_CONTENTS = Rule(
    code="LK0136",
    severity=Severity.INFO,
    title="the manifests do not show what the Secret will contain",
    message="{maker} creates {place} and does not list all of its keys; {stack_ref}, of type "
    "{type}, also needs {expected}",
    meaning="An operator creates the Secret from what a store holds, such as the fields of an "
    "item. No manifest lists those keys, so lokeys cannot check them here.",
    why="A missing key shows only after the Secret is created.",
    remedy=(
        Remedy(
            text="after it is created, list its keys",
            command=command("kubectl -n {namespace} describe secret {name}"),
        ),
    ),
    fault="unknown_contents",
    rank=63,
)
CLAIMED_SECRET = Rule(
    code="LK0137",
    title="a LokiStack cannot read the Secret of a bucket claim",
    message="{maker} creates {place} with {found} only; {stack_ref}, of type {type}, needs "
    "{expected}",
    meaning="An ObjectBucketClaim writes its key pair as AWS_ACCESS_KEY_ID and "
    "AWS_SECRET_ACCESS_KEY, and the bucket's name and address into a ConfigMap of the same name.",
    why="The stack finds none of the keys that it needs. Renaming them there would break other "
    "readers of the claim.",
    remedy=(
        Remedy(
            text="leave the Secret as it is, and create another one from it with the keys that a "
            "LokiStack reads",
            command=command(
                "kubectl -n {namespace} get secret/{name} configmap/{name} -o", _OF_CLAIM
            ).pipe("kubectl -n {namespace} apply -f -"),
        ),
        Remedy(
            text="then use that Secret",
            command=command(
                "kubectl -n {namespace} patch lokistack {stack} --type merge -p",
                Json.of({"spec": {"storage": {"secret": {"name": "{name}-loki"}}}}),
            ),
        ),
    ),
    fault="missing_field",
    rank=13,
)
FILLED_CA = Rule(
    code="LK0138",
    severity=Severity.INFO,
    title="the manifests do not show what the CA's ConfigMap will contain",
    message="{maker} writes {place} in the namespaces that it selects; {stack_ref} reads `{key}` "
    "from it",
    meaning="trust-manager writes the certificates of a Bundle into a ConfigMap of the same name, "
    "in each namespace that its `namespaceSelector` selects. No manifest lists those namespaces.",
    why="In a namespace that is not selected, the pods wait for the ConfigMap.",
    fault="unknown_contents",
    rank=64,
)
FILLED_IN_LATER = Rule(
    code="LK0139",
    severity=Severity.INFO,
    title="a tool fills in values before the Secret is applied",
    message="{place}: the values of {keys} are not in the manifest and were not checked",
    meaning="Flux and envsubst replace `${NAME}`; Helm and similar tools replace `{{ … }}`; Argo "
    "CD's vault plugin replaces `<path:…>` and `<key>`; SOPS decrypts `ENC[…]`. Only the names of "
    "these keys are known here.",
    why="An error in such a value shows only in the applied Secret.",
    remedy=(
        Remedy(
            text="check what is applied: pipe the tool's output into `lokeys validate -f -`, or "
            "check the Secret in the cluster",
            command=command(
                "kubectl -n {namespace} get lokistack/{stack} secret/{name} -o yaml"
            ).pipe("lokeys validate -f -"),
        ),
    ),
    fault="unknown_contents",
    rank=65,
)
SET_CA_KEY = Remedy(
    text="set the key that it has",
    command=command(
        "kubectl -n {namespace} patch lokistack {stack} --type merge -p",
        Json.of({"spec": {"storage": {"tls": {"caKey": "{value}"}}}}),
    ),
)
BAD_STORAGE_CREDENTIAL = Rule(
    code="LK0134",
    title="the StorageCredential is not valid",
    message="{place}: {problem}",
    meaning="A field is missing, unknown, or has an invalid value.",
    why="The API server refuses the resource, so nothing looks after this key.",
    remedy=(Remedy(text="see docs/reference/storagecredential.md for each field"),),
    rank=12,
)
