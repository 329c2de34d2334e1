# SPDX-License-Identifier: Apache-2.0
"""Who makes a route's Secret if no ExternalSecret does, and how to change it there.

The Secret's own marks come first, then what the resource says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from lokeys.core.findings.finding import Remedy
from lokeys.core.kubernetes.json_fields import Json as Object
from lokeys.core.kubernetes.makers import READ_AGAIN, Maker, change_of, item_of, maker_of
from lokeys.core.place import Ref, is_name, is_namespace
from lokeys.core.route.model import RouteSpec
from lokeys.core.route.snapshot import Snapshot
from lokeys.core.text.shell import Command, Json, Output
from lokeys.core.text.words import printable, quoted, shown

RELEASE = "HelmRelease"


def known_maker(secret: Object) -> Maker | None:
    """Return who made a Secret by the marks on it, with everything in it safe to show."""
    maker = maker_of(secret)
    if maker is None:
        return None
    ref = maker.ref if maker.ref is not None and _can_be(maker.ref) else None
    return replace(maker, ref=ref, source=shown(maker.source))


def _can_be(ref: Ref) -> bool:
    return is_name(ref.name) and (ref.namespace is None or is_namespace(ref.namespace))


def maker_of_secret(snapshot: Snapshot) -> Maker | None:
    """Return what makes the Secret that Loki reads; None for External Secrets, and if unknown."""
    spec, secret = snapshot.spec, snapshot.secret
    if spec.external_secret is not None and spec.values is None:
        return None
    marked = secret.maker if secret is not None else None
    if spec.made_by is not None and (marked is None or marked.ref is None):
        marked = Maker(controller="", change=change_of(spec.made_by), ref=spec.made_by)
    return None if marked is None or _is_eso(marked) else marked


def made_by(maker: Maker) -> str:
    """Return who makes the Secret, as a sentence."""
    who = maker.controller or str(maker.ref)
    return f"{who} makes it" + (f", of {maker.ref}" if maker.controller and maker.ref else "")


def remedies(snapshot: Snapshot, maker: Maker) -> tuple[Remedy, ...]:
    """Return what a person does so that the Secret gets the source's pair and keeps it."""
    say = _WAYS.get(maker.ref.kind) if maker.ref else None
    found = say(snapshot, maker) if say else _as_it_says(snapshot, maker)
    return tuple(replace(each, text=printable(each.text)) for each in found)


def unread_vault(snapshot: Snapshot) -> str:
    """Return what a person does if lokeys cannot read External Secrets' source; or an empty text.

    As far as is known: the store, and where in it the pair is.
    """
    delivery, spec = snapshot.delivery, snapshot.spec
    if delivery is None or spec.vault is not None:
        return ""
    store = delivery.store.provider if delivery.store else ""
    where = f": {delivery.place}" if delivery.place else ""
    return f"put the source's pair into {store or f'what {delivery.ref} reads'}{where}"


def by_hand_then_heal(snapshot: Snapshot, text: str) -> tuple[Remedy, ...]:
    """Return a person's step, and what lokeys does after it."""
    spec = snapshot.spec
    heal = Command(("lokeys", "heal", "-n", spec.namespace, spec.name))
    then = "let lokeys have External Secrets read it, carry it on and prove it"
    return Remedy(text=printable(text)), Remedy(text=then, command=heal)


def kept_elsewhere(spec: RouteSpec) -> Remedy:
    """Return what to do about a configuration whose maker is not known."""
    return Remedy(
        text=f"put the source's pair into {spec.secret_ref}, inside of its {spec.secret.inside}, "
        "where that is kept; then restart the pods"
    )


def _is_eso(maker: Maker) -> bool:
    return maker.controller == "External Secrets"


def _as_it_says(snapshot: Snapshot, maker: Maker) -> Iterator[Remedy]:
    who = maker.controller or str(maker.ref)
    what = f" ({maker.ref})" if maker.controller and maker.ref else ""
    change = maker.change or "give the source's pair to what makes the Secret"
    yield Remedy(
        text=f"{change}{what}: {who} makes {snapshot.spec.secret_ref}, and undoes other changes"
    )


def _one_password(snapshot: Snapshot, maker: Maker) -> Iterator[Remedy]:
    keys, ref = snapshot.spec.secret.keys, maker.ref or snapshot.spec.secret_ref
    yield Remedy(
        text=f"in 1Password, put the source's pair into the item {item_name(snapshot, maker)}, "
        f"its fields `{keys.access_key_id}` and `{keys.secret_access_key}`: {ref} makes the Secret "
        "of it, and a change of the Secret itself does not stay"
    )
    yield _ask(ref, "then have the 1Password operator read the item at once; else it does so when "
               "its polling interval is over (600 s by default)")  # fmt: skip


def _sealed(_: Snapshot, maker: Maker) -> Iterator[Remedy]:
    yield Remedy(
        text=f"seal the source's pair anew with kubeseal, and put it into {maker.ref} where that "
        "is kept (in Git, as a rule): a change of the Secret itself is undone"
    )


def _claim(_: Snapshot, maker: Maker) -> Iterator[Remedy]:
    yield Remedy(
        text=f"name {maker.ref} as the source: its key is made with its bucket and cannot be "
        "changed in place; a new key comes with a new claim"
    )


def _release(snapshot: Snapshot, maker: Maker) -> Iterator[Remedy]:
    spec, ref = snapshot.spec, maker.ref or snapshot.spec.secret_ref
    namespace = ref.namespace or "default"
    if snapshot.maker is not None and snapshot.maker.suspended:
        words = ("kubectl", "-n", namespace, "patch", "helmrelease", ref.name, "--type", "merge")
        resume = Json.of({"spec": {"suspend": False}})
        told = f"{ref} is suspended, so nothing renders its values: resume it"
        yield Remedy(text=told).showing(lambda: Command((*words, "-p", resume)))
    elif spec.values is None:
        yield Remedy(
            text=f"change the values of {ref} in Git: it renders {spec.secret_ref}, and undoes "
            "other changes"
        )
    else:
        heal = ("lokeys", "heal", "-n", spec.namespace, spec.name)
        yield Remedy(
            text="let lokeys have Flux render the values again, replace the pods that still hold "
            "the old key, and prove it"
        ).showing(lambda: Command(heal))
        yield _ask(ref, f"or by hand: have Flux render {ref} again; then restart the pods, where "
                        "the chart does not do so by itself")  # fmt: skip


def _ask(ref: Ref, text: str) -> Remedy:
    asked = Output("date +%s", before=f"{READ_AGAIN[ref.kind]}=")
    namespace, kind = ref.namespace or "default", ref.kind.lower()
    words = ("kubectl", "-n", namespace, "annotate", kind, ref.name, "--overwrite", asked)
    return Remedy(text=text).showing(lambda: Command(words))


def item_name(snapshot: Snapshot, maker: Maker) -> str:
    """Return the 1Password item that the Secret is made from, as far as that is known."""
    said = snapshot.maker.item if snapshot.maker else ""
    found = said or item_of(maker.source)
    return quoted(found) if found else "that the OnePasswordItem names"


_WAYS: Mapping[str, Callable[[Snapshot, Maker], Iterator[Remedy]]] = {
    "OnePasswordItem": _one_password,
    "SealedSecret": _sealed,
    "ObjectBucketClaim": _claim,
    RELEASE: _release,
}
