# SPDX-License-Identifier: Apache-2.0
"""Loki's configuration alone: each place of a store is seen, and a sound one is told nothing."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lokeys.bounded_yaml import built
from lokeys.core.findings.doctor.reading import read
from lokeys.core.findings.doctor.verdict import verdict
from lokeys.core.findings.finding import Confidence, Severity
from lokeys.core.findings.rules import RULES
from lokeys.core.route.configured import configuration_of
from lokeys.core.route.joined import joined

PAIR = {"access_key_id": "${ID}", "secret_access_key": "${KEY}"}
OLDER = {"endpoint": "http://minio:9000", "bucketnames": "loki", **PAIR}
NEWER = {"endpoint": "minio:9000", "bucket_name": "loki", "insecure": True, **PAIR}


def schema(*stores: str) -> dict[str, Any]:
    """Return a schema whose periods name these stores, the last one in force."""
    configs = [{"from": f"202{n}-01-01", "object_store": store} for n, store in enumerate(stores)]
    return {"schema_config": {"configs": configs}}


def told(document: object, **words: Any) -> list[tuple[str, str]]:
    """Return the codes and places of what a configuration is told."""
    text = document if isinstance(document, str) else yaml.safe_dump(document)
    found = configuration_of(text, name="c.yaml", parse=built, **words).findings
    return [(each.code, each.field or "") for each in found]


SOUND = {
    "the common block": {"common": {"storage": {"s3": OLDER}}} | schema("s3"),
    "the store's own block": {"storage_config": {"aws": OLDER}} | schema("aws"),
    "a URL, its secret escaped": {
        "storage_config": {"aws": {"s3": "s3://id:a%2Fb%2Bc@minio:9000/loki"}}
    }
    | schema("s3"),
    "a store of its own name": {
        "storage_config": {
            "named_stores": {"aws": {"lake": OLDER}, "gcs": {"x": {"bucket_name": "b"}}}
        }
    }
    | schema("filesystem", "lake"),
    "the newer client": {
        "storage_config": {"use_thanos_objstore": True, "object_store": {"s3": NEWER}}
    }
    | schema("s3"),
    "the newer client in the common block": {
        "storage_config": {"use_thanos_objstore": True},
        "common": {"storage": {"object_store": {"gcs": {"bucket_name": "loki"}}}},
    }
    | schema("gcs"),
    "a store of its own name for the newer client": {
        "storage_config": {
            "use_thanos_objstore": True,
            "object_store": {"named_stores": {"s3": {"lake": NEWER}}},
        }
    }
    | schema("lake"),
    "Azure": {"storage_config": {"azure": {"container_name": "c", "account_name": "a"}}}
    | schema("azure"),
    "rules and deletes": {
        "common": {"storage": {"s3": OLDER}},
        "ruler": {"storage": {"type": "s3", "s3": OLDER}},
        "ruler_storage": {"backend": "s3", "s3": NEWER},
        "compactor": {"delete_request_store": "s3"},
    }
    | schema("s3"),
    "a disk and no store": {"common": {"storage": {"filesystem": {"chunks_directory": "/x"}}}}
    | schema("filesystem"),
    "a bucket by a variable": {
        "common": {
            "storage": {"s3": OLDER | {"bucketnames": "${BUCKET:-loki}", "endpoint": "${E}"}}
        }
    }
    | schema("s3"),
    "a disk for deletes": {
        "common": {"storage": {"s3": OLDER}},
        "compactor": {"delete_request_store": "filesystem"},
    }
    | schema("s3"),
    "odd things beside it": {
        "common": {"storage": {"s3": OLDER | {"endpoint": "http://[::1"}}},
        "storage_config": {"named_stores": {"alien": {"x": OLDER}, "aws": {"y": 3}, "gcs": 4}},
    }
    | schema("s3"),
    "a text too long to be looked at": {
        "common": {"storage": {"s3": OLDER | {"region": "${X}" + "x" * 70_000}}}
    }
    | schema("s3"),
    "no schema": {"common": {"storage": {"s3": OLDER}}},
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_configuration_is_told_nothing(name: str) -> None:
    """Wherever its store is configured."""
    assert told(SOUND[name]) == []


FAULTY = {
    "the schema names another store": (
        {"storage_config": {"gcs": {"bucket_name": "b"}}} | schema("s3"),
        [("LK0920", "storage_config.aws")],
    ),
    "no store at all": (schema("s3"), [("LK0920", "storage_config.aws")]),
    "a name that is configured nowhere": (
        {"common": {"storage": {"s3": OLDER}}} | schema("lake"),
        [("LK0920", "storage_config.named_stores")],
    ),
    "the older client's block for the newer one": (
        {"storage_config": {"use_thanos_objstore": True, "aws": OLDER}} | schema("s3"),
        [("LK0920", "storage_config.object_store.s3")],
    ),
    "the newer client's block for the older one": (
        {"storage_config": {"object_store": {"s3": NEWER}}} | schema("s3"),
        [("LK0920", "storage_config.aws")],
    ),
    "deletes in a store that there is not": (
        {"common": {"storage": {"s3": OLDER}}, "compactor": {"delete_request_store": "gcs"}}
        | schema("s3"),
        [("LK0920", "storage_config.gcs")],
    ),
    "its own disk": (
        {"common": {"storage": {"s3": OLDER}}} | schema("s3", "filesystem"),
        [("LK0921", "common.storage.s3")],
    ),
    "no bucket": (
        {"common": {"storage": {"s3": OLDER | {"bucketnames": None}}}} | schema("s3"),
        [("LK0922", "storage_config.aws")],
    ),
    "no bucket for the newer client": (
        {
            "storage_config": {
                "use_thanos_objstore": True,
                "object_store": {"s3": NEWER | {"bucket_name": ""}},
            }
        }
        | schema("s3"),
        [("LK0922", "storage_config.object_store.s3")],
    ),
    "a folder in the bucket of the rules": (
        {
            "common": {"storage": {"s3": OLDER}},
            "ruler_storage": {"s3": NEWER | {"bucket_name": "a/b"}},
        }
        | schema("s3"),
        [("LK0923", "ruler_storage.s3.bucket_name")],
    ),
    "half a pair in a store of its own name": (
        {
            "storage_config": {
                "aws": OLDER,
                "named_stores": {"aws": {"x": OLDER | {"secret_access_key": ""}}},
            }
        }
        | schema("s3"),
        [("LK0904", "storage_config.named_stores.aws.x")],
    ),
    "a secret that is not escaped": (
        {"storage_config": {"aws": {"s3": "s3://id:a/b@minio/loki"}}} | schema("s3"),
        [("LK0924", "storage_config.aws.s3")],
    ),
    "the bucket in the endpoint": (
        {"common": {"storage": {"s3": OLDER | {"endpoint": "loki.s3.example.com"}}}} | schema("s3"),
        [("LK0925", "common.storage.s3.endpoint")],
    ),
    "a variable as Kubernetes writes it": (
        {"common": {"storage": {"s3": OLDER | {"bucketnames": "$(BUCKET)"}}}} | schema("s3"),
        [("LK0901", "common.storage.s3")],
    ),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_fault_is_told_with_its_place(name: str) -> None:
    """By its path in the configuration."""
    document, expected = FAULTY[name]
    assert told(document) == expected


def test_whether_variables_are_filled_in_decides() -> None:
    """Without -config.expand-env=true each place that names one is told; with it, none is."""
    document = {"common": {"storage": {"s3": OLDER}}} | schema("s3")
    assert told(document, expands=True) == []
    assert told(document, expands=False) == [("LK0901", "common.storage.s3")]


@pytest.mark.parametrize(
    ("expands", "confidence"), [(True, Confidence.CERTAIN), (None, Confidence.LIKELY)]
)
def test_an_expression_that_loki_cannot_read_ends_it(
    expands: bool | None, confidence: Confidence
) -> None:
    """With the line; it is certain where Loki is known to expand."""
    found = configuration_of("a: b\nc: ${MY-KEY}\n", name="c", parse=built, expands=expands)
    (finding,) = found.findings
    assert (finding.code, finding.confidence) == ("LK0903", confidence)
    assert finding.location is not None
    assert finding.location.line == 2


@pytest.mark.parametrize(
    "text",
    ["", "- a\n- b\n", "apiVersion: v1\nkind: Pod\n", "a: [", "${" * 20 + "A" + "}" * 20],
    ids=["nothing", "a list", "a manifest", "no YAML", "too deep an expression"],
)
def test_what_is_no_configuration_is_said_to_be_none(text: str) -> None:
    """And nothing is found in it."""
    found = configuration_of(text, name="c", parse=built)
    assert found.unread or found.findings
    assert not found.stores


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=30),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["common", "storage", "s3", "aws", "storage_config", "named_stores"]
                )
                | st.sampled_from(
                    ["object_store", "schema_config", "configs", "bucketnames", "endpoint"]
                )
                | st.sampled_from(["ruler", "compactor", "delete_request_store", "from"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=20,
    )
)
def test_whatever_stands_in_a_configuration_is_survived(document: object) -> None:
    """Values of other types, deep or odd, are no crash."""
    told(yaml.safe_dump(document))


# --- beside a log ---------------------------------------------------------------------------------

DENIED = 'level=error ts=2026-01-01T00:00:00Z caller=flush.go:1 msg="failed to flush" err="%s"\n'


def beside(document: object, said: str) -> list[Any]:
    """Return what a configuration and a log are told together."""
    config = configuration_of(yaml.safe_dump(document), name="c.yaml", parse=built)
    tally = read("loki.log", [(DENIED % said).encode()])
    return list(joined(config.findings, verdict([tally]), [tally]))


MISMATCH = (
    "SignatureDoesNotMatch: The request signature we calculated does not match the signature you "
    "provided. status code: 403"
)


def test_the_configuration_decides_what_a_log_may_mean() -> None:
    """A signature that does not fit is the unescaped secret's, not that of a wrong key."""
    document, _ = FAULTY["a secret that is not escaped"]
    (found,) = beside(document, MISMATCH)
    assert (found.cause, found.confidence) == ("secret_key_url_encoding", Confidence.CERTAIN)
    assert found.severity is Severity.ERROR
    assert [RULES[symptom.code].cause for symptom in found.symptoms] == ["secret_key_mismatch"]
    assert found.evidence


def test_a_sound_configuration_leaves_a_log_as_it_is() -> None:
    """So does a fault that explains nothing of it: both are told."""
    assert [each.cause for each in beside(SOUND["the common block"], MISMATCH)] == [
        "secret_key_mismatch"
    ]
    document, _ = FAULTY["its own disk"]
    assert {each.cause for each in beside(document, MISMATCH)} == {
        "secret_key_mismatch",
        "filesystem_store_in_use",
    }
