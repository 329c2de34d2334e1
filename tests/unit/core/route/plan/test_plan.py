# SPDX-License-Identifier: Apache-2.0
"""What is planned for source, vault and Secret: steps 0 to 3 of the order of healing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from builders import (
    DEAD,
    EXTERNAL_SECRET,
    SECRET,
    SECRET_STORE,
    TOKEN,
    TRUSTED,
    USER,
    WORKS,
    A,
    B,
    C,
    a_delivery,
    a_gap,
    a_pair,
    a_pod,
    a_rook_source,
    a_rook_user,
    a_route,
    a_secret,
    a_source,
    a_vault,
    a_workload,
    ago,
    content,
    live,
    look,
    said,
    said_by,
)
from lokeys.core.findings.verdict import Answer
from lokeys.core.kubernetes.makers import Maker
from lokeys.core.place import Hop, Ref
from lokeys.core.route.memory import Memory
from lokeys.core.route.model import ExternalSecretRef, PairKeys, PushSecretVault, SecretRef
from lokeys.core.route.plan import Policy, plan
from lokeys.core.route.snapshot import MakerState, RefreshPolicy, StoreState, VaultFault, Why

STALE = {"source": B, "verdicts": {A: DEAD, B: TRUSTED}}
AT_SECRET = {**STALE, "vault": B}
DIRECT = {"route": {"vault": None, "external_secret": None}}
OP = Maker(
    controller="the 1Password operator",
    change="edit the item in 1Password",
    ref=Ref("OnePasswordItem", "loki-s3", "monitoring"),
    source="vaults/a/items/b",
)
SEALED = Maker(
    controller="Sealed Secrets", change="seal it anew", ref=Ref("SealedSecret", "loki-s3", "m")
)
MADE = {"route": {**DIRECT["route"], "made_by": OP.ref}}
A_MAKER = MakerState(ref=Ref("OnePasswordItem", "loki-s3", "monitoring"), item="home/loki")
FLUX = Ref("HelmRelease", "loki", "monitoring")
LOGS = Ref("Secret", "logs", "monitoring")
PATHS = PairKeys(access_key_id="s3.id", secret_access_key="s3.key")
RENDERED: dict[str, Any] = {
    **STALE,
    "route": {
        **DIRECT["route"],
        "secret": SecretRef(kind="ConfigMap", name="loki", inside="config.yaml", keys=PATHS),
        "made_by": FLUX,
        "values": SecretRef(name="logs", keys=PATHS),
    },
    "secret": a_secret(A, ref=Ref("ConfigMap", "loki", "monitoring")),
    "maker": MakerState(ref=FLUX),
}
DELIVERED: dict[str, Any] = {
    **RENDERED,
    "route": {k: v for k, v in RENDERED["route"].items() if k not in DIRECT["route"]},
    "vault": B,
}
UNCLEAR = said(Answer.UNSPECIFIC)
NEWLINE, ENCODED = a_pair("A!"), a_pair("A=")

SOURCE = {
    "a source nobody could read is waited for": (
        {"source": None, "unreadable": (a_gap(Hop.SOURCE, USER, Why.FORBIDDEN),)},
        "await loki",
    ),
    "a source of which nothing is known is waited for": ({"source": None}, "await loki"),
    "a missing user is a person's matter": (
        {"source": None, "unreadable": (a_gap(Hop.SOURCE, USER, Why.NOT_FOUND),)},
        "stalled: store_user_missing",
    ),
    "what makes the Secret is asked to make it anew": (
        {**STALE, **MADE, "secret": a_secret(A, maker=OP), "maker": A_MAKER},
        "ask-maker loki-s3",
    ),
    "it was asked a moment ago": (
        {
            **STALE,
            **MADE,
            "secret": a_secret(A, maker=OP),
            "maker": A_MAKER,
            "memory": Memory(asked_for=B.pair, asked_count=1, asked_at=ago(seconds=2)),
        },
        "await loki-s3",
    ),
    "it was asked, and the item is a person's to edit": (
        {
            **STALE,
            **MADE,
            "secret": a_secret(A, maker=OP),
            "maker": A_MAKER,
            "memory": Memory(asked_for=B.pair, asked_count=1, asked_at=ago(seconds=30)),
        },
        "manual loki-s3",
    ),
    "it is asked again after a minute": (
        {
            **STALE,
            **MADE,
            "secret": a_secret(A, maker=OP),
            "maker": A_MAKER,
            "memory": Memory(asked_for=B.pair, asked_count=2, asked_at=ago(minutes=2)),
        },
        "ask-maker loki-s3",
    ),
    "it is not asked a fourth time": (
        {
            **STALE,
            **MADE,
            "secret": a_secret(A, maker=OP),
            "maker": A_MAKER,
            "memory": Memory(asked_for=B.pair, asked_count=3, asked_at=ago(minutes=9)),
        },
        "manual loki-s3",
    ),
    "Flux is asked to render what the values hold": (
        {**RENDERED, "values": a_secret(B, ref=LOGS)},
        "ask-maker loki",
    ),
    "Flux takes its time": (
        {
            **RENDERED,
            "values": a_secret(B, ref=LOGS),
            "memory": Memory(asked_for=B.pair, asked_count=1, asked_at=ago(minutes=4)),
        },
        "await loki",
    ),
    "a suspended release is a person's to resume": (
        {
            **RENDERED,
            "values": a_secret(B, ref=LOGS),
            "maker": MakerState(ref=FLUX, suspended=True),
        },
        "manual loki",
    ),
    "values that are behind are written where they are kept": (
        {**RENDERED, "values": a_secret(A, ref=LOGS)},
        "manual logs",
    ),
    "values that something makes are changed there": (
        {**RENDERED, "values": a_secret(A, ref=LOGS, maker=SEALED)},
        "manual logs",
    ),
    "values that were not read are waited for": ({**RENDERED}, "await loki"),
    "values that may not be read are waited for": (
        {**RENDERED, "unreadable": (a_gap(Hop.VALUES, LOGS, Why.FORBIDDEN),)},
        "await logs",
    ),
    "values that External Secrets makes are delivered first": (
        {**DELIVERED, "values": a_secret(A, ref=LOGS)},
        "force-sync loki-s3-credentials",
    ),
    "values that External Secrets never reads again stop it": (
        {
            **DELIVERED,
            "values": a_secret(A, ref=LOGS),
            "delivery": a_delivery(refresh_policy=RefreshPolicy.CREATED_ONCE),
        },
        "stalled: secret_cannot_refresh",
    ),
    "values in Git are a person's to change": (
        {**RENDERED, "route": {**RENDERED["route"], "values": None}},
        "manual loki",
    ),
    "a configuration that nothing is seen to make is a person's": (
        {**RENDERED, "route": {**RENDERED["route"], "values": None, "made_by": None}},
        "manual loki",
    ),
    "a maker that cannot be asked leaves a person's step": (
        {**STALE, **DIRECT, "secret": a_secret(A, maker=SEALED)},
        "manual loki-s3",
    ),
    "a maker that the resource names is believed": (
        {**STALE, "route": {**DIRECT["route"], "made_by": SEALED.ref}},
        "manual loki-s3",
    ),
    "a token that may not be read is waited for": (
        {**STALE, "vault": None, "unreadable": (a_gap(Hop.VAULT, TOKEN, Why.FORBIDDEN),)},
        "await connect-token",
    ),
    "the owner of a token in another namespace is asked": (
        {**STALE, "vault": None, "unreadable": (a_gap(Hop.VAULT, TOKEN, Why.NOT_ALLOWED),)},
        "stalled: token_not_allowed",
    ),
    "an owner who has not allowed it is asked": (
        {"source": None, "unreadable": (a_gap(Hop.SOURCE, USER, Why.NOT_ALLOWED),)},
        "stalled: source_not_allowed",
    ),
    "a user whose last key is gone has nothing to offer": (
        {"source": a_source(None, slots=())},
        "stalled: source_has_no_key",
    ),
    "spec.keys that name the generated Secret leave no pair": (
        {"source": a_source(None, rook=a_rook_user(reads_generated_secret=True))},
        "stalled: rook_generated_secret_blank",
    ),
    "several keys, none chosen: nobody guesses": (
        {"source": a_source(None, slots=live(A, B))},
        "await loki",
    ),
    "a suspended user is a person's matter": (
        {"source": a_source(A, suspended=True), "verdicts": {A: DEAD}},
        "stalled: user_suspended",
    ),
    "a dead key and no other is the end": (
        {"source": a_source(A, slots=()), "verdicts": {A: DEAD}},
        "stalled: source_has_no_key",
    ),
    "an unclear answer is waited for before anything is spread": (
        {"source": B, "verdicts": {A: DEAD, B: UNCLEAR}},
        "await rook-ceph-object-user-store-loki",
    ),
    "an unclear answer stops nobody who is at rest": ({"verdicts": {A: UNCLEAR}}, "settled"),
    "a policy that forbids is told, even at rest": (
        {"verdicts": {A: said(Answer.DENIED)}},
        "stalled: s3_access_denied_policy",
    ),
    "a missing bucket is made where that is allowed": (
        {
            "route": {"bucket": replace(a_route().bucket, create=True)},
            "verdicts": {A: said(Answer.NO_BUCKET)},
        },
        "create-bucket loki-chunks",
    ),
    "a newline that works stays where it is": (
        {
            "source": NEWLINE,
            "vault": NEWLINE,
            "secret": NEWLINE,
            "verdicts": {NEWLINE: WORKS},
            "memory": Memory(content=content(NEWLINE)),
        },
        "settled",
    ),
    "a newline is not spread, work or not": (
        {"source": NEWLINE, "verdicts": {NEWLINE: TRUSTED}},
        "stalled: secret_trailing_newline",
    ),
    "what looks like base64 is not spread untested": (
        {"source": ENCODED, "verdicts": {}},
        "stalled: secret_key_mismatch",
    ),
    "what looks like base64 and works is the key": (
        {"source": ENCODED, "verdicts": {ENCODED: TRUSTED, A: DEAD}},
        "write-vault Homelab/loki-s3",
    ),
}


@pytest.mark.parametrize(("changes", "expected"), SOURCE.values(), ids=SOURCE.keys())
def test_step_1_the_source(changes: dict[str, Any], expected: str) -> None:
    """A source that does not work is not spread."""
    assert said_by(plan(look(**changes), Policy())) == expected


def refreshing(**changes: Any) -> dict[str, Any]:
    """Return a look at a key that changed behind Rook, where lokeys may make it read again."""
    source = {"slots": live(B), **changes.pop("source", {})}
    route = {"source": a_rook_source(**changes.pop("rook", {}))}
    return {"route": route, "source": a_source(A, **source), "verdicts": {A: DEAD}, **changes}


TWO_KEYS = {"slots": live(B, C)}
REFRESH = {
    "one live key: Rook is made to read again": (refreshing(), True),
    "it was asked a moment ago: wait": (
        refreshing(memory=Memory(refreshed_source_at=ago(seconds=10))),
        None,
    ),
    "it was asked and did nothing: a person is told": (
        refreshing(memory=Memory(refreshed_source_at=ago(minutes=3))),
        False,
    ),
    "after ten minutes it is asked once more": (
        refreshing(memory=Memory(refreshed_source_at=ago(minutes=11))),
        True,
    ),
    "refresh is not allowed": (refreshing(rook={"refresh": False}), False),
    "Rook has not applied the present generation": (
        refreshing(source={"rook": a_rook_user(generation=2)}),
        False,
    ),
    "spec.keys are set": (refreshing(source={"rook": a_rook_user(uses_spec_keys=True)}), False),
    "two live keys, and no hop holds the doomed one": (
        refreshing(
            source=TWO_KEYS,
            memory=Memory(content=content(A)),
            pods=(a_pod(refused=1), a_pod("loki-1")),
        ),
        True,
    ),
    "the vault holds the doomed key": (refreshing(source=TWO_KEYS, vault=C), False),
    "a pod may run with the doomed key": (
        refreshing(
            source=TWO_KEYS,
            memory=Memory(content=content(A, exact=False, since=ago(minutes=1))),
        ),
        False,
    ),
    "a hop that was not read may hold the doomed key": (
        refreshing(source=TWO_KEYS, vault=None),
        False,
    ),
}


@pytest.mark.parametrize(("changes", "asked"), REFRESH.values(), ids=REFRESH.keys())
def test_step_0_rook_is_made_to_read_again(changes: dict[str, Any], asked: bool | None) -> None:
    """Only where it harms nobody: Rook's reconcile deletes every key but one."""
    made = plan(look(**changes), Policy())
    action = made.next_step.action.value if made.next_step else ""
    assert action == {True: "refresh-source", False: "", None: "await"}[asked]
    assert made.stalled == ("rook_stale_user_secret" if asked is False else None)


