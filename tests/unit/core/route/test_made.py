# SPDX-License-Identifier: Apache-2.0
"""Who makes a Secret in External Secrets' place, and how that one is changed."""

from typing import Any

import pytest

from builders import DEAD, TRUSTED, A, B, a_gap, a_secret, look
from lokeys.core.findings.finding import Finding
from lokeys.core.kubernetes.makers import Maker, item_of
from lokeys.core.place import Hop, Ref
from lokeys.core.route.diagnosis import diagnose
from lokeys.core.route.hops import hops
from lokeys.core.route.made import known_maker, maker_of_secret
from lokeys.core.route.snapshot import MakerState, Snapshot, Why

BARE = {"vault": None, "external_secret": None}
STALE = {"source": B, "verdicts": {A: DEAD, B: TRUSTED}}
ITEM = Ref("OnePasswordItem", "loki-s3", "monitoring")


def made(kind: str, controller: str, change: str, **more: Any) -> Maker:
    """Return a maker whose object is called like the Secret."""
    ref = Ref(kind, "loki-s3", "monitoring")
    return Maker(controller=controller, change=change, ref=ref, **more)


OP = made(
    "OnePasswordItem",
    "the 1Password operator",
    "edit the item in 1Password",
    source="vaults/x1/items/y2",
)
CASES = {
    "the 1Password operator": (
        OP,
        (
            "in 1Password, put the source's pair into the item `home-lab/loki`, its fields "
            "`AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`"
        ),
    ),
    "Sealed Secrets": (
        made("SealedSecret", "Sealed Secrets", "seal it anew"),
        "seal the source's pair anew with kubeseal, and put it into SealedSecret",
    ),
    "a claim's provisioner": (
        made("ObjectBucketClaim", "the claim's provisioner", "leave it"),
        "name ObjectBucketClaim monitoring/loki-s3 as the source",
    ),
    "the Vault Secrets Operator": (
        made("VaultStaticSecret", "the Vault Secrets Operator", "write the value to Vault"),
        (
            "write the value to Vault (VaultStaticSecret monitoring/loki-s3): the Vault Secrets "
            "Operator makes Secret monitoring/loki-s3-credentials, and undoes other changes"
        ),
    ),
    "Argo CD, which names no object": (
        Maker(controller="Argo CD", change="change it in Git"),
        "change it in Git: Argo CD makes Secret monitoring/loki-s3-credentials",
    ),
}


def found(maker: Maker, **changes: Any) -> Finding:
    """Return what is said of a Secret that this one made, and that is behind the source."""
    state = MakerState(ref=ITEM, item="home-lab/loki")
    seen = look(route=BARE, **STALE, secret=a_secret(A, maker=maker), maker=state, **changes)
    (behind,) = (each for each in diagnose(seen).findings if each.code == "LK0512")
    return behind


@pytest.mark.parametrize(("maker", "text"), CASES.values(), ids=CASES)
def test_the_remedy_is_the_makers_own(maker: Maker, text: str) -> None:
    """Never lokeys' own write, which would be undone."""
    behind = found(maker)
    assert behind.remedy[0].text.startswith(text)
    assert "makes it" in behind.message
    assert not any("lokeys heal" in str(each.command) for each in behind.remedy)


def test_the_1password_operator_can_be_asked() -> None:
    """A new annotation has it read the item: the moment is the shell's."""
    command = str(found(OP).remedy[1].command)
    assert command == (
        "kubectl -n monitoring annotate onepassworditem loki-s3 --overwrite "
        'lokeys.dev/read-again="$(date +%s)"'
    )


def test_a_healthy_route_with_a_maker_has_no_finding() -> None:
    """Who makes the Secret is no fault."""
    seen = look(route=BARE, secret=a_secret(A, maker=OP), maker=MakerState(ref=ITEM, ready=True))
    assert diagnose(seen).findings == ()


def detail(snapshot: Snapshot) -> str | None:
    """Return what the hop of the delivery says; None where there is none."""
    views = {view.hop: view.detail for view in hops(snapshot)}
    return views.get(Hop.DELIVERY)


