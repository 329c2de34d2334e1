# SPDX-License-Identifier: Apache-2.0
"""LK01xx: what is wrong with the Secret, or the CA, that a LokiStack's storage names.

`{found}` tells the form of a value, never the value. `{value}` in a command is what was meant, or
VALUE where that cannot be told. A value that is a secret goes through a pipe: it may be any text,
and a command line is seen by every program of the machine.
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
    text="set `{field}`; the value is typed, so that no command line holds it",
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
    text="run a Loki whose S3 client knows the region, or take a FIPS or VPC endpoint of it, which "
    "the client leaves as they are"
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
UNDER_STRING_DATA = Remedy(
    text="in a manifest: write the value under `stringData`, which takes it as it is"
)
IN_QUOTES = Remedy(text="put the value in quotes, as a text of its own")
IS_MANAGED = Remedy(
    text="or nothing lacks, where OpenShift's operator has the cloud's own credentials "
    "(token-cco): say --token-cco, or --operator-env FILE"
)
_EXCHANGE = Remedy(
    text="exchange the two, which shows neither",
    command=_patch(
        {"op": "move", "from": "/data/{field}", "path": "/data/exchanged"},
        {"op": "move", "from": "/data/{other}", "path": "/data/{field}"},
        {"op": "move", "from": "/data/exchanged", "path": "/data/{other}"},
    ),
)
NAME_OTHERWISE = Remedy(
    text="give the key another name; where a `=` stands in it, a `:` and the value were meant"
)
USE_STATIC_KEYS = Remedy(
    text="keep the static keys: say `credentialMode: static`",
    command=_in_stack({"credentialMode": "static"}),
)
USE_TOKENS = Remedy(
    text="keep the Secret's own identity: say `credentialMode: token`",
    command=_in_stack({"credentialMode": "token"}),
)
_SET_MODE = Remedy(
    text="set spec.storage.secret.credentialMode to one of its values, or leave it out",
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
    meaning="A data key that this store needs in this mode is absent or empty.",
    why="Pods that refer to a key that is absent do not start; with an empty one the store "
    "refuses them.",
    remedy=(SET_FIELD,),
    fault="missing_field",
    rank=20,
)
FIELD_NOT_ALLOWED = Rule(
    code="LK0104",
    title="a key contradicts the mode",
    message="{place}: `{field}` has no place in mode {mode} of {type}: {hint}",
    meaning="The key belongs to another way of authenticating than the one in use.",
    why="Which of the two was meant cannot be told; Loki would use the mode's own.",
    remedy=(REMOVE_FIELD,),
    fault="field_not_allowed",
    rank=30,
)
UNKNOWN_FIELD = Rule(
    code="LK0105",
    severity=Severity.WARNING,
    title="nothing reads this key",
    message="{place}: nothing reads `{field}` for {type} in mode {mode}{hint}",
    meaning="The Secret holds a data key that neither this store nor this mode knows.",
    why="A misspelt key is as good as none, and is not complained of anywhere else.",
    remedy=(REMOVE_FIELD,),
    fault="unknown_field",
    rank=60,
)
FOREIGN_FIELD = Rule(
    code="LK0106",
    severity=Severity.WARNING,
    title="a key of another provider",
    message="{place}: `{field}` is a key of {others}, the stack's type is {type}",
    meaning="The Secret was perhaps made for another store, or the stack's type is wrong.",
    why="Nothing reads it; and if the type is wrong, nothing else will fit either.",
    remedy=(REMOVE_FIELD,),
    fault="foreign_field",
    rank=61,
)
BAD_ENDPOINT = Rule(
    code="LK0107",
    title="the endpoint is no usable address",
    message="{place}: `{field}` is {found}; expected {expected}{hint}",
    meaning="An endpoint is a URL of scheme, host and perhaps a port. At AWS the host also tells "
    "service, region and partition.",
    why="Loki would ask another host, or none; the bucket's name goes elsewhere.",
    remedy=(SET_FIELD,),
    fault="bad_endpoint",
    rank=21,
)
REGION_MISMATCH = Rule(
    code="LK0108",
    title="the region does not fit the endpoint, the role or Loki's client",
    message="{place}: `{field}` {found}; expected {expected}{hint}",
    meaning="Host, region and role's ARN each name where the bucket lives; they do not agree.",
    why="Requests are signed for the region: a store elsewhere refuses the signature.",
    remedy=(SET_FIELD,),
    fault="region_mismatch",
    rank=22,
)
BAD_BOOL = Rule(
    code="LK0109",
    title="neither true nor false",
    message="{place}: `{field}` is {found}; expected `true` or `false`{hint}",
    meaning="The key is a switch, and is spelt exactly `true` or `false`.",
    why="Other words would be taken for false, or refused.",
    remedy=(SET_FIELD,),
    fault="bad_bool",
    rank=25,
)
UNKNOWN_SSE = Rule(
    code="LK0110",
    title="no such server-side encryption",
    message="{place}: `{field}` is {found}; expected `SSE-S3` or `SSE-KMS`{hint}",
    meaning="Loki knows two kinds of server-side encryption, spelt exactly so.",
    why="Loki does not start with another word.",
    remedy=(SET_FIELD,),
    fault="unknown_sse",
    rank=25,
)
BAD_ENVIRONMENT = Rule(
    code="LK0111",
    title="no such Azure cloud",
    message="{place}: `{field}` is {found}; expected one of {expected}{hint}",
    meaning="`environment` names the Azure cloud that the storage account is in.",
    why="It decides on the host of the account and on where tokens come from.",
    remedy=(SET_FIELD,),
    fault="bad_environment",
    rank=24,
)
BAD_ENDPOINT_SUFFIX = Rule(
    code="LK0112",
    title="the endpoint suffix is not one of an Azure cloud",
    message="{place}: `{field}` is {found}; expected {expected}{hint}",
    meaning="`endpoint_suffix` follows the account's name in its host, and belongs to one cloud.",
    why="Loki would ask a host that does not exist, or one of another cloud.",
    remedy=(SET_FIELD,),
    fault="bad_endpoint_suffix",
    rank=24,
)
BAD_ROLE_ARN = Rule(
    code="LK0113",
    title="not the ARN of a role",
    message="{place}: `{field}` is {found}; expected {expected}{hint}",
    meaning="A role is named by partition, account and path: arn:aws:iam::123456789012:role/loki.",
    why="The token exchange fails, and Loki reaches nothing.",
    remedy=(
        SET_FIELD,
        Remedy(
            text="AWS tells it",
            command=command("aws iam get-role --role-name ROLE --query Role.Arn --output text"),
        ),
    ),
    fault="bad_role_arn",
    rank=23,
)
BAD_GUID = Rule(
    code="LK0114",
    title="not a GUID",
    message="{place}: `{field}` is {found}; expected {expected}, as in "
    "00000000-0000-0000-0000-000000000000{hint}",
    meaning="Azure names clients, tenants and subscriptions by GUIDs, and tenants by their domains "
    "as well.",
    why="Azure refuses the exchange of a token for anything else. The subscription is not part of "
    "the exchange.",
    remedy=(
        SET_FIELD,
        Remedy(
            text="Azure tells client and tenant",
            command=command(
                "az identity show --name IDENTITY --resource-group GROUP --query "
                "{{clientId:clientId,tenantId:tenantId}}"
            ),
        ),
        Remedy(
            text="and the subscription",
            command=command("az account show --query {{subscriptionId:id,tenantId:tenantId}}"),
        ),
    ),
    fault="bad_guid",
    rank=23,
)
BAD_AUDIENCE = Rule(
    code="LK0115",
    title="the audience is not one that the provider expects",
    message="{place}: `{field}` is {found}; expected {expected}{hint}",
    meaning="In key.json `audience` names the workload identity provider; the key `audience` "
    "beside it becomes the token's `aud`. Google takes the provider's name as `aud` unless the "
    "provider lists other audiences.",
    why="A token for another audience is refused.",
    remedy=(SET_FIELD,),
    fault="bad_audience",
    rank=26,
)
BAD_BASE64 = Rule(
    code="LK0116",
    title="a value is not base64-encoded",
    message="{place}: `{field}` {found}",
    meaning="Values under `data` are base64, those under `stringData` are plain. Azure's account "
    "key is base64 by itself.",
    why="The API server refuses the manifest, or Azure's client refuses the key.",
    remedy=(SET_SECRET_FIELD,),
    fault="bad_base64",
    rank=15,
)
BAD_JSON = Rule(
    code="LK0117",
    title="the JSON is not what this mode reads",
    message="{place}: `{field}` {found}; expected {expected}{hint}",
    meaning="key.json is a service account's key in mode static, and a configuration of type "
    "external_account in mode token.",
    why="Google's client fails at start.",
    remedy=(SET_FILE_FIELD,),
    fault="bad_json",
    rank=23,
)
WRONG_CREDENTIAL_SOURCE = Rule(
    code="LK0118",
    title="key.json reads its token elsewhere",
    message="{place}: credential_source.file in `{field}` is {found}; the token is mounted at "
    "{expected}",
    meaning="credential_source tells Google's client where the pod's token lies; it is mounted at "
    "one fixed path.",
    why="The file is not there, and no exchange takes place.",
    remedy=(
        Remedy(
            text="make key.json anew, with the right path",
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
    title="an Azure identity beside the managed one",
    message="{place}: `{field}` has no place in mode token-cco: the identity comes from the Cloud "
    "Credential Operator",
    meaning="In token-cco the operator's environment tells client, tenant and subscription.",
    why="Which of the two identities was meant cannot be told.",
    remedy=(REMOVE_FIELD, USE_TOKENS),
    fault="managed_no_override",
    rank=30,
)
INVALID_CREDENTIALS_FILE = Rule(
    code="LK0120",
    title="a credentials file beside the managed one",
    message="{place}: `{field}` has no place in mode token-cco: the configuration comes from the "
    "Cloud Credential Operator",
    meaning="In token-cco the managed Secret holds Google's configuration.",
    why="Which of the two was meant cannot be told.",
    remedy=(REMOVE_FIELD, USE_TOKENS),
    fault="invalid_credentials_file",
    rank=30,
)
INVISIBLE_CHARACTERS = Rule(
    code="LK0121",
    title="characters that nobody sees",
    message="{place}: the value of `{field}` {found}{hint}",
    meaning="`echo` adds a newline, a copy from a web page an odd space; base64 hides both. Loki's "
    "configuration drops line breaks at the end of most values: then it is a warning.",
    why="All else travels with the value, and the store refuses what is signed with it.",
    remedy=(SET_SECRET_FIELD,),
    fault="invisible_characters",
    rank=16,
)
DOUBLE_BASE64 = Rule(
    code="LK0122",
    title="base64 of base64",
    message="{place}: the value of `{field}` is itself base64 of {found}",
    meaning="The value was encoded by hand, and once more: under `stringData` it is plain text, "
    "under `data` encoded once.",
    why="The store is shown the encoded form, and refuses it.",
    remedy=(SET_SECRET_FIELD,),
    fault="double_base64",
    rank=17,
)
SWAPPED_PAIR = Rule(
    code="LK0123",
    title="key id and secret key are swapped",
    message="{place}: `{field}` looks like a secret key, and `{other}` like a key id",
    meaning="Key ids are short and of capitals and digits, secret keys long and of any letters.",
    why="The store does not know such an id; and an id is logged, a secret must not be.",
    remedy=(
        _EXCHANGE,
        Remedy(text="replace the key, too, and soon: as an id it may have been logged"),
    ),
    fault="swapped_pair",
    rank=18,
)
SEVERAL_BUCKETS = Rule(
    code="LK0124",
    severity=Severity.WARNING,
    title="several buckets",
    message="{place}: `{field}` names {count} buckets; Loki's current client takes one, so its "
    "older client is used, which spreads over them",
    meaning="`bucketnames` is a list of names with commas between.",
    why="The older client has other settings and metrics, and Loki will drop it one day.",
    remedy=(Remedy(text="name one bucket, if the others hold nothing that is still read"),),
    fault="several_buckets",
    rank=70,
)
ENDPOINT_BESIDE_TOKENS = Rule(
    code="LK0141",
    severity=Severity.WARNING,
    title="an endpoint that the Loki Operator does not read",
    message="{place}: `{field}` leads to {host}, which lokeys takes; in mode {mode} the Loki "
    "Operator reads none and asks {usual}",
    meaning="In mode token the role is AWS's, and so is the region. With lokeys `endpoint` and "
    "`sts_endpoint` can lead to a store of one's own, such as Ceph RGW.",
    why="A key that was left over from another store leads Loki, and its tokens, away from the "
    "bucket that it writes to.",
    remedy=(REMOVE_FIELD,),
    fault="endpoint_beside_tokens",
    rank=62,
)
PATHS_ALL_THE_SAME = Rule(
    code="LK0142",
    severity=Severity.WARNING,
    title="`false` has no effect at this host",
    message="{place}: `{field}` is `false`, but at {host} Loki's client names the bucket in the "
    "path of each request",
    meaning="Without `true` the client chooses: it puts the bucket into the host at AWS, Google "
    "and Alibaba Cloud, and into the path everywhere else.",
    why="A store that takes buckets in hosts alone refuses the requests.",
    remedy=(REMOVE_FIELD,),
    fault="no_effect",
    rank=64,
)
UNKNOWN_TYPE = Rule(
    code="LK0127",
    title="no such kind of storage",
    message="{place}: {field} is {found}; expected one of {expected}{hint}",
    meaning="spec.storage.secret.type names the provider.",
    why="What the Secret must hold cannot be told.",
    remedy=(_SET_TYPE,),
    fault="unknown_type",
    rank=5,
)
UNKNOWN_MODE = Rule(
    code="LK0128",
    title="no such credential mode",
    message="{place}: {field} is {found}; expected one of {expected}{hint}",
    meaning="spec.storage.secret.credentialMode is static, token or token-cco; left out, it is "
    "inferred.",
    why="The API server refuses it; how the pods authenticate cannot be told.",
    remedy=(_SET_MODE,),
    fault="unknown_mode",
    rank=6,
)
MODE_NOT_SUPPORTED = Rule(
    code="LK0129",
    title="this store has no such mode",
    message="{place}: {type} knows static keys only, {field} is `{mode}`",
    meaning="Short-lived tokens exist for s3, azure and gcs.",
    why="The pods would be given no credentials at all.",
    remedy=(USE_STATIC_KEYS,),
    fault="mode_not_supported",
    rank=7,
)
MODE_NOT_AVAILABLE = Rule(
    code="LK0130",
    title="token-cco without credentials of the cloud",
    message="{place}: {field} is `token-cco`, which takes the credentials for {type} out of the "
    "operator's environment, and there are none; expected {expected}",
    meaning="token-cco works on OpenShift, where the operator was installed with the cloud's "
    "identity.",
    why="No CredentialsRequest can be made, so the pods get no credentials.",
    remedy=(
        Remedy(
            text="where the operator has them: say --token-cco, which takes OpenShift for granted, "
            "or --openshift with --operator-env FILE"
        ),
        USE_TOKENS,
        USE_STATIC_KEYS,
    ),
    fault="mode_not_available",
    rank=8,
)
BAD_BUCKET_NAME = Rule(
    code="LK0131",
    title="no name of a bucket",
    message="{place}: `{field}` holds {found}; expected {expected}",
    meaning="A bucket is named by letters, digits, `.`, `_` and `-`, three to 63 of them at S3: no "
    "URL, no path. Azure's accounts have 3 to 24 small letters and digits, its containers small "
    "letters, digits and single `-`.",
    why="The store has no such bucket, container or account; every request fails.",
    remedy=(SET_FIELD,),
    fault="bad_bucket_name",
    rank=24,
)
BAD_DATA = Rule(
    code="LK0133",
    title="no data that the API server would take",
    message="{place}: {field} is {found}; expected {expected}",
    meaning="`data` and `stringData` are mappings of names to texts; Kubernetes takes no others.",
    why="The API server refuses the object.",
    remedy=(IN_QUOTES,),
    fault="bad_type",
    rank=14,
)