def test_a_key_that_rgw_lists_is_no_stale_one() -> None:
    """Where RGW lists the very pair that the endpoint refuses, reading again changes nothing."""
    made = plan(look(**refreshing(source={"slots": live(A)})), Policy())
    assert made.stalled == "source_key_dead"


VAULT = {
    "an older key is written over": ({**STALE}, "write-vault loki-s3"),
    "a half of the tested key needs no test of its own": (
        {**STALE, "vault": a_pair("B/A")},
        "write-vault loki-s3",
    ),
    "a blank pair cannot work": ({**STALE, "vault": a_pair("A/-")}, "write-vault loki-s3"),
    "a key of which the store said nothing is left": ({**STALE, "vault": C}, "await loki-s3"),
    "a key on which the store was unclear is left": (
        {**STALE, "vault": C, "verdicts": {B: TRUSTED, C: UNCLEAR}},
        "await loki-s3",
    ),
    "a working key that the source once had is behind": (
        {
            **STALE,
            "verdicts": {A: WORKS, B: TRUSTED},
            "memory": Memory(source_held=(A.pair,)),
        },
        "write-vault loki-s3",
    ),
    "a vault that does not answer is waited for": (
        {**STALE, "vault": a_vault(None, fault=VaultFault.UNREACHABLE)},
        "await loki-s3",
    ),
    "a vault of which nothing is known is waited for": ({**STALE, "vault": None}, "await loki-s3"),
    "an ambiguous item is a person's matter": (
        {**STALE, "vault": a_vault(None, fault=VaultFault.ITEM_AMBIGUOUS)},
        "stalled: op_item_ambiguous",
    ),
    "a vault without an API is a step by hand": (
        {**STALE, "vault": a_vault(None, fault=VaultFault.NOT_READABLE)},
        "manual loki-s3",
    ),
    "a PushSecret's vault is a step by hand": (
        {
            **STALE,
            "route": {"vault": PushSecretVault(name="push")},
            "vault": a_vault(None, fault=VaultFault.NOT_READABLE),
        },
        "manual loki-s3",
    ),
    "a vault that may not be written stops nobody who is past it": (
        {
            **STALE,
            "vault": a_vault(A, fault=VaultFault.READ_ONLY),
            "secret": B,
            "memory": Memory(content=content(B)),
        },
        "settled",
    ),
}


