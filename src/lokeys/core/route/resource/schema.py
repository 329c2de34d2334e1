# SPDX-License-Identifier: Apache-2.0
"""The fields of a StorageCredential: everything about it is made from this one definition.

The CustomResourceDefinition, the check of manifests without a cluster, the parser's defaults and
the reference page all read this. After a change: `python scripts/generate.py`.
"""

from __future__ import annotations

from lokeys.core.route.model import Mode, Prove
from lokeys.core.route.resource import rules
from lokeys.core.route.resource.status_schema import STATUS
from lokeys.core.route.resource.texts import text
from lokeys.core.schema.language import Fields, Flag, Integer, ListOf, Text

GROUP = "lokeys.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "StorageCredential"
PLURAL = "storagecredentials"

WORKLOAD_KINDS = ("StatefulSet", "Deployment", "DaemonSet", "LokiStack")
_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_OBJECT_NAME = rf"^{_LABEL}(\.{_LABEL})*$"
_DATA_KEY = "^[-._a-zA-Z0-9]+$"


def _name(description: str) -> Text:
    return text(description, pattern=_OBJECT_NAME)


def _namespace(description: str) -> Text:
    return text(description, pattern=f"^{_LABEL}$", at_most=63)


# The API server's own rules for every object's metadata, not part of the definition.
OBJECT_NAME = _name("The resource's name.")
NAMESPACE = _namespace("The resource's namespace.")


def _pair(
    description: str, *, default: tuple[str, str] | None = None, pattern: str | None = _DATA_KEY
) -> Fields:
    """Return the two names under which a pair is kept; each half has its own default."""
    key_id, secret = default or (None, None)
    return Fields(
        description,
        {
            "accessKeyId": text("Where the access key id is.", pattern=pattern, default=key_id),
            "secretAccessKey": text("Where the secret key is.", pattern=pattern, default=secret),
        },
        required=() if default else ("accessKeyId", "secretAccessKey"),
        default={"accessKeyId": key_id, "secretAccessKey": secret} if default else None,
        rules=(rules.DIFFERENT_KEYS,),
    )


def _ca_bundle() -> Text:
    return text(
        "The certificates, as PEM text, of the authorities that this endpoint's certificate may "
        "come from. Left out: those that the system trusts.",
        at_most=65536,
        rules=(rules.CERTIFICATES,),
    )


def _endpoint(description: str) -> Text:
    return text(description, rules=(rules.ENDPOINT,))


def _admin_secret(description: str, default: tuple[str, str]) -> Fields:
    keys = _pair("The Secret's data keys of that pair.", default=default)
    name = _name("The Secret's name, in this resource's namespace.")
    return Fields(description, {"name": name, "keys": keys}, required=("name",))


RGW_KEYS = ("accessKey", "secretKey")
AWS_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")

_ROOK = Fields(
    "A CephObjectStoreUser; Rook mints the key and writes it into a Secret.",
    {
        "user": _name("The CephObjectStoreUser's name."),
        "namespace": _namespace(
            "The CephObjectStoreUser's namespace. If it is not this resource's, the user must "
            "carry the annotation `lokeys.dev/allowed-namespaces` with this resource's namespace."
        ),
        "store": _name(
            "The CephObjectStore of a user that does not exist yet: `lokeys bucket --create` makes "
            "the user in it. Of a user that exists, its own `spec.store` counts, and another value "
            "here is reported."
        ),
        "refresh": Flag(
            "Whether lokeys may make Rook read RGW's keys again, by adding a data key to the "
            "Secret that Rook generates. For keys changed behind Rook's back. Needs `admin`.",
            default=False,
        ),
        "admin": Fields(
            "How to look at RGW's own list of the user's keys.",
            {
                "endpoint": _endpoint("The URL of RGW's admin API."),
                "secretRef": _admin_secret(
                    "The Secret with the pair of an RGW user that has the capability `users=read`.",
                    RGW_KEYS,
                ),
            },
            required=("endpoint", "secretRef"),
        ),
    },
    required=("user", "namespace"),
    rules=(rules.REFRESH_NEEDS_ADMIN,),
)

