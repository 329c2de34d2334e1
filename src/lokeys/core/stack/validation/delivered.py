# SPDX-License-Identifier: Apache-2.0
"""The Secret that External Secrets leaves behind: its own keys, and those that are added.

creationPolicy   the Secret is Owner            made, and kept from all other ExternalSecrets Orphan
made CreateOrMerge    made, or added to if it exists Merge            added to, and never made None
left alone
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lokeys.core.findings.finding import Finding, Remedy
from lokeys.core.place import Ref, is_name
from lokeys.core.sensitive import Sensitive
from lokeys.core.stack.storage.secret_data import WHOLE_FILE, SecretData, external_secret_data
from lokeys.core.text.shell import Command, command

if TYPE_CHECKING:  # most inputs have no ExternalSecret, and start sooner without its reader
    from lokeys.core.kubernetes.external_secrets.reading import ExternalSecret


def owner_among(external_secrets: Iterable[ExternalSecret]) -> ExternalSecret | None:
    """Return the ExternalSecret that excludes all others; the first, if several would."""
    return next((each for each in external_secrets if each.creation_policy == "Owner"), None)


def kept_out(external_secrets: Sequence[ExternalSecret]) -> list[ExternalSecret]:
    """Return those that would write to a Secret that another one owns."""
    owner = owner_among(external_secrets)
    return [
        each
        for each in external_secrets
        if owner is not None and each is not owner and each.creation_policy != "None"
    ]


def made_secret(external_secrets: Sequence[ExternalSecret], *, ref: Ref) -> SecretData | None:
    """Return what is known about a Secret that only ExternalSecrets name; None if none makes it.

    If several would own it, External Secrets allows one, and no other writes to it.
    """
    maker = owner_among(external_secrets) or next(
        (each for each in external_secrets if each.makes_secret), None
    )
    if maker is None:
        return None
    return with_brought(external_secret_data(maker, ref=ref), external_secrets, but=maker)


def with_brought(
    made: SecretData,
    external_secrets: Iterable[ExternalSecret],
    *,
    but: ExternalSecret | None = None,
) -> SecretData:
    """Return a Secret whose names are known, with those that ExternalSecrets add to it."""
    for data in _brought(external_secrets, made.ref, but=but):
        made = replace(made, keys=made.keys | data.keys, complete=made.complete and data.complete)
    return made


def added_to(own: SecretData, external_secrets: Sequence[ExternalSecret]) -> SecretData:
    """Return a Secret with the keys that ExternalSecrets merge into it, without values."""
    brought = tuple(_brought(external_secrets, own.ref))
    if not brought:
        return own
    names = frozenset(name for data in brought for name in data.keys)
    complete = all(data.complete for data in brought)
    values: Mapping[str, Sensitive] | None = {
        key: value for key, value in (own.values or {}).items() if key not in names
    }
    kept = frozenset(key for key in own.keys if own.has(key) or key in names)
    if WHOLE_FILE in names or not complete:
        values = None
    return replace(
        own,
        values=values,
        keys=(own.keys if values is not None else kept) | names,
        spoilt=own.spoilt | names,
        complete=complete,
    )


def _brought(
    external_secrets: Iterable[ExternalSecret], ref: Ref, *, but: ExternalSecret | None = None
) -> Iterator[SecretData]:
    external_secrets = tuple(external_secrets)
    if owner_among(external_secrets):
        return
    for each in external_secrets:
        if each is not but and each.merges:
            yield external_secret_data(each, ref=ref)


def why_not_made(external_secrets: Sequence[Ref], policies: Sequence[str]) -> str:
    """Return a text about a missing Secret that ExternalSecrets name and do not make."""
    said = (
        f"{ref} (creationPolicy {policy}) does not make it"
        for ref, policy in zip(external_secrets, policies, strict=True)
    )
    return "".join(f", and {each}" for each in said)


def mended_there(finding: Finding, maker: Ref) -> Finding:
    """Return a finding about a made Secret with a remedy that its maker does not undo."""
    if not any(remedy.command for remedy in finding.remedy):
        return finding
    # Most Secrets have no maker, and are judged sooner without this import.
    from lokeys.core.kubernetes.makers import change_of, controller_of  # noqa: PLC0415

    external = maker.kind in ("ExternalSecret", "ClusterExternalSecret")
    if maker.kind == "Secret":
        text = f"change {maker}: the other one is a copy of it"
        return replace(finding, remedy=(Remedy(text=text),))
    change = "fix it where it is made" if external else change_of(maker) or "change what makes it"
    text = f"{change}: {controller_of(maker)} overwrites what is changed in the Secret"
    if not (external and is_name(maker.name)):
        return replace(finding, remedy=(Remedy(text=text),))
    return replace(finding, remedy=(Remedy(text=text, command=_edit(maker)),))


def _edit(maker: Ref) -> Command:
    kind = maker.kind.lower()
    if maker.namespace is None:
        return command("kubectl edit", kind, maker.name)
    return command("kubectl -n", maker.namespace, "edit", kind, maker.name)