@pytest.mark.parametrize(("changes", "expected"), VAULT.values(), ids=VAULT.keys())
def test_step_2_the_vault(changes: dict[str, Any], expected: str) -> None:
    """One write, only over what is known to be dead, older or blank."""
    assert said_by(plan(look(**changes), Policy())).replace("Homelab/", "") == expected


RECREATE = {"external_secret": ExternalSecretRef(name="loki-s3-credentials", recreate=True)}
IMMUTABLE = {**AT_SECRET, "route": RECREATE, "secret": a_secret(A, immutable=True)}
GONE = {"secret": None, "unreadable": (a_gap(Hop.SECRET, SECRET, Why.NOT_FOUND),)}
STORE_DOWN = a_delivery(store=StoreState(ref=SECRET_STORE, ready=False, message="no"))
ES = "loki-s3-credentials"


def forced(count: int, **since: float) -> Memory:
    """Return that syncs were forced."""
    return Memory(forced_for=B.pair, forced_count=count, forced_at=ago(**since))


SECRETS = {
    "it is forced": ({**AT_SECRET}, f"force-sync {ES}"),
    "it is on its way": ({**AT_SECRET, "memory": forced(1, seconds=2)}, f"await {ES}"),
    "it was lost, and is forced again": (
        {**AT_SECRET, "memory": forced(1, seconds=11)},
        f"force-sync {ES}",
    ),
    "it came torn, and is forced again at once": (
        {**AT_SECRET, "secret": a_pair("B/A"), "memory": forced(1, seconds=2)},
        f"force-sync {ES}",
    ),
    "it came torn three times": (
        {
            **AT_SECRET,
            "secret": a_pair("B/A"),
            "delivery": a_delivery(message="so it says"),
            "memory": forced(3, seconds=2),
        },
        "stalled: secret_pair_torn",
    ),
    "it never came, from a vault that the route does not name": (
        {**STALE, "route": {"vault": None}, "memory": forced(3, minutes=1)},
        "stalled: secret_behind_source",
    ),
    "the ExternalSecret was not read": (
        {
            **AT_SECRET,
            "delivery": None,
            "unreadable": (a_gap(Hop.DELIVERY, EXTERNAL_SECRET, Why.FORBIDDEN),),
        },
        f"await {ES}",
    ),
    "there is no ExternalSecret": (
        {**AT_SECRET, "delivery": None},
        "stalled: externalsecret_missing",
    ),
    "the Secret was not read": (
        {**AT_SECRET, "secret": None, "unreadable": (a_gap(Hop.SECRET, SECRET, Why.FORBIDDEN),)},
        f"await {ES}",
    ),
    "nobody said anything of the Secret": ({**AT_SECRET, "secret": None}, f"await {ES}"),
    "another's interval stops all": (
        {**AT_SECRET, "delivery": a_delivery(stopped_by=(Ref("ExternalSecret", "x", "y"),))},
        "stalled: eso_stopped_by_bad_interval",
    ),
    "the store is not ready: it is made to look again": (
        {**AT_SECRET, "delivery": STORE_DOWN},
        "revalidate-store onepassword",
    ),
    "it looks": (
        {**AT_SECRET, "delivery": STORE_DOWN, "memory": Memory(revalidated_at=ago(seconds=3))},
        "await onepassword",
    ),
    "an immutable Secret that is refused is made anew": (IMMUTABLE, f"recreate-secret {ES}"),
    "an immutable Secret that is being made is waited for": (
        {**IMMUTABLE, **GONE, "delivery": a_delivery(immutable=True)},
        f"await {ES}",
    ),
    "an immutable Secret that works stays": (
        {**IMMUTABLE, "verdicts": {A: WORKS, B: TRUSTED}},
        "stalled: secret_cannot_refresh",
    ),
    "an immutable Secret stays while the store is not ready": (
        {**IMMUTABLE, "delivery": a_delivery(store=None)},
        "stalled: secret_cannot_refresh",
    ),
    "an immutable Secret stays while its successor is not known": (
        {**IMMUTABLE, "route": {**RECREATE, "vault": None}, "vault": None},
        "stalled: secret_cannot_refresh",
    ),
    "an Orphan that reads at intervals is forced like any": (
        {**AT_SECRET, "delivery": a_delivery(creation_policy="Orphan")},
        f"force-sync {ES}",
    ),
    "where annotations do nothing the hash is spoilt": (
        {**AT_SECRET, "delivery": a_delivery(refresh_policy=RefreshPolicy.CREATED_ONCE)},
        f"spoil-data-hash {ES}",
    ),
    "without an ExternalSecret lokeys writes it": ({**STALE, **DIRECT}, f"write-secret {ES}"),
    "without an ExternalSecret lokeys makes it": (
        {**STALE, **DIRECT, **GONE},
        f"write-secret {ES}",
    ),
    "what External Secrets writes is not written beside it": (
        {**STALE, **DIRECT, "secret": a_secret(A, managed_by_eso=True)},
        "stalled: two_writers",
    ),
    "what a controller owns is not written beside it": (
        {**STALE, **DIRECT, "secret": a_secret(A, owner=Ref("SealedSecret", "s3", "monitoring"))},
        "stalled: two_writers",
    ),
    "what is immutable cannot be written": (
        {**STALE, **DIRECT, "secret": a_secret(A, immutable=True)},
        "stalled: secret_cannot_refresh",
    ),
    "a key of which the store said nothing is not written over": (
        {**STALE, **DIRECT, "secret": C},
        f"await {ES}",
    ),
}


