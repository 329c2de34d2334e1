# SPDX-License-Identifier: Apache-2.0
"""Which Services and Ingresses lead to an object store."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.kubernetes.consent import origin_of
from lokeys.core.kubernetes.json_fields import Json
from lokeys.core.kubernetes.ways import leading_to

STORE: Json = {"metadata": {"name": "main", "namespace": "rook-ceph"}}
GATEWAYS = {"app": "rook-ceph-rgw", "rook_cluster": "rook-ceph", "rook_object_store": "main"}


def service(selector: object = GATEWAYS, **changes: Any) -> Json:
    spec = {"selector": selector, "ports": [{"port": 80}], **changes.pop("spec", {})}
    return {"metadata": {"name": "rgw", "namespace": "rook-ceph"}, "spec": spec, **changes}


def ingress(*backends: str, host: str = "s3.example.com") -> Json:
    paths = [{"backend": {"service": {"name": name}}} for name in backends]
    return {"spec": {"rules": [{"host": host, "http": {"paths": paths}}]}}


def leads(url: str, *, to: Json = STORE, through: Json | None = None, **given: Json) -> bool:
    services = [through if through is not None else service()]
    return origin_of(url) in leading_to(to, services, list(given.values()))


@pytest.mark.parametrize(
    "url",
    [
        "http://rgw.rook-ceph.svc",
        "http://rgw.rook-ceph.svc.cluster.local:80",
        "http://rgw.rook-ceph:80",
    ],
)
def test_a_service_that_selects_the_gateways_leads_there(url: str) -> None:
    """Under its names in the cluster, at its own ports."""
    assert leads(url)
    assert not leads(f"{url.removesuffix(':80')}:81")


def test_the_addresses_of_a_load_balancer_lead_there() -> None:
    """An address of either family, or a name."""
    given = [{"ip": "192.0.2.7"}, {"ip": "2001:db8::7"}, {"hostname": "lb.example.com"}]
    through = service(status={"loadBalancer": {"ingress": given}})
    for host in ("192.0.2.7", "[2001:db8::7]", "lb.example.com"):
        assert leads(f"http://{host}:80", through=through)


@pytest.mark.parametrize(
    "through",
    [
        pytest.param(service({"app": "rook-ceph-rgw"}), id="gateways of every store"),
        pytest.param(service(GATEWAYS | {"rook_object_store": "other"}), id="another store"),
        pytest.param(service({"rook_object_store": "main"}), id="whatever has the label"),
        pytest.param(service(None), id="no selector"),
        pytest.param(service(spec={"type": "ExternalName"}), id="a name of elsewhere"),
    ],
)
def test_a_service_of_anything_else_leads_nowhere(through: Json) -> None:
    """Nor does an Ingress to it."""
    assert not leads("http://rgw.rook-ceph.svc", through=through)
    assert not leads("https://s3.example.com", through=through, way=ingress("rgw"))


def test_an_ingress_leads_where_all_its_paths_lead() -> None:
    """At the usual ports; a host with a wildcard, or a path to elsewhere, proves nothing."""
    assert leads("https://s3.example.com", way=ingress("rgw"))
    assert leads("http://s3.example.com", way=ingress("rgw", "rgw"))
    assert not leads("https://s3.example.com:8443", way=ingress("rgw"))
    assert not leads("https://s3.example.com", way=ingress("rgw", "evil"))
    assert not leads("https://s3.example.com", way=ingress())
    assert not leads("https://*.example.com", way=ingress("rgw", host="*.example.com"))
    assert not leads("https://s3.example.com", to={"metadata": {}}, way=ingress("rgw"))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["metadata", "name", "spec", "selector", "rules", "http", "paths"]),
            inner,
        )
    ),
)


@given(ANYTHING, ANYTHING)
def test_no_shape_of_an_object_breaks_it(one: Any, other: Any) -> None:
    """Whatever it holds, an object that is none of these leads nowhere."""
    assert leading_to(STORE, [one], [other]) == frozenset()
