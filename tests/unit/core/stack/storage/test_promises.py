# SPDX-License-Identifier: Apache-2.0
"""What holds of every Secret: it has a mode, it is read without a crash, it is never shown."""

from collections.abc import Mapping
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.stack.storage.fields import KEYS, SECRET_KEYS
from lokeys.core.stack.storage.mode import infer_mode
from lokeys.core.stack.storage.model import CloudEnvironment, CredentialMode, StorageType
from lokeys.core.stack.storage.read import read_storage
from lokeys.core.stack.storage.resolved import resolved_to_json
from lokeys.core.stack.storage.secret_data import secret_data
from unit.core.stack.storage.secrets import EVERYWHERE, SECRET, SOUND, STACK, data_of, judged

ALL_KEYS = sorted({name for keys in KEYS.values() for name in keys.known})
CANARY = "C4nary+/S3cret="
WORDS = ["", "true", "https://s3.eu-west-1.amazonaws.com", "eu-west-1", "{}", "arn:aws:iam", "a,b"]
values = st.one_of(st.sampled_from(WORDS), st.text(max_size=12), st.binary(max_size=12))
secrets = st.dictionaries(st.sampled_from(ALL_KEYS), values, max_size=8)
spoilt_data = st.one_of(
    st.just({}),
    st.dictionaries(st.sampled_from(ALL_KEYS), st.sampled_from(["not base64!", 7, True, [], None])),
    st.sampled_from(["text", [], 7]),
)
modes = st.one_of(st.none(), st.sampled_from(CredentialMode), st.text(max_size=4))
environments = st.sampled_from(
    [None, EVERYWHERE, CloudEnvironment(), CloudEnvironment(openshift=True)]
)


def texts_of(values: Mapping[str, str | bytes]) -> dict[str, str]:
    """Return values as `stringData` has them."""
    return {
        key: value if isinstance(value, str) else value.decode(errors="replace")
        for key, value in values.items()
    }


@given(st.sampled_from(StorageType), modes, secrets, environments)
def test_inference_is_total(
    kind: StorageType,
    word: str | None,
    values: dict[str, str | bytes],
    environment: CloudEnvironment | None,
) -> None:
    """Any Secret and any environment give a mode, or the spec's word is none."""
    around = environment or CloudEnvironment()
    mode = infer_mode(kind, word, secret=data_of(values), environment=around)
    if word and word not in set(CredentialMode):
        assert mode is None
    else:
        assert mode is not None
        assert not word or mode == word


@given(st.sampled_from([*StorageType, "s4", ""]), modes, secrets, spoilt_data, environments)
def test_any_secret_is_read(
    kind: str,
    word: str | None,
    values: dict[str, str | bytes],
    spoilt: object,
    environment: CloudEnvironment | None,
) -> None:
    """Never a crash; a storage exactly where nothing is an error, of the manifest's form too."""
    manifest = {"data": spoilt, "stringData": texts_of(values)}
    decoded = secret_data(manifest, ref=SECRET, stack=STACK)
    reading = read_storage(STACK, kind, word, secret=decoded.data, environment=environment)
    findings = (*decoded.findings, *reading.findings)
    assert (reading.storage is None) == any(each.is_error for each in findings)
    if reading.storage is not None:
        assert resolved_to_json(reading.storage)


@given(st.sampled_from(sorted(SOUND)), st.data())
def test_no_value_of_a_secret_is_ever_shown(what: str, data: st.DataObject) -> None:
    """Neither of a secret key, nor of one that stands under a wrong name."""
    key = data.draw(st.sampled_from([*ALL_KEYS, "unknown"]))
    around = data.draw(st.sampled_from(["{}", "{}\n", " {}", "{}{{}}", "https://x:{}@host"]))
    secret = around.format(CANARY) if "{{" not in around else CANARY
    reading = judged(what, {key: secret})
    assert CANARY not in repr([asdict(finding) for finding in reading.findings])
    if reading.storage is not None and key in SECRET_KEYS:
        assert CANARY not in repr((reading.storage, resolved_to_json(reading.storage)))


def test_what_is_resolved_is_the_contracts() -> None:
    """The names that other programs read, a store at a time."""
    shapes = {}
    for what in SOUND:
        storage = judged(what).storage
        assert storage is not None
        shapes[what.split()[0]] = set(resolved_to_json(storage))
    assert shapes["s3"] == {
        *("buckets", "endpointHost", "region", "insecure", "forcePathStyle", "sts", "audience"),
        "sse",
    }
    assert shapes["azure"] == {"container", "endpointSuffix", "audience", "workloadIdentity"}
    assert shapes["gcs"] == {"bucket", "audience", "workloadIdentity"}
    assert shapes["alibabacloud"] == {"endpoint", "bucket"}
    assert len(shapes["swift"]) == 12


def test_encryption_is_resolved() -> None:
    """The KMS key and its context are no secrets."""
    kms = {"sse_type": "SSE-KMS", "sse_kms_key_id": "k", "sse_kms_encryption_context": "{}"}
    storage = judged("s3 static", kms).storage
    assert storage is not None
    assert resolved_to_json(storage)["sse"] == {
        "type": "SSE-KMS",
        "kmsKeyId": "k",
        "kmsEncryptionContext": "{}",
    }
