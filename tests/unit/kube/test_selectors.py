# SPDX-License-Identifier: Apache-2.0
"""Label selectors mean here what they mean to the API server."""

import pytest

from lokeys.kube.selectors import matches

LABELS = {"app": "loki", "tier": "write", "example.com/part-of": "logs"}


@pytest.mark.parametrize(
    ("selector", "fits"),
    [
        pytest.param(None, True, id="none fits all"),
        pytest.param("", True, id="an empty one fits all"),
        pytest.param("app=loki", True, id="equal"),
        pytest.param("app==loki", True, id="equal, in its other spelling"),
        pytest.param("app=mimir", False, id="another value"),
        pytest.param("zone=a", False, id="a label that is not there equals nothing"),
        pytest.param("app!=mimir", True, id="unequal"),
        pytest.param("zone!=a", True, id="a label that is not there is unequal"),
        pytest.param("app!=loki", False, id="equal where unequal is asked"),
        pytest.param("tier in (read, write)", True, id="one of a set"),
        pytest.param("tier in (read)", False, id="none of a set"),
        pytest.param("tier notin (read,write)", False, id="one of a set that is excluded"),
        pytest.param("zone notin (a)", True, id="a label that is not there is in no set"),
        pytest.param("app", True, id="is there"),
        pytest.param("zone", False, id="is not there"),
        pytest.param("!zone", True, id="must not be there, and is not"),
        pytest.param("!app", False, id="must not be there, and is"),
        pytest.param("example.com/part-of=logs", True, id="a key with a prefix"),
        pytest.param("app=loki,tier in (write),!zone", True, id="all of several"),
        pytest.param("app=loki,tier=read", False, id="one of several does not fit"),
    ],
)
def test_a_selector_fits(selector: str | None, *, fits: bool) -> None:
    """Every operator, and labels that are not there."""
    assert matches({"metadata": {"labels": LABELS}}, selector) is fits


def test_an_object_without_labels_fits_what_asks_for_none() -> None:
    """Neither a missing nor a null map of labels is a fault."""
    for metadata in ({}, {"labels": None}):
        assert matches({"metadata": metadata}, "!app")
        assert not matches({"metadata": metadata}, "app")


@pytest.mark.parametrize("selector", ["=", "app=loki;", "in (a)", "app in a"])
def test_what_is_no_selector_is_refused(selector: str) -> None:
    """With an error, each time it is used."""
    for _ in range(2):
        with pytest.raises(ValueError, match="not a label selector"):
            matches({"metadata": {"labels": LABELS}}, selector)
