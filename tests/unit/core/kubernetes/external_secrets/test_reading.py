# SPDX-License-Identifier: Apache-2.0
"""ExternalSecrets as people write them: what each key of the Secret is made of, or why not told.

The layouts of CASES were found in public repositories; names and values are our own.
"""

from base64 import b64encode
from typing import Any

import pytest
import yaml

from lokeys.core.kubernetes.external_secrets.onepassword import (
    ConnectStore,
    ItemField,
    connect_of,
    item_field,
    provider_of,
)
from lokeys.core.kubernetes.external_secrets.reading import (
    ExternalSecret,
    Field,
    Remote,
    Value,
    read,
)
from lokeys.core.kubernetes.external_secrets.renaming import Renaming
from lokeys.core.kubernetes.external_secrets.template import NotFollowed
from lokeys.core.kubernetes.references import SecretKeyRef
from lokeys.core.place import Ref

ID, KEY = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"


def said(text: str, **metadata: str) -> ExternalSecret:
    """Return what an ExternalSecret with this spec says."""
    spec: Any = yaml.safe_load(text)
    return read({"metadata": {"name": "loki-s3", "namespace": "logs", **metadata}, "spec": spec})


def label(secret: ExternalSecret, key: str) -> str:
    """Return `item/label` for a key of the Secret, `~` before a label that is not certain."""
    field = secret.field_of(key)
    found = field if isinstance(field, NotFollowed) else item_field(field)
    if isinstance(found, NotFollowed):
        return f"not followed: {found.why}"
    return f"{found.item}/{'' if found.certain else '~'}{found.label}"