_RGW = Fields(
    "A user of Ceph's RGW that Rook does not manage, seen through RGW's admin API.",
    {
        "endpoint": _endpoint("The URL of RGW's admin API."),
        "uid": text("The RGW user's id.", at_most=255),
        "adminSecretRef": _admin_secret(
            "The Secret with the pair of an RGW user that has the capability `users=read` "
            "(`users=*` for mode Rotate).",
            RGW_KEYS,
        ),
        "caBundle": _ca_bundle(),
    },
    required=("endpoint", "uid", "adminSecretRef"),
    rules=(rules.CA_NEEDS_TLS,),
)

_AWS_IAM = Fields(
    "An IAM user's access keys.",
    {
        "userName": text("The IAM user's name.", pattern="^[A-Za-z0-9+=,.@_-]+$", at_most=64),
        "adminSecretRef": _admin_secret(
            "The Secret with the pair of whoever may list, make and delete this user's keys. Left "
            "out: the identity that the operator's pod has by itself; with it keys are listed, and "
            "never given or taken.",
            AWS_KEYS,
        ),
        "endpoint": _endpoint("Another IAM endpoint than AWS's own."),
    },
    required=("userName",),
)

_SECRET_SOURCE = Fields(
    "Any Secret: its pair is taken as the truth and only copied.",
    {
        "name": _name("The Secret's name."),
        "namespace": _namespace(
            "The Secret's namespace; this resource's if left out. If it is another, that Secret "
            "must carry the annotation `lokeys.dev/allowed-namespaces` with this one's name in it."
        ),
        "keys": _pair("The Secret's data keys of the pair."),
    },
    required=("name", "keys"),
)

_CLAIM = Fields(
    "An ObjectBucketClaim; its key comes with its bucket, in a Secret of the claim's name, and "
    "cannot be changed in place.",
    {
        "name": _name("The ObjectBucketClaim's name."),
        "namespace": _namespace(
            "The claim's namespace; this resource's if left out. If it is another, the claim's "
            "Secret must carry the annotation `lokeys.dev/allowed-namespaces` with this one's name."
        ),
    },
    required=("name",),
)

_SOURCE = Fields(
    "Where the key is minted. Exactly one of its fields.",
    {
        "rook": _ROOK,
        "rgw": _RGW,
        "awsIAM": _AWS_IAM,
        "secret": _SECRET_SOURCE,
        "objectBucketClaim": _CLAIM,
    },
    rules=(rules.ONE_SOURCE,),
)

_ONE_PASSWORD = Fields(
    "An item in 1Password, reached through a Connect server.",
    {
        "connect": Fields(
            "The Connect server.",
            {
                "url": text("Its URL.", rules=(rules.SERVER_URL,)),
                "tokenSecretRef": Fields(
                    "The Secret that holds Connect's token.",
                    {
                        "name": _name("The Secret's name."),
                        "key": text("The data key.", pattern=_DATA_KEY, default="token"),
                        "namespace": _namespace(
                            "The Secret's namespace; this resource's if left out. If it is "
                            "another, that Secret must carry the annotation "
                            "`lokeys.dev/allowed-namespaces` with this one's name in it."
                        ),
                    },
                    required=("name",),
                ),
            },
            required=("url", "tokenSecretRef"),
        ),
        "vault": text("The vault's name or id.", at_most=255),
        "item": text(
            "The item's title or id. A title must be the only one in the vault.", at_most=255
        ),
        "fields": _pair(
            "The labels of the item's two fields, or the names that External Secrets makes of them "
            "where it reads the whole item (`access_key_id` of `access key id`).",
            default=("access_key", "secret_key"),
            pattern=None,
        ),
    },
    required=("connect", "vault", "item"),
)

_VAULT = Fields(
    "Where a copy of the key is kept on its way. Left out: there is none.",
    {
        "onePassword": _ONE_PASSWORD,
        "pushSecret": Fields(
            "A PushSecret of External Secrets that writes the vault. The weaker way: it writes the "
            "two halves one after the other.",
            {"name": _name("The PushSecret's name.")},
            required=("name",),
        ),
    },
    rules=(rules.ONE_VAULT,),
)