def test_the_maker_is_a_hop() -> None:
    """With its item, and with what it says where it is not ready."""
    by_op = {"route": BARE, "secret": a_secret(A, maker=OP)}
    said = "makes the Secret for the 1Password operator, of"
    assert detail(look(**by_op)) == f"{said} `x1/y2`"
    sick = MakerState(ref=ITEM, item="home-lab/loki", ready=False, message="no such item")
    assert detail(look(**by_op, maker=sick)) == f"{said} `home-lab/loki`, not ready: no such item"
    gone = a_gap(Hop.DELIVERY, ITEM, Why.FORBIDDEN)
    assert detail(look(**by_op, unreadable=(gone,))) == "not readable: forbidden"
    nameless = Maker(controller="Argo CD", change="change it in Git")
    assert detail(look(route=BARE, secret=a_secret(A, maker=nameless))) is None
    assert detail(look(route=BARE)) is None


def test_the_resource_names_what_the_secret_does_not() -> None:
    """Marks are believed first; an ExternalSecret of the route is the maker, whoever else is."""
    ref = Ref("Kustomization", "logs", "monitoring")
    named = look(route={**BARE, "made_by": ref})
    maker = maker_of_secret(named)
    assert maker is not None
    assert (maker.ref, maker.change) == (ref, "")
    assert detail(named) == "makes the Secret"
    stale = look(route={**BARE, "made_by": ref}, **STALE)
    (behind,) = (each for each in diagnose(stale).findings if each.code == "LK0512")
    assert behind.message.endswith("Kustomization monitoring/logs makes it")
    assert behind.remedy[0].text.startswith("give the source's pair to what makes the Secret: ")
    marked = look(route={**BARE, "made_by": ref}, secret=a_secret(A, maker=OP))
    assert maker_of_secret(marked) is OP
    assert maker_of_secret(look(secret=a_secret(A, maker=OP))) is None
    eso = Maker(controller="External Secrets", change="change the value")
    assert maker_of_secret(look(route=BARE, secret=a_secret(A, maker=eso))) is None
    assert maker_of_secret(look(route={**BARE, "made_by": ref}, secret=None)) is not None


@pytest.mark.parametrize(
    ("path", "item"),
    [
        ("vaults/home-lab/items/loki", "home-lab/loki"),
        ("vaults/home lab/items/loki s3", "home lab/loki s3"),
        ("op://home-lab/loki", ""),
        ("vaults//items/loki", ""),
        ("", ""),
    ],
)
def test_an_item_is_named_by_its_path(path: str, item: str) -> None:
    """As the 1Password operator takes it."""
    assert item_of(path) == item


def test_a_path_that_names_no_item_is_not_shown() -> None:
    """It is somebody else's text."""
    odd = made("OnePasswordItem", "the 1Password operator", "edit the item", source="x")
    seen = look(route=BARE, **STALE, secret=a_secret(A, maker=odd))
    (behind,) = (each for each in diagnose(seen).findings if each.code == "LK0512")
    assert "the item that the OnePasswordItem names" in behind.remedy[0].text


def owned(name: str) -> dict[str, Any]:
    """Return a Secret that a OnePasswordItem of this name made."""
    owner = {"apiVersion": "onepassword.com/v1", "kind": "OnePasswordItem", "name": name}
    path = {"operator.1password.io/item-path": "vaults/a\x1b[31m/items/b"}
    return {"metadata": {"ownerReferences": [owner], "annotations": path}}


def test_marks_are_shown_only_as_they_may_be() -> None:
    """No control character, and no name that no object can bear."""
    maker = known_maker(owned("loki-s3"))
    assert maker is not None
    assert maker.source == "vaults/a?[31m/items/b"
    hostile = known_maker(owned("x\n; rm -rf /"))
    assert hostile is not None
    assert hostile.ref is None
    labels = {"helm.toolkit.fluxcd.io/name": "loki", "helm.toolkit.fluxcd.io/namespace": "A.b"}
    nowhere = known_maker({"metadata": {"labels": labels}})
    assert nowhere is not None
    assert nowhere.ref is None
    assert known_maker({"metadata": {}}) is None
