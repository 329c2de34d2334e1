# SPDX-License-Identifier: Apache-2.0
"""What a field manager owns, taken out of an object by the API server's bookkeeping."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lokeys.kube.ownership import managers, owned_by


def entry(fields: dict[str, Any], manager: str = "lokeys", **more: Any) -> dict[str, Any]:
    return {"manager": manager, "operation": "Apply", "fieldsV1": fields, **more}


def obj(fields: dict[str, Any], **content: Any) -> dict[str, Any]:
    return {"metadata": {"name": "x", "managedFields": [entry(fields)]}, **content}


def test_fields_are_taken_by_name() -> None:
    """What is not named stays out; what is named and not there, too."""
    fields: dict[str, Any] = {"f:spec": {"f:replicas": {}, "f:gone": {}, "f:template": {"f:a": {}}}}
    spec = {"replicas": 2, "others": 1, "template": {"a": [1], "b": 2}}
    assert owned_by(obj(fields, spec=spec), "lokeys") == {
        "spec": {"replicas": 2, "template": {"a": [1]}}
    }


def test_items_are_taken_by_their_keys_in_the_objects_order() -> None:
    """One item may have several keys; an item that has gone is left out."""
    fields: dict[str, Any] = {
        "f:ports": {
            'k:{"port":2,"protocol":"TCP"}': {".": {}, "f:port": {}, "f:protocol": {}},
            'k:{"port":1,"protocol":"TCP"}': {"f:port": {}},
            'k:{"port":9,"protocol":"TCP"}': {"f:port": {}},
        }
    }
    ports = [
        {"port": 1, "protocol": "TCP", "nodePort": 7},
        {"port": 2, "protocol": "UDP"},
        {"port": 2, "protocol": "TCP"},
    ]
    assert owned_by(obj(fields, ports=ports), "lokeys") == {
        "ports": [{"port": 1}, {"port": 2, "protocol": "TCP"}]
    }


def test_values_of_sets_are_taken_by_value() -> None:
    """As finalizers are."""
    fields: dict[str, Any] = {"f:finalizers": {'v:"a"': {}, 'v:"gone"': {}}}
    assert owned_by(obj(fields, finalizers=["b", "a"]), "lokeys") == {"finalizers": ["a"]}


def test_a_whole_value_is_taken_without_statuses_inside() -> None:
    """Claim templates are one value, into which the API server writes a status."""
    claims = [{"metadata": {"name": "wal"}, "status": {"phase": "Pending"}}]
    assert owned_by(obj({"f:claims": {}}, claims=claims), "lokeys") == {
        "claims": [{"metadata": {"name": "wal"}}]
    }


def test_a_value_that_has_changed_its_form_is_taken_as_it_is() -> None:
    """Somebody made a text of a mapping: it differs, and that is all that counts."""
    assert owned_by(obj({"f:spec": {"f:a": {}}}, spec="text"), "lokeys") == {"spec": "text"}


def test_only_our_own_apply_counts() -> None:
    """Not another manager's, not an update, not the status's."""
    found = obj({"f:a": {}}, a=1)
    others = [
        entry({"f:b": {}}, manager="somebody"),
        entry({"f:b": {}}, operation="Update"),
        entry({"f:b": {}}, subresource="status"),
    ]
    found["metadata"]["managedFields"] = others
    assert owned_by(found, "lokeys") is None
    assert len(list(managers(found))) == 2
    assert owned_by({"metadata": {}}, "lokeys") is None


NAMES = st.sampled_from("abc")
SCALARS = st.integers() | st.text(max_size=3)
PLAIN = SCALARS | st.dictionaries(NAMES, SCALARS, min_size=1)


def fields_of(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    return {f"f:{name}": fields_of(inner) for name, inner in value.items()}


@given(ours=st.dictionaries(NAMES, PLAIN), other=st.sampled_from("xyz"))
def test_what_was_applied_comes_back_whatever_stands_beside_it(
    ours: dict[str, Any], other: str
) -> None:
    """The applied intent, and nothing of others."""
    found = {"metadata": {"managedFields": [entry(fields_of(ours))]}, **ours, other: 1}
    assert owned_by(found, "lokeys") == ours