_HOLDS_A_PAIR = ("Secret", "ConfigMap")
_INSIDE = (
    "The data key whose value is a YAML text with the pair in it, such as `config.yaml`; `keys` "
    "are the paths in it then, their steps joined by dots. Left out: `keys` are data keys."
)

_VALUES = Fields(
    "What the HelmRelease takes the pair from, to render it into what Loki reads.",
    {
        "kind": Text("The kind.", choices=_HOLDS_A_PAIR, default="Secret"),
        "name": _name("Its name, in this resource's namespace."),
        "inside": text(_INSIDE, pattern=_DATA_KEY),
        "keys": _pair("Where the two halves are."),
    },
    required=("name", "keys"),
)

_SECRET = Fields(
    "What Loki's pods read, in this resource's namespace: a Secret, or a ConfigMap where the pair "
    "stands in Loki's configuration.",
    {
        "kind": Text("The kind.", choices=_HOLDS_A_PAIR, default="Secret"),
        "name": _name("The Secret's name."),
        "inside": text(_INSIDE, pattern=_DATA_KEY),
        "keys": _pair("The Secret's data keys of the pair.", default=AWS_KEYS),
        "externalSecret": Fields(
            "The ExternalSecret that writes the Secret. Left out, and `madeBy` too: lokeys writes "
            "it itself.",
            {
                "name": _name("The ExternalSecret's name."),
                "recreate": Flag(
                    "Whether lokeys may delete the Secret so that External Secrets makes it anew: "
                    "only an immutable one whose pair the store refuses, while the vault's works.",
                    default=False,
                ),
            },
            required=("name",),
        ),
        "madeBy": Fields(
            "What makes the Secret, where that is no ExternalSecret: lokeys then never writes it, "
            "and says how its maker is changed.",
            {
                "kind": text(
                    "The kind, such as OnePasswordItem, SealedSecret, VaultStaticSecret, "
                    "ObjectBucketClaim, Kustomization or HelmRelease.",
                    pattern="^[A-Z][A-Za-z0-9]*$",
                    at_most=63,
                ),
                "name": _name("The name."),
                "namespace": _namespace("The namespace; this resource's if left out."),
            },
            required=("kind", "name"),
        ),
        "values": _VALUES,
    },
    required=("name",),
    rules=(rules.ONE_MAKER, rules.VALUES_ARE_RENDERED, rules.CONFIG_MAP_HOLDS_A_TEXT),
)

_BUCKET = Fields(
    "The bucket that Loki writes, where every key is tested before it travels.",
    {
        "name": text("The bucket's name.", at_least=3, at_most=63, rules=(rules.BUCKET_NAME,)),
        "endpoint": _endpoint("The store's URL, without the bucket."),
        "region": text(
            "The region that requests are signed for.",
            pattern="^[A-Za-z0-9-]+$",
            at_most=63,
            default="us-east-1",
        ),
        "pathStyle": Flag(
            "Whether the bucket stands in the URL's path and not in its host.", default=True
        ),
        "caBundle": _ca_bundle(),
        "create": Flag(
            "Whether the operator may make the bucket if it is missing, in the modes Heal and "
            "Rotate. (`lokeys bucket --create` needs no such leave.)",
            default=False,
        ),
    },
    required=("name", "endpoint"),
    rules=(rules.CA_NEEDS_TLS,),
)

_WORKLOAD = Fields(
    "One workload.",
    {
        "kind": Text("The workload's kind.", choices=WORKLOAD_KINDS),
        "name": _name("The workload's name."),
        "container": text(
            "The container that is Loki.", pattern=f"^{_LABEL}$", at_most=63, default="loki"
        ),
        "metrics": Fields(
            "Where that container serves its metrics: the storage requests it counts there are the "
            "proof.",
            {
                "port": Integer("The port.", bits=64, least=1, most=65535, default=3100),
                "scheme": Text("The scheme.", choices=("http", "https"), default="http"),
                "path": text("The path.", default="/metrics", rules=(rules.METRICS_PATH,)),
            },
            default={},
        ),
        "force": Flag(
            "Whether a pod may be deleted where a disruption budget refuses its eviction for five "
            "minutes: only one that is not ready, whose own key is dead and whose WAL persists.",
            default=False,
        ),
    },
    required=("kind", "name"),
)