@pytest.mark.parametrize(("changes", "expected"), SECRETS.values(), ids=SECRETS.keys())
def test_step_3_the_secret(changes: dict[str, Any], expected: str) -> None:
    """By the means that works for its policy, and never more than three times."""
    assert said_by(plan(look(**changes), Policy())) == expected


def test_a_store_that_stays_broken_is_told_while_it_is_waited_for() -> None:
    """Ten seconds after it was made to look again, a person hears of it."""
    asked = Memory(revalidated_at=ago(seconds=30))
    made = plan(look(**AT_SECRET, delivery=STORE_DOWN, memory=asked), Policy())
    assert made.stalled == "eso_store_not_ready"
    assert made.next_step is not None
    assert made.next_step.passive


def test_a_plan_names_what_is_at_risk_before_it_begins() -> None:
    """Before the Secret changes, the plan says that it will stop at a pod without a volume."""
    pods = (a_pod(wal_persistent=False), a_pod("loki-1"))
    seen = look(**AT_SECRET, pods=pods, workloads=(a_workload(wanted=2),))
    made = plan(seen, Policy())
    assert made.stalled == "wal_not_persistent"
    assert [step.target.name for step in made.steps[1:]] == ["loki-1"]
    assert made.acts
    assert plan(seen, Policy(accept_loss=True)).stalled is None
    assert not plan(look(), Policy()).acts


def test_a_route_without_pods_is_proved_all_the_same() -> None:
    """Where nobody is to be replaced, the plan still ends with the proof."""
    seen = look(**AT_SECRET, pods=(), workloads=(a_workload(wanted=0),))
    assert [step.action.value for step in plan(seen, Policy()).steps] == ["force-sync", "prove"]