CASES = {
    "one key after the other": (
        """
        data:
        - {secretKey: AWS_ACCESS_KEY_ID, remoteRef: {key: loki, property: access_key}}
        - {secretKey: AWS_SECRET_ACCESS_KEY, remoteRef: {key: loki, property: secret_key}}
        """,
        ("loki/access_key", "loki/secret_key"),
    ),
    "Argo CD's defaults written out": (
        """
        data:
        - secretKey: AWS_ACCESS_KEY_ID
          remoteRef: {key: loki, property: user, conversionStrategy: Default,
                      decodingStrategy: None, metadataPolicy: None}
        - secretKey: AWS_SECRET_ACCESS_KEY
          remoteRef: {key: loki, property: word, conversionStrategy: Unicode,
                      decodingStrategy: None, metadataPolicy: None}
        """,
        ("loki/user", "loki/word"),
    ),
    "fields named with 1Password's prefix, and none": (
        """
        data:
        - {secretKey: AWS_ACCESS_KEY_ID, remoteRef: {key: loki, property: field/access_key}}
        - {secretKey: AWS_SECRET_ACCESS_KEY, remoteRef: {key: loki}}
        """,
        ("loki/access_key", "loki/password"),
    ),
    "a file of the item": (
        """
        data:
        - {secretKey: AWS_ACCESS_KEY_ID, remoteRef: {key: loki, property: file/id.txt}}
        - {secretKey: AWS_SECRET_ACCESS_KEY, remoteRef: {key: loki, property: key}}
        """,
        ("not followed: it is a file of the item", "loki/key"),
    ),
    "a template that only renames": (
        """
        target:
          template:
            engineVersion: v2
            data:
              AWS_ACCESS_KEY_ID: "{{ .user | toString }}"
              AWS_SECRET_ACCESS_KEY: "{{ .key | toString }}"
        data:
        - {secretKey: user, remoteRef: {key: minio/loki, property: user}}
        - {secretKey: key, remoteRef: {key: minio/loki, property: key}}
        """,
        ("minio/loki/user", "minio/loki/key"),
    ),
    "one item of the whole house, and a template": (
        """
        target:
          template:
            data:
              AWS_ACCESS_KEY_ID: "{{ .LOKI-ACCESS }}"
              AWS_SECRET_ACCESS_KEY: '{{ index . "LOKI-SECRET" }}'
              AWS_DEFAULT_REGION: us-east-1
        dataFrom: [{extract: {key: nas}}]
        """,
        ("not followed: the template uses a form that is not followed", "nas/LOKI-SECRET"),
    ),
    "labels of which External Secrets makes `_`": (
        """
        target:
          template:
            data:
              AWS_ACCESS_KEY_ID: "{{ .access_key_id }}"
              AWS_SECRET_ACCESS_KEY: "{{ .secretkey }}"
        dataFrom: [{extract: {key: loki}}]
        """,
        ("loki/~access_key_id", "loki/secretkey"),
    ),
    "two items, told apart by a prefix": (
        """
        target:
          template:
            data:
              AWS_ACCESS_KEY_ID: "{{ .MINIO_access_key }}"
              AWS_SECRET_ACCESS_KEY: "{{ .LOKI_secret }}"
        dataFrom:
        - extract: {key: loki}
          rewrite: [{regexp: {source: "(.*)", target: "LOKI_$1"}}]
        - extract: {key: minio}
          rewrite: [{regexp: {source: "(.*)", target: "MINIO_$1"}}]
        """,
        ("minio/access_key", "loki/secret"),
    ),
    "two items, not told apart": (
        """
        target: {template: {data: {AWS_ACCESS_KEY_ID: "{{ .access_key }}"}}}
        dataFrom: [{extract: {key: app}}, {extract: {key: minio}}]
        """,
        (
            "not followed: more than one entry of `dataFrom` can hold it",
            "not followed: its template does not make this key",
        ),
    ),
    "an item for the most, one key by itself": (
        """
        dataFrom: [{extract: {key: app, conversionStrategy: None}}]
        data:
        - {secretKey: AWS_SECRET_ACCESS_KEY, remoteRef: {key: loki, property: key}}
        """,
        ("app/AWS_ACCESS_KEY_ID", "loki/key"),
    ),
    "one field of an item": (
        """
        dataFrom: [{extract: {key: loki, property: AWS_ACCESS_KEY_ID}}]
        """,
        ("loki/AWS_ACCESS_KEY_ID", "not followed: it reads nothing of this name"),
    ),
    "stored in base64": (
        """
        dataFrom: [{extract: {key: loki, decodingStrategy: Base64}}]
        data:
        - {secretKey: AWS_SECRET_ACCESS_KEY,
           remoteRef: {key: loki, property: key, decodingStrategy: Auto}}
        """,
        (
            "not followed: `decodingStrategy` changes the value on its way",
            "not followed: `decodingStrategy` changes the value on its way",
        ),
    ),
    "template functions": (
        """
        target:
          template:
            data:
              AWS_ACCESS_KEY_ID: '{{ trim .ak | trimSuffix "\\n" }}'
              AWS_SECRET_ACCESS_KEY: "{{ .sk | b64enc }}"
        dataFrom: [{extract: {key: loki}}]
        """,
        ("loki/ak", "not followed: `b64enc` changes the value on its way"),
    ),
    "a URL of both": (
        """
        target:
          template:
            mergePolicy: Merge
            data:
              AWS_ACCESS_KEY_ID: "s3://{{ .id }}:{{ .key }}@rgw/logs"
        data:
        - {secretKey: id, remoteRef: {key: loki, property: id}}
        - {secretKey: AWS_SECRET_ACCESS_KEY, remoteRef: {key: loki, property: key}}
        - {secretKey: key, remoteRef: {key: loki, property: key}}
        """,
        (
            "not followed: the template makes it of more or less than one field",
            "loki/key",
        ),
    ),
    "a template elsewhere": (
        """
        target:
          template:
            templateFrom: [{configMap: {name: t, items: [{key: a}]}}]
            data: {AWS_SECRET_ACCESS_KEY: "{{ .key }}"}
        data: [{secretKey: key, remoteRef: {key: loki, property: key}}]
        """,
        ("not followed: its template is in `templateFrom`", "loki/key"),
    ),
    "a template for labels alone": (
        """
        target: {template: {metadata: {labels: {a: b}}}}
        data: [{secretKey: AWS_ACCESS_KEY_ID, remoteRef: {key: loki, property: id}}]
        """,
        ("loki/id", "not followed: it reads nothing of this name"),
    ),
    "found by name": (
        """
        dataFrom: [{find: {name: {regexp: "AWS_.*"}}}]
        """,
        ("not followed: `find` takes whatever the store has",) * 2,
    ),
    "made by generators": (
        """
        dataFrom: [{sourceRef: {generatorRef: {kind: Password, name: p}}}]
        data:
        - {secretKey: AWS_ACCESS_KEY_ID, sourceRef: {generatorRef: {kind: Password, name: p}}}
        """,
        ("not followed: a generator makes it",) * 2,
    ),
    "a rewrite that several labels can have": (
        """
        dataFrom:
        - extract: {key: loki}
          rewrite: [{transform: {template: "{{ .value | upper }}"}}]
        """,
        ("not followed: `rewrite` gives several labels this name",) * 2,
    ),
    "a rewrite by values": (
        """
        dataFrom: [{extract: {key: loki}, rewrite: [{merge: {into: all}}]}]
        """,
        ("not followed: `rewrite` depends on the values",) * 2,
    ),
    "no value at all": (
        """
        dataFrom: [{extract: {key: loki, decodingStrategy: Rot13}}]
        data:
        - {secretKey: AWS_ACCESS_KEY_ID, remoteRef: {key: loki, metadataPolicy: Fetch}}
        - {remoteRef: {key: nameless}}
        """,
        (
            "not followed: `metadataPolicy: Fetch` reads no value",
            "not followed: its `decodingStrategy` is not known",
        ),
    ),
    "an engine of old": (
        """
        target: {template: {engineVersion: v1, data: {AWS_ACCESS_KEY_ID: "{{ .id }}"}}}
        data: [{secretKey: id, remoteRef: {key: loki, property: id}}]
        """,
        (
            "not followed: its template is of another engine than v2",
            "not followed: its template does not make this key",
        ),
    ),
    "a template with a condition": (
        """
        target: {template: {data: {AWS_ACCESS_KEY_ID: "{{ if .id }}{{ .id }}{{ end }}",
                                   AWS_SECRET_ACCESS_KEY: "{{ .nobody }}"}}}
        data: [{secretKey: id, remoteRef: {key: loki, property: id}}]
        """,
        (
            "not followed: the template uses `if`",
            "not followed: it reads nothing of this name",
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_which_fields_of_which_item_make_the_pair(case: str) -> None:
    """Followed as far as the object tells, and the reason where it does not."""
    text, expected = CASES[case]
    secret = said(text)
    assert (label(secret, ID), label(secret, KEY)) == expected


def test_stores_are_named_for_all_or_for_one_entry() -> None:
    """An entry's own store wins; one for all need not be named at all."""
    secret = said(
        """
        secretStoreRef: {name: house}
        data:
        - secretKey: AWS_ACCESS_KEY_ID
          remoteRef: {key: loki, property: id, version: "3"}
          sourceRef: {storeRef: {kind: ClusterSecretStore, name: vault}}
        dataFrom: [{extract: {key: loki}}]
        """
    )
    first, second = secret.field_of(ID), secret.field_of(KEY)
    assert isinstance(first, Field)
    assert isinstance(second, Field)
    vault, house = Ref("ClusterSecretStore", "vault"), Ref("SecretStore", "house", "logs")
    assert first.remote == Remote(store=vault, key="loki", property="id", version="3")
    assert second.remote == Remote(store=house, key="loki")
    assert secret.stores == (house, vault)
    alone = said("dataFrom: [{extract: {key: a}, sourceRef: {storeRef: {name: s}}}]")
    assert alone.stores == (Ref("SecretStore", "s", "logs"),)
    assert said("{}").stores == ()


@pytest.mark.parametrize(
    ("spec", "keys", "all_of_them"),
    [
        ("data: [{secretKey: a}, {secretKey: b}]", {"a", "b"}, True),
        ("data: [{secretKey: a}]\ndataFrom: [{extract: {key: i}}]", {"a"}, False),
        ("data: [{secretKey: a}]\ntarget: {template: {data: {b: x}}}", {"b"}, True),
        (
            "data: [{secretKey: a}]\ntarget: {template: {mergePolicy: Merge, data: {b: x}}}",
            {"a", "b"},
            True,
        ),
        ("data: [{secretKey: a}]\ntarget: {template: {templateFrom: [{}]}}", set(), False),
        ("dataFrom: [{find: {}}]\ntarget: {template: {data: {b: x}}}", {"b"}, True),
        ("[1]", set(), True),
    ],
)
def test_which_keys_the_secret_gets(spec: str, keys: set[str], all_of_them: bool) -> None:
    """Those that are named, and whether there can be more."""
    secret = said(spec)
    assert (secret.keys, secret.names_all_keys) == (frozenset(keys), all_of_them)


@pytest.mark.parametrize(
    ("target", "made", "makes", "merges"),
    [
        ("{}", "loki-s3", True, False),
        ("{name: other}", "other", True, False),
        ("{creationPolicy: Orphan}", "loki-s3", True, False),
        ("{creationPolicy: Merge}", "loki-s3", False, True),
        ("{creationPolicy: CreateOrMerge}", "loki-s3", True, True),
        ("{creationPolicy: None}", "loki-s3", False, False),
        ("{name: c, manifest: {apiVersion: v1, kind: ConfigMap}}", "", False, False),
    ],
)
def test_what_becomes_of_the_secret(target: str, made: str, makes: bool, merges: bool) -> None:
    """Named, made and added to, as target and creationPolicy say."""
    secret = said(f"target: {target}")
    assert (secret.target, secret.makes_secret, secret.merges) == (made, makes, merges)


def test_how_it_is_refreshed() -> None:
    """With the CRD's defaults where nothing is said."""
    plain = said("{}")
    assert (plain.interval, plain.refresh_policy, plain.immutable) == ("1h", "Periodic", False)
    other = said("{refreshInterval: 0, refreshPolicy: OnChange, target: {immutable: true}}")
    assert (other.interval, other.refresh_policy, other.immutable) == ("0", "OnChange", True)
    assert said("dataFrom: [{extract: {key: a}}]").reads_whole_item
    assert not said("data: [{secretKey: a}]\ndataFrom: [{extract: {key: a}}]").reads_whole_item


def test_a_value_is_computed_from_what_was_read() -> None:
    """Decoded, piped and put between texts; unknown where one of its fields is."""
    secret = said(
        """
        target: {template: {data: {url: "s3://{{ .id }}:{{ .key | b64enc }}@rgw"}}}
        data:
        - {secretKey: id, remoteRef: {key: loki, property: id, decodingStrategy: Base64}}
        - {secretKey: key, remoteRef: {key: loki, property: key}}
        """
    )
    value = secret.value("url")
    assert isinstance(value, Value)
    assert [field.name for field in value.fields] == ["id", "key"]
    held = {"id": b64encode(b"AK7"), "key": b"\xff"}
    assert value.of(lambda field: held.get(field.name)) == b"s3://AK7:/w==@rgw"
    assert value.of(lambda field: b"!" if field.name == "id" else b"") is None
    assert value.of(lambda field: None) is None


@pytest.mark.parametrize(
    ("strategy", "held", "delivered"),
    [
        ("Base64", b"QUs3", b"AK7"),
        ("Base64URL", b"-_-_", b"\xfb\xff\xbf"),
        ("Base64URL", b"+/+/", None),
        ("Auto", b"QUs3", b"AK7"),
        ("Auto", b"-_-_", b"\xfb\xff\xbf"),
        ("Auto", b"not base64", b"not base64"),
        ("Base64", b"QU\ns3", b"AK7"),
    ],
)
def test_values_are_decoded(strategy: str, held: bytes, delivered: bytes | None) -> None:
    """As `decodingStrategy` says."""
    ref = f"{{key: loki, property: id, decodingStrategy: {strategy}}}"
    value = said(f"data: [{{secretKey: id, remoteRef: {ref}}}]").value("id")
    assert isinstance(value, Value)
    assert value.of(lambda field: held) == delivered


def test_a_field_of_an_item_under_another_name_is_not_the_one() -> None:
    """`property` picks one field: whatever else it is called here, nothing else is read."""
    secret = said("dataFrom: [{extract: {key: loki, property: other}}]")
    assert label(secret, ID) == "not followed: it reads nothing of this name"


def test_the_connect_behind_a_store() -> None:
    """Vaults come in the order in which they are searched."""
    provider = {
        "connectHost": "http://connect",
        "vaults": {"second": 2, "first": 1},
        "auth": {
            "secretRef": {
                "connectTokenSecretRef": {"name": "token", "key": "t", "namespace": "eso"}
            }
        },
    }
    assert connect_of({"spec": {"provider": {"onepassword": provider}}}) == ConnectStore(
        url="http://connect",
        vaults=("first", "second"),
        token=SecretKeyRef(name="token", key="t"),
        token_namespace="eso",
    )


def test_another_provider_is_named() -> None:
    """A store on something else, on nothing, and on a Connect of which nothing is said."""
    other = {"spec": {"provider": {"onepasswordSDK": {"vault": "v"}}}}
    assert (connect_of(other), provider_of(other)) == (None, "onepasswordSDK")
    assert (connect_of({}), provider_of({})) == (None, "")
    bare = connect_of({"spec": {"provider": {"onepassword": {"vaults": []}}}})
    empty = SecretKeyRef(name="", key="")
    assert bare == ConnectStore(url="", vaults=(), token=empty, token_namespace=None)


def test_an_item_is_found_by_what_the_store_calls_it() -> None:
    """The key of the store is the item's title or id."""
    field = Field(name="id", remote=Remote(store=None, key="loki", property="id"))
    assert item_field(field) == ItemField(item="loki", label="id")


def test_of_very_many_entries_none_is_followed() -> None:
    """Whatever the first of them would say."""
    secret = read({"spec": {"dataFrom": [{"extract": {"key": "k"}}] * 33}})
    found = secret.value("a")
    assert isinstance(found, NotFollowed)
    assert found.why == "more than one entry of `dataFrom` can hold it"
    assert not any(isinstance(each.renaming, Renaming) for each in secret.sources)
