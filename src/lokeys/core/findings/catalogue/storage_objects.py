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
    title="the storage Secret is not there",
    message="{stack_ref} takes its storage from {place}, which {where}",
    meaning="spec.storage.secret.name points at a Secret that is not among the objects given, and "
    "none of them makes it.",
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
TAKE_OUT = Remedy(text="take it out of the CA's file where that is kept")
BAD_CA_CONFIGMAP = Rule(
    code="LK0126",
    title="a fault in the CA's ConfigMap",
    message="{place}: `{field}` {found}; expected {expected}",
    meaning="The key holds one certificate or more in PEM, and nothing secret. Loki trusts those "
    "that are valid today and passes over the others; only without any is it an error.",
    why="Without a valid CA every TLS connection to the store fails; what a store presents that an "
    "expired one has signed is refused; and anybody may read a ConfigMap.",
    remedy=(
        Remedy(
            text="make it anew of the CA's file, if nothing else fills the ConfigMap",
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
UNKNOWN_CONTENTS = Rule(
    code="LK0136",
    severity=Severity.INFO,
    title="what the Secret will hold is not in the manifests",
    message="{maker} makes {place}, and does not say all of its keys; {stack_ref}, of type {type}, "
    "also needs {expected}",
    meaning="An operator makes the Secret out of what a store holds, such as an item's fields. "
    "Which keys that gives, no manifest says, so nothing is said of them here.",
    why="A key that is missing there shows only once the Secret is made.",
    remedy=(
        Remedy(
            text="once it is made, see which keys it has",
            command=command("kubectl -n {namespace} describe secret {name}"),
        ),
    ),
    fault="unknown_contents",
    rank=63,
)
CLAIMED_SECRET = Rule(
    code="LK0137",
    title="the Secret of a bucket claim, which a LokiStack cannot read",
    message="{maker} makes {place} with {found} alone; {stack_ref}, of type {type}, needs "
    "{expected}",
    meaning="An ObjectBucketClaim gives its pair as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "and the bucket's name and address in a ConfigMap of the same name.",
    why="The stack finds none of its keys. Renaming them there would break the claim's other "
    "readers.",
    remedy=(
        Remedy(
            text="leave it as the claim makes it, and make another Secret of it with the keys that "
            "a LokiStack reads",
            command=command(
                "kubectl -n {namespace} get secret/{name} configmap/{name} -o", _OF_CLAIM
            ).pipe("kubectl -n {namespace} apply -f -"),
        ),
        Remedy(
            text="and name that one",
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
    title="what the CA's ConfigMap will hold is not in the manifests",
    message="{maker} fills {place}, in the namespaces that it chooses; {stack_ref} trusts `{key}` "
    "there",
    meaning="trust-manager writes a Bundle's certificates into a ConfigMap of its name, in each "
    "namespace that its `namespaceSelector` chooses. Which these are, no manifest says.",
    why="In a namespace that is not chosen the pods wait for the ConfigMap.",
    fault="unknown_contents",
    rank=64,
)
FILLED_IN_LATER = Rule(
    code="LK0139",
    severity=Severity.INFO,
    title="values that are filled in before the Secret is applied",
    message="{place}: what {keys} will hold is not in the manifest, and not judged",
    meaning="Flux and envsubst replace `${NAME}`, Helm and its like `{{ … }}`, Argo CD's "
    "vault plugin `<path:…>` and `<key>`; SOPS decrypts `ENC[…]`. Only the names of the keys are "
    "known here.",
    why="A fault in such a value shows only in what is applied.",
    remedy=(
        Remedy(
            text="judge what is applied: pass what the tool prints on to `lokeys validate -f -`, "
            "or the Secret as it is in the cluster",
            command=command(
                "kubectl -n {namespace} get lokistack/{stack} secret/{name} -o yaml"
            ).pipe("lokeys validate -f -"),
        ),
    ),
    fault="unknown_contents",
    rank=65,
)
SET_CA_KEY = Remedy(
    text="say which key it has",
    command=command(
        "kubectl -n {namespace} patch lokistack {stack} --type merge -p",
        Json.of({"spec": {"storage": {"tls": {"caKey": "{value}"}}}}),
    ),
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
