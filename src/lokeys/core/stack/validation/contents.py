# SPDX-License-Identifier: Apache-2.0
"""Findings about Secrets and CAs that somebody else makes or fills.

Their keys may be unknown, or another reader's; findings about them name a change that the maker
does not undo.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lokeys.core.findings.catalogue import storage_objects as rules
from lokeys.core.findings.catalogue import storage_secrets
from lokeys.core.findings.finding import Finding
from lokeys.core.kubernetes.json_fields import at
from lokeys.core.place import Ref
from lokeys.core.stack.storage.fields import Keys, keys_of
from lokeys.core.stack.storage.model import CredentialMode, StorageType
from lokeys.core.stack.storage.secret_data import SecretData
from lokeys.core.stack.storage.wording import tell
from lokeys.core.stack.validation.context import StackContext
from lokeys.core.stack.validation.delivered import mended_there
from lokeys.core.text.words import object_name, quoted

_SHOWN = 4
_CARRIERS = frozenset({"Kustomization", "HelmRelease"})
"""Of Flux: they apply a Secret as it is in Git, where it is changed like any other."""

BUNDLES = ("Bundle", "ClusterBundle")
CLAIM = "ObjectBucketClaim"
_OF_CLAIM = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"})


def told_of_contents(  # noqa: PLR0913 - the Secret, what was said of it, and for whom
    findings: Iterable[Finding],
    secret: SecretData | None,
    stack: Ref,
    *,
    storage_type: str,
    mode: CredentialMode | None,
    context: StackContext,
) -> Iterator[Finding]:
    """Yield the findings about a stack's Secret, adapted to what makes it."""
    if secret is None or storage_type not in set(StorageType):
        yield from findings
        return
    findings = tuple(findings)
    keys = keys_of(StorageType(storage_type), mode or CredentialMode.STATIC)
    maker = secret.made_by or (_owner(secret.ref, context) if findings else None)
    if maker is not None and maker.kind == CLAIM:
        of_keys = [each for each in findings if each.object == secret.ref and _is_of_keys(each)]
        if any(each.code == storage_secrets.MISSING_FIELD.code for each in of_keys):
            yield _of_claim(maker, secret, stack, keys, storage_type)
        findings = tuple(each for each in findings if each not in of_keys)
    for each in findings:
        yield mended_there(each, maker) if maker and each.object == secret.ref else each
    if maker is not None and not secret.complete:
        yield from _unknown(maker, secret, stack, keys, storage_type)


def filler_of_ca(wanted: Ref, context: StackContext) -> tuple[str, frozenset[str]] | None:
    """Return what fills a CA's ConfigMap, and its keys; no keys if it copies others.

    None if nothing does, or if the manifests have its content.
    """
    # Only for a CA, and for faults.
    from lokeys.core.kubernetes.makers import filler_of  # noqa: PLC0415

    placed = context.objects.get(wanted)
    if placed is not None:
        filler = None if at(placed.object, "data") else filler_of(placed.object)
        return (filler.controller, frozenset(filter(None, [filler.key]))) if filler else None
    for kind in BUNDLES:
        bundle = context.objects.get(Ref(kind, wanted.name))
        if bundle is not None:
            from lokeys.core.kubernetes.made import bundle_keys  # noqa: PLC0415 - few need it

            return f"{kind}/{wanted.name}", bundle_keys(bundle.object)
    return None


def told_of_filled_ca(
    wanted: Ref, key: str, stack: Ref, context: StackContext
) -> tuple[Finding, ...] | None:
    """Return findings about a CA that something fills; None if nothing does."""
    filled = filler_of_ca(wanted, context)
    if filled is None:
        return None
    controller, keys = filled
    if keys and key not in keys:
        words = {
            "found": f"is missing: {controller} fills it, under another key",
            "expected": f"caKey {_listed(sorted(keys)[:_SHOWN])}",
            "value": min(keys),
        }
        remedy = (rules.SET_CA_KEY,)
        bad = rules.BAD_CA_CONFIGMAP
        return (tell(bad, wanted, stack=stack, field=key, words=words, remedy=remedy),)
    if context.objects.get(wanted) is not None:
        return ()
    words = {"maker": controller, "key": key, "stack_ref": str(stack)}
    return (tell(rules.FILLED_CA, wanted, stack=stack, words=words),)


def _is_of_keys(finding: Finding) -> bool:
    """Tell whether a finding is about a missing key, or about one of the claim's own."""
    unread = finding.code == storage_secrets.UNKNOWN_FIELD.code and finding.field in _OF_CLAIM
    return unread or finding.code == storage_secrets.MISSING_FIELD.code


def _owner(secret: Ref, context: StackContext) -> Ref | None:
    """Return what made a Secret in the input: by its owners, or by its maker beside it."""
    from lokeys.core.kubernetes.makers import maker_of  # noqa: PLC0415 - as above

    placed = context.objects.get(secret)
    owner = maker_of(placed.object) if placed is not None else None
    ref = owner.ref if owner else None
    made = context.objects.made_of(secret) if ref is None or ref.kind in _CARRIERS else None
    if made is not None and made[1].secret.name and not made[1].maker.kind.endswith("Job"):
        ref = made[1].maker
    if ref is None or ref.kind in _CARRIERS:
        return None
    return Ref(ref.kind, object_name(ref.name), object_name(ref.namespace or "") or None)


def _unknown(
    maker: Ref, secret: SecretData, stack: Ref, keys: Keys, storage_type: str
) -> Iterator[Finding]:
    """Yield that the Secret's keys are unknown, if some that are needed are not named."""
    wanted = [key for key in keys.required if key not in secret.keys]
    if wanted:
        words = {
            "maker": str(maker),
            "type": storage_type,
            "expected": _listed(wanted),
            "stack_ref": str(stack),
        }
        yield tell(rules.UNKNOWN_CONTENTS, secret.ref, stack=stack, words=words)


def _of_claim(claim: Ref, secret: SecretData, stack: Ref, keys: Keys, storage_type: str) -> Finding:
    words = {
        "maker": str(claim),
        "type": storage_type,
        "found": _listed(sorted(secret.keys)[:_SHOWN]),
        "expected": _listed(keys.required),
        "stack_ref": str(stack),
    }
    return tell(rules.CLAIMED_SECRET, secret.ref, stack=stack, words=words)


def _listed(keys: Iterable[str]) -> str:
    return ", ".join(map(quoted, keys))