_WINDOW = Fields(
    "When a rotation may begin. Left out: at any time.",
    {
        "schedule": text("When the window opens, as five cron fields.", rules=(rules.CRON,)),
        "duration": text(
            "How long it stays open.",
            at_least=2,
            at_most=32,
            rules=(rules.DURATION, rules.A_MINUTE_TO_A_DAY),
        ),
        "timeZone": text(
            "The time zone of the schedule, by its IANA name.",
            pattern="^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$",
            at_most=63,
            default="UTC",
        ),
    },
    required=("schedule", "duration"),
)

_ROTATION = Fields(
    "How the key is replaced. Left out: it is replaced only when somebody asks.",
    {
        "every": text(
            "How old a key becomes.",
            at_least=2,
            at_most=32,
            default="720h",
            rules=(rules.DURATION, rules.AT_LEAST_AN_HOUR),
        ),
        "overlap": text(
            "How long both keys work after the last pod has changed over.",
            at_least=2,
            at_most=32,
            default="30m",
            rules=(rules.DURATION,),
        ),
        "rollTimeout": text(
            "How long the store may take to accept the new key, and the pods to become Ready with "
            "it. After that the rotation goes back to the old key by itself.",
            at_least=2,
            at_most=32,
            default="15m",
            rules=(rules.DURATION, rules.A_MINUTE_TO_A_DAY),
        ),
        "retire": Text(
            "What ends the old key: evidence that nobody uses it any more, or the time alone.",
            choices=("OnEvidence", "AfterGrace"),
            default="OnEvidence",
        ),
        "window": _WINDOW,
    },
    rules=(rules.OVERLAP_ENDS,),
)

_BRIDGE = Fields(
    "How long a key that was replaced may be valid again as a second key, so that pods that still "
    "hold it go on working. Whether it may at all is for the source's owner to say, by the "
    "annotation `lokeys.dev/allowed-bridge`.",
    {
        "longest": text(
            "How long at most; the owner's time counts where it is shorter. `0s`: never.",
            at_least=2,
            at_most=32,
            default="1h",
            rules=(rules.DURATION, rules.AT_MOST_A_DAY),
        ),
    },
)

SPEC = Fields(
    "What the route is, and what lokeys may do on it.",
    {
        "mode": Text(
            "What lokeys may do by itself. Observe: look and report, change nothing. Heal: carry "
            "the source's key along the route when a hop is behind. Rotate: replace the key, too.",
            choices=tuple(Mode),
            default=Mode.OBSERVE.value,
        ),
        "source": _SOURCE,
        "vault": _VAULT,
        "secret": _SECRET,
        "bucket": _BUCKET,
        "workloads": ListOf(
            "The workloads whose pods use the key. Kind and name together occur once.",
            _WORKLOAD,
            at_most=32,
            keys=("kind", "name"),
        ),
        "prove": Text(
            "How Loki's own proof comes about. Wait: for its next write. Flush: ask its ingesters "
            "to write now.",
            choices=tuple(Prove),
            default=Prove.WAIT.value,
        ),
        "rotation": _ROTATION,
        "bridge": _BRIDGE,
    },
    required=("source", "secret", "bucket"),
    rules=(rules.ONLY_A_MINTED_KEY_ROTATES, rules.SOURCE_IS_NOT_THE_TARGET),
)

ROOT = Fields(
    "One S3 key's route: from where it is minted to the Loki pods that use it. lokeys follows it, "
    "says where it breaks and, if it may, mends it.",
    {
        "apiVersion": Text(f"Always `{API_VERSION}`."),
        "kind": Text(f"Always `{KIND}`."),
        "metadata": Fields("", {}, open=True),
        "spec": SPEC,
        "status": STATUS,
    },
    required=("spec",),
    rules=(rules.SHORT_NAME, rules.NOT_THE_OPERATOR),
)
