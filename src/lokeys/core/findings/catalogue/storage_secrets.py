# SPDX-License-Identifier: Apache-2.0
"""LK01xx: what is wrong with the Secret, or the CA, that a LokiStack's storage names.

`{found}` describes the form of a value, never the value. `{value}` in a command is the value that
was meant, or VALUE if it is not known. A secret value goes through a pipe: it can be any text, and
every program on the machine can see a command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import LiteralString

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.text.shell import Command, Joint, Json, Var, Word, command


def _secret_with(file: LiteralString) -> tuple[Word, ...]:
    text = "kubectl -n {namespace} create secret generic {name}"
    return (*text.split(), f"--from-file={{field}}={file}", "--dry-run=client", "-o", "yaml")


def _into_secret(made: Command) -> Command:
    return made.pipe(
        "kubectl -n {namespace} patch secret {name} --type merge --patch-file /dev/stdin"
    )


def _patch(*operations: Mapping[str, str]) -> Command:
    return command(
        "kubectl -n {namespace} patch secret {name} --type json -p", Json.of(list(operations))
    )


def _in_stack(change: Mapping[str, str]) -> Command:
    return command(
        "kubectl -n {namespace} patch lokistack {stack} --type merge -p",
        Json.of({"spec": {"storage": {"secret": change}}}),
    )


SET_FIELD = Remedy(
    text="set `{field}`",
    command=command(
        "kubectl -n {namespace} patch secret {name} --type merge -p",
        Json.of({"stringData": {"{field}": "{value}"}}),
    ),
)
SET_SECRET_FIELD = Remedy(
    text="set `{field}`; type the value, so that it is not on any command line",
    command=_into_secret(
        command("IFS= read -rs VALUE")
        .followed(Joint.THEN, "printf", "%s", Var("VALUE"))
        .followed(Joint.PIPE, *_secret_with("/dev/stdin"))
    ),
)
SET_FILE_FIELD = Remedy(
    text="set `{field}` from a file",
    command=_into_secret(Command(_secret_with("key.json"))),
)
SET_OTHER = Remedy(
    text="or set `{other}`",
    command=command(
        "kubectl -n {namespace} patch secret {name} --type merge -p",
        Json.of({"stringData": {"{other}": "{other_value}"}}),
    ),
)
NEWER_LOKI = Remedy(
    text="run a newer Loki whose S3 client knows the region, or use the region's FIPS or VPC "
    "endpoint, which the client leaves unchanged"
)
REMOVE_FIELD = Remedy(
    text="remove `{field}`",
    command=_patch({"op": "remove", "path": "/data/{field}"}),
)
RENAME_FIELD = Remedy(
    text="rename `{wrong}` to `{meant}`",
    command=_patch({"op": "move", "from": "/data/{wrong}", "path": "/data/{meant}"}),
)
MOVE_TO = Remedy(text="rename `{wrong}` to `{meant}`")
UNDER_STRING_DATA = Remedy(text="in a manifest, write the plain value under `stringData` instead")
IN_QUOTES = Remedy(text="put the value in quotes, so that it is a string")
IS_MANAGED = Remedy(
    text="if the operator on OpenShift has the cloud's credentials (token-cco), nothing is "
    "missing: use --token-cco, or --operator-env FILE"
)
_EXCHANGE = Remedy(
    text="swap the two values; the command shows neither",
    command=_patch(
        {"op": "move", "from": "/data/{field}", "path": "/data/exchanged"},
        {"op": "move", "from": "/data/{other}", "path": "/data/{field}"},
        {"op": "move", "from": "/data/exchanged", "path": "/data/{other}"},
    ),
)
NAME_OTHERWISE = Remedy(
    text="rename the key; if its name contains `=`, it was probably meant as `name: value`"
)
USE_STATIC_KEYS = Remedy(
    text="keep the static keys: set `credentialMode: static`",
    command=_in_stack({"credentialMode": "static"}),
)
USE_TOKENS = Remedy(
    text="keep the Secret's own identity: set `credentialMode: token`",
    command=_in_stack({"credentialMode": "token"}),
)
_SET_MODE = Remedy(
    text="set spec.storage.secret.credentialMode to one of its values, or remove it",
    command=_in_stack({"credentialMode": "{value}"}),
)
_SET_TYPE = Remedy(
    text="set spec.storage.secret.type to azure, gcs, s3, swift or alibabacloud",
    command=_in_stack({"type": "{value}"}),
)

MISSING_FIELD = Rule(
    code="LK0103",
    title="a required key is missing",
    message="{place}: `{field}` {found}; {type} in mode {mode} needs it: {expected}{hint}",
    meaning="A data key that this storage type needs in this credential mode is missing or empty.",
    why="Pods that reference a missing key do not start. With an empty key, the store refuses "
    "their requests.",
    remedy=(SET_FIELD,),
    fault="missing_field",
    rank=20,
)
FIELD_NOT_ALLOWED = Rule(
    code="LK0104",
    title="a key is not allowed in this mode",
    message="{place}: `{field}` is not allowed for {type} in mode {mode}: {hint}",
    meaning="The key belongs to a different credential mode than the one in use.",
    why="lokeys cannot know which of the two you meant. Loki uses the one that the mode selects.",
    remedy=(REMOVE_FIELD,),
    fault="field_not_allowed",
    rank=30,
)
UNKNOWN_FIELD = Rule(
    code="LK0105",
    severity=Severity.WARNING,
    title="an unknown key",
    message="{place}: nothing reads `{field}` for {type} in mode {mode}{hint}",
    meaning="The Secret has a data key that this storage type and mode do not use.",
    why="A misspelled key has no effect, and nothing else reports it.",
    remedy=(REMOVE_FIELD,),
    fault="unknown_field",
    rank=60,
)
FOREIGN_FIELD = Rule(
    code="LK0106",
    severity=Severity.WARNING,
    title="a key of another provider",
    message="{place}: `{field}` is a key of {others}, but the stack's type is {type}",
    meaning="The Secret may have been made for another store, or the stack's type is wrong.",
    why="Nothing reads the key. If the type is wrong, the other keys do not match either.",
    remedy=(REMOVE_FIELD,),
    fault="foreign_field",
    rank=61,
)
BAD_ENDPOINT = Rule(
    code="LK0107",
    title="the endpoint is not valid",
    message="{place}: `{field}` is {found}; expected {expected}{hint}",
    meaning="An endpoint is a URL with a scheme, a host and optionally a port. On AWS the host "
    "also names the service, the region and the partition.",
    why="Loki sends its requests, including the bucket's name, to the wrong host or to none.",
    remedy=(SET_FIELD,),
    fault="bad_endpoint",
    rank=21,
)
REGION_MISMATCH = Rule(
    code="LK0108",
    title="the region does not match the endpoint, the role or Loki's client",
    message="{place}: `{field}` {found}; expected {expected}{hint}",
    meaning="The endpoint's host, the region and the role's ARN each say where the bucket is, and "
    "they differ.",
    why="Loki signs requests for the region. A store in another region refuses the signature.",
    remedy=(SET_FIELD,),
    fault="region_mismatch",
    rank=22,
)
BAD_BOOL = Rule(
    code="LK0109",
    title="the value is neither true nor false",
    message="{place}: `{field}` is {found}; expected `true` or `false`{hint}",
    meaning="The key is a switch: its value is exactly `true` or `false`.",
    why="Any other word is read as false, or refused.",
    remedy=(SET_FIELD,),
    fault="bad_bool",
    rank=25,
)
UNKNOWN_SSE = Rule(
    code="LK0110",
    title="unknown server-side encryption",
    message="{place}: `{field}` is {found}; expected `SSE-S3` or `SSE-KMS`{hint}",
    meaning="Loki supports two types of server-side encryption, spelled exactly `SSE-S3` and "
    "`SSE-KMS`.",
    why="With any other value Loki does not start.",
    remedy=(SET_FIELD,),
    fault="unknown_sse",
    rank=25,
)
BAD_ENVIRONMENT = Rule(
    code="LK0111",
    title="unknown Azure cloud",
    message="{place}: `{field}` is {found}; expected one of {expected}{hint}",
    meaning="`environment` names the Azure cloud that the storage account is in.",
    why="It determines the host of the account and the address that issues tokens.",
    remedy=(SET_FIELD,),
    fault="bad_environment",
    rank=24,
)
BAD_ENDPOINT_SUFFIX = Rule(
    code="LK0112",
    title="the endpoint suffix does not belong to an Azure cloud",
    message="{place}: `{field}` is {found}; expected {expected}{hint}",
    meaning="`endpoint_suffix` follows the account's name in the host name. Each Azure cloud has "
    "its own.",
    why="Loki sends requests to a host that does not exist, or to another cloud.",
    remedy=(SET_FIELD,),
    fault="bad_endpoint_suffix",
    rank=24,
)
BAD_ROLE_ARN = Rule(
    code="LK0113",
    title="the role's ARN is not valid",
    message="{place}: `{field}` is {found}; expected {expected}{hint}",
    meaning="A role's ARN has a partition, an account and a path: "
    "arn:aws:iam::123456789012:role/loki.",
    why="The token exchange fails, and Loki cannot reach the store.",
    remedy=(
        SET_FIELD,
        Remedy(
            text="to look up the ARN",
            command=command("aws iam get-role --role-name ROLE --query Role.Arn --output text"),
        ),
    ),
    fault="bad_role_arn",
    rank=23,
)
BAD_GUID = Rule(
    code="LK0114",
    title="the value is not a GUID",
    message="{place}: `{field}` is {found}; expected {expected}, as in "
    "00000000-0000-0000-0000-000000000000{hint}",
    meaning="Azure identifies clients, tenants and subscriptions by GUIDs. A tenant can also be "
    "named by its domain.",
    why="Azure refuses to exchange a token for any other value. The subscription is not part of "
    "the exchange.",
    remedy=(
        SET_FIELD,
        Remedy(
            text="to look up the client and the tenant",
            command=command(
                "az identity show --name IDENTITY --resource-group GROUP --query "
                "{{clientId:clientId,tenantId:tenantId}}"
            ),
        ),
        Remedy(
            text="to look up the subscription",
            command=command("az account show --query {{subscriptionId:id,tenantId:tenantId}}"),
        ),
    ),
    fault="bad_guid",
    rank=23,
)
BAD_AUDIENCE = Rule(
    code="LK0115",
    title="the provider does not expect this audience",
    message="{place}: `{field}` is {found}; expected {expected}{hint}",
    meaning="In key.json, `audience` names the workload identity provider. The separate key "
    "`audience` becomes the token's `aud` claim. Google accepts the provider's name as `aud`, "
    "unless the provider lists other audiences.",
    why="Google refuses a token for another audience.",
    remedy=(SET_FIELD,),
    fault="bad_audience",
    rank=26,
)
BAD_BASE64 = Rule(
    code="LK0116",
    title="the value is not base64-encoded",
    message="{place}: `{field}` {found}",
    meaning="Values under `data` are base64-encoded, values under `stringData` are plain text. An "
    "Azure account key is itself base64.",
    why="The API server refuses the manifest, or Azure's client refuses the key.",
    remedy=(SET_SECRET_FIELD,),
    fault="bad_base64",
    rank=15,
)
BAD_JSON = Rule(
    code="LK0117",
    title="key.json does not fit this mode",
    message="{place}: `{field}` {found}; expected {expected}{hint}",
    meaning="In mode static key.json is a service account's key; in mode token it is a "
    "configuration of type external_account.",
    why="Google's client fails when Loki starts.",
    remedy=(SET_FILE_FIELD,),
    fault="bad_json",
    rank=23,
)
WRONG_CREDENTIAL_SOURCE = Rule(
    code="LK0118",
    title="key.json reads the token from the wrong path",
    message="{place}: credential_source.file in `{field}` is {found}; the token is mounted at "
    "{expected}",
    meaning="credential_source.file is the path of the pod's token. The token is always mounted "
    "at the same path.",
    why="The file does not exist, so no token is exchanged.",
    remedy=(
        Remedy(
            text="create key.json again with the right path",
            command=command(
                "gcloud iam workload-identity-pools create-cred-config PROVIDER "
                "--service-account=EMAIL "
                "--credential-source-file=/var/run/secrets/storage/serviceaccount/token "
                "--credential-source-type=text --output-file=key.json"
            ),
        ),
        SET_FILE_FIELD,
    ),
    fault="wrong_credential_source",
    rank=24,
)
MANAGED_NO_OVERRIDE = Rule(
    code="LK0119",
    title="the Secret names an Azure identity, but the mode is token-cco",
    message="{place}: `{field}` is not allowed in mode token-cco: the identity comes from the "
    "Cloud Credential Operator",
    meaning="In token-cco the operator's environment provides the client, the tenant and the "
    "subscription.",
    why="lokeys cannot know which of the two identities you meant.",
    remedy=(REMOVE_FIELD, USE_TOKENS),
    fault="managed_no_override",
    rank=30,
)
INVALID_CREDENTIALS_FILE = Rule(
    code="LK0120",
    title="the Secret has a credentials file, but the mode is token-cco",
    message="{place}: `{field}` is not allowed in mode token-cco: the configuration comes from "
    "the Cloud Credential Operator",
    meaning="In token-cco the managed Secret provides Google's configuration.",
    why="lokeys cannot know which of the two you meant.",
    remedy=(REMOVE_FIELD, USE_TOKENS),
    fault="invalid_credentials_file",
    rank=30,
)
INVISIBLE_CHARACTERS = Rule(
    code="LK0121",
    title="the value has invisible characters",
    message="{place}: the value of `{field}` {found}{hint}",
    meaning="`echo` adds a newline, and text copied from a web page can have unusual spaces; "
    "base64 hides both. Loki's configuration drops line breaks at the end of most values; in that "
    "case this is a warning.",
    why="The characters become part of the value, and the store refuses what is signed with it.",
    remedy=(SET_SECRET_FIELD,),
    fault="invisible_characters",
    rank=16,
)
DOUBLE_BASE64 = Rule(
    code="LK0122",
    title="the value is base64-encoded twice",
    message="{place}: the value of `{field}` is itself base64 of {found}",
    meaning="The value was encoded by hand and then once more. Under `stringData` write plain "
    "text; under `data` encode it once.",
    why="Loki sends the encoded form, and the store refuses it.",
    remedy=(SET_SECRET_FIELD,),
    fault="double_base64",
    rank=17,
)
SWAPPED_PAIR = Rule(
    code="LK0123",
    title="the access key id and the secret key are swapped",
    message="{place}: `{field}` looks like a secret key, and `{other}` like an access key id",
    meaning="Access key ids are short and have uppercase letters and digits; secret keys are long "
    "and have any letters.",
    why="The store does not know such an id. Ids are logged, secrets must not be.",
    remedy=(
        _EXCHANGE,
        Remedy(text="then replace the key soon: its secret may have been logged as an id"),
    ),
    fault="swapped_pair",
    rank=18,
)
SEVERAL_BUCKETS = Rule(
    code="LK0124",
    severity=Severity.WARNING,
    title="the Secret names several buckets",
    message="{place}: `{field}` names {count} buckets; Loki's current client takes one, so lokeys "
    "configures the older client, which spreads data over all of them",
    meaning="`bucketnames` is a comma-separated list of names.",
    why="The older client has different settings and metrics, and Loki will remove it one day.",
    remedy=(Remedy(text="name only one bucket, if the others hold no data that is still read"),),
    fault="several_buckets",
    rank=70,
)
ENDPOINT_BESIDE_TOKENS = Rule(
    code="LK0141",
    severity=Severity.WARNING,
    title="the Loki Operator ignores this endpoint",
    message="{place}: `{field}` is {host}, which lokeys uses; in mode {mode} the Loki Operator "
    "ignores it and uses {usual}",
    meaning="In mode token the role and the region belong to AWS. lokeys also accepts `endpoint` "
    "and `sts_endpoint`, for a store such as Ceph RGW.",
    why="A key left over from another store sends Loki and its tokens away from the bucket that "
    "it writes to.",
    remedy=(REMOVE_FIELD,),
    fault="endpoint_beside_tokens",
    rank=62,
)
PATHS_ALL_THE_SAME = Rule(
    code="LK0142",
    severity=Severity.WARNING,
    title="`false` has no effect for this host",
    message="{place}: `{field}` is `false`, but for {host} Loki's client puts the bucket into the "
    "path of each request",
    meaning="Unless this is `true`, the client chooses: it puts the bucket into the host name for "
    "AWS, Google and Alibaba Cloud, and into the path for all other hosts.",
    why="A store that supports only virtual-hosted-style requests refuses them.",
    remedy=(REMOVE_FIELD,),
    fault="no_effect",
    rank=64,
)
UNKNOWN_TYPE = Rule(
    code="LK0127",
    title="unknown storage type",
    message="{place}: {field} is {found}; expected one of {expected}{hint}",
    meaning="spec.storage.secret.type names the storage provider.",
    why="Without the type it is not known which keys the Secret needs.",
    remedy=(_SET_TYPE,),
    fault="unknown_type",
    rank=5,
)
UNKNOWN_MODE = Rule(
    code="LK0128",
    title="unknown credential mode",
    message="{place}: {field} is {found}; expected one of {expected}{hint}",
    meaning="spec.storage.secret.credentialMode is static, token or token-cco. If it is omitted, "
    "lokeys infers it.",
    why="The API server refuses the value, and it is not known how the pods authenticate.",
    remedy=(_SET_MODE,),
    fault="unknown_mode",
    rank=6,
)
MODE_NOT_SUPPORTED = Rule(
    code="LK0129",
    title="this storage type does not support the mode",
    message="{place}: {type} supports static keys only, but {field} is `{mode}`",
    meaning="Short-lived tokens are available for s3, azure and gcs.",
    why="The pods would get no credentials.",
    remedy=(USE_STATIC_KEYS,),
    fault="mode_not_supported",
    rank=7,
)
MODE_NOT_AVAILABLE = Rule(
    code="LK0130",
    title="mode token-cco, but the operator has no credentials for this cloud",
    message="{place}: {field} is `token-cco`, which takes the credentials for {type} from the "
    "operator's environment, and it has none; expected {expected}",
    meaning="token-cco works on OpenShift, if the operator was installed with an identity of the "
    "cloud.",
    why="No CredentialsRequest can be made, so the pods get no credentials.",
    remedy=(
        Remedy(
            text="if the operator has them, use --token-cco, which assumes OpenShift, or "
            "--openshift with --operator-env FILE"
        ),
        USE_TOKENS,
        USE_STATIC_KEYS,
    ),
    fault="mode_not_available",
    rank=8,
)
BAD_BUCKET_NAME = Rule(
    code="LK0131",
    title="invalid bucket name",
    message="{place}: `{field}` holds {found}; expected {expected}",
    meaning="A bucket name has letters, digits, `.`, `_` and `-`; on S3 it has 3 to 63 of them. "
    "It is not a URL or a path. Azure account names have 3 to 24 lowercase letters and digits, "
    "container names lowercase letters, digits and single hyphens.",
    why="The store has no such bucket, container or account, so every request fails.",
    remedy=(SET_FIELD,),
    fault="bad_bucket_name",
    rank=24,
)
BAD_DATA = Rule(
    code="LK0133",
    title="the Secret's data is not valid",
    message="{place}: {field} is {found}; expected {expected}",
    meaning="`data` and `stringData` map names to strings; Kubernetes accepts nothing else.",
    why="The API server refuses the object.",
    remedy=(IN_QUOTES,),
    fault="bad_type",
    rank=14,
)
