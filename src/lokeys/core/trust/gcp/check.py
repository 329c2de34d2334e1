# SPDX-License-Identifier: Apache-2.0
"""Google Cloud's documents compared with a stack's needs: provider, service account, bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from lokeys.core.findings.catalogue import trust as rules
from lokeys.core.findings.finding import Confidence, Finding
from lokeys.core.text.words import apart
from lokeys.core.trust.accounts import AccountClaims
from lokeys.core.trust.fetched import (
    DocumentKind,
    Fetched,
    contrasted,
    entries,
    listed,
    mapping,
    tell,
    texts,
)
from lokeys.core.trust.gcp.cel import holds
from lokeys.core.trust.gcp.needs import USER_ROLE, GcpNeeds, binding_command, bucket_command

_PROVIDER_FORM = "what `gcloud iam workload-identity-pools providers describe --format=json` prints"
_TRUST_FORM = "what `gcloud iam service-accounts get-iam-policy --format=json` prints"
_POLICY_FORM = "what `gcloud storage buckets get-iam-policy --format=json` prints"
_ENOUGH = frozenset(f"roles/storage.object{role}" for role in ("User", "Admin"))
_TOO_MUCH = frozenset({"roles/storage.admin", "roles/owner", "roles/editor"})
_DENIED = "gcs_permission_denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """One provider of a pool. `audiences` empty: the provider's name, with https: or not."""

    issuer: str
    audiences: tuple[str, ...]
    subject: str
    condition: str = ""
    off: str = ""

    def takes(self, claims: AccountClaims, *, name: str) -> bool | None:
        """Tell whether a token of this cluster passes; None if its condition is not supported."""
        wanted = self.audiences or (name, f"https:{name}")
        fits = claims.issuer == self.issuer and any(each in wanted for each in claims.audiences)
        if self.off or not fits or self.subject != "assertion.sub":
            return False
        return holds(self.condition, known_of(claims)) if self.condition else True


def known_of(claims: AccountClaims) -> dict[str, str | tuple[str, ...]]:
    """Return what a condition may use from a service account's token."""
    _, _, namespace, account = claims.subject.split(":")
    return {
        "assertion.iss": claims.issuer,
        "assertion.sub": claims.subject,
        "assertion.aud": claims.audiences,
        "google.subject": claims.subject,
        "assertion.kubernetes.io.namespace": namespace,
        "assertion.kubernetes.io.serviceaccount.name": account,
    }


def provider_of(content: object) -> Provider:
    """Return a provider from its description. Raises NotThis."""
    said = mapping(content, _PROVIDER_FORM)
    oidc = mapping(said.get("oidc"), _PROVIDER_FORM)
    mapped = said.get("attributeMapping")
    off = "disabled" if said.get("disabled") is True else ""
    return Provider(
        issuer=str(oidc.get("issuerUri")),
        audiences=texts(oidc.get("allowedAudiences")),
        subject=str(mapped.get("google.subject")) if isinstance(mapped, Mapping) else "nothing",
        condition=str(said.get("attributeCondition") or ""),
        off="deleted" if said.get("state") == "DELETED" else off,
    )


def check_gcp(needs: GcpNeeds, documents: Sequence[Fetched]) -> Iterator[Finding]:
    """Yield what is wrong with the documents. Raises NotThis, naming the expected document."""
    for document in documents:
        match document.kind:
            case DocumentKind.PROVIDER:
                yield from _provider(needs, document)
            case DocumentKind.TRUST:
                yield from _trust(needs, document)
            case DocumentKind.POLICY:
                yield from _policy(needs, document)


def _provider(needs: GcpNeeds, document: Fetched) -> Iterator[Finding]:
    provider, stack = provider_of(document.content), needs.stack
    if provider.off:
        yield tell(rules.PROVIDER_OFF, document, stack, found=provider.off)
    if provider.issuer != stack.issuer:
        found, expected = apart(provider.issuer, stack.issuer)
        yield tell(
            rules.WRONG_ISSUER,
            document,
            stack,
            cause="sts_trust_policy_denied",
            field="oidc.issuerUri",
            found=found,
            expected=expected,
        )
    name = needs.audience_of_exchange
    wanted = provider.audiences or (name, f"https:{name}")
    if stack.audience not in wanted:
        found, expected = contrasted(wanted, stack.audience, last="or")
        yield tell(
            rules.WRONG_AUDIENCE,
            document,
            stack,
            field="oidc.allowedAudiences",
            found=found,
            hint="",
            expected=expected,
        )
    if provider.subject != "assertion.sub":
        yield tell(
            rules.SUBJECT_MAPPED_AWAY,
            document,
            stack,
            field="attributeMapping",
            found=f"`{provider.subject}`",
        )
    if provider.condition:
        yield from _condition(needs, document, provider.condition)


def _condition(needs: GcpNeeds, document: Fetched, condition: str) -> Iterator[Finding]:
    stack = needs.stack
    met = {each: holds(condition, known_of(stack.claims(each))) for each in stack.subjects}
    refused = [subject for subject, found in met.items() if found is False]
    if refused:
        yield tell(
            rules.SUBJECT_NOT_TRUSTED,
            document,
            stack,
            field="attributeCondition",
            subjects=refused,
            missing=listed(refused, last="or"),
            found=": its condition is not met",
        )
    elif None in met.values():
        yield tell(
            rules.UNDECIDED,
            document,
            stack,
            field="attributeCondition",
            found="the attribute condition",
            actions=f"the tokens of {listed(stack.subjects)}",
        )


# --- bindings -----------------------------------------------------------------------------------


def members(content: object, roles: frozenset[str], *, form: str) -> dict[str, bool]:
    """Return who has one of these roles, and whether without a condition. Raises NotThis."""
    said = mapping(content, form)
    found: dict[str, bool] = {}
    for binding in entries(said.get("bindings", []), form):
        if binding.get("role") in roles:
            for member in texts(binding.get("members")):
                found[member] = found.get(member, False) or not binding.get("condition")
    return found


def _trust(needs: GcpNeeds, document: Fetched) -> Iterator[Finding]:
    stack = needs.stack
    bound = members(document.content, frozenset({USER_ROLE}), form=_TRUST_FORM)
    everybody = f"principalSet:{needs.principal('')[len('principal:') : -len('/subject/')]}/"
    wide = [each for each in bound if each.startswith(everybody)]
    missing = [each for each in stack.subjects if needs.principal(each) not in bound]
    if wide:
        yield tell(rules.TRUST_TOO_WIDE, document, stack, found=listed(wide))
    elif missing:
        others = [each.rpartition("/subject/")[2] for each in bound if "/subject/" in each]
        yield tell(
            rules.SUBJECT_NOT_TRUSTED,
            document,
            stack,
            subjects=missing,
            command=binding_command(needs, missing[0]),
            cause=_DENIED,
            missing=listed(missing, last="or"),
            found=_elsewhere(needs, bound) or (f", only of {listed(others)}" if others else ""),
        )
    tied = [each for each in stack.subjects if bound.get(needs.principal(each)) is False]
    if tied:
        yield _tied(needs, document, f"the tokens of {listed(tied)}")
    if not wide and needs.principal(stack.default_subject) in bound:
        found = f"`{stack.default_subject}`"
        yield tell(rules.DEFAULT_ACCOUNT_TRUSTED, document, stack, found=found)


def _elsewhere(needs: GcpNeeds, bound: Mapping[str, bool]) -> str:
    """Return a text that the subjects of another pool are bound, if they are."""
    ends = tuple(f"/subject/{subject}" for subject in needs.stack.subjects)
    pools = [
        each.partition("/subject/")[0].rpartition("/")[2] for each in bound if each.endswith(ends)
    ]
    known = {needs.pool}
    others = [pool for pool in pools if pool not in known]
    return f": pool `{needs.pool}` is not named, only {listed(others)}" if others else ""


def _policy(needs: GcpNeeds, document: Fetched) -> Iterator[Finding]:
    member = f"serviceAccount:{needs.email}"
    able = members(document.content, _ENOUGH | _TOO_MUCH, form=_POLICY_FORM)
    if member not in able:
        yield tell(
            rules.ACTION_NOT_ALLOWED,
            document,
            needs.stack,
            command=bucket_command(needs),
            cause=_DENIED,
            # A permission on the whole project is not in the bucket's own policy.
            confidence=Confidence.LIKELY,
            actions=f"`{needs.email}` to read and write its objects",
            found="",
        )
    elif not able[member]:
        yield _tied(needs, document, f"what `{needs.email}` may do")
    wide = members(document.content, _TOO_MUCH, form=_POLICY_FORM)
    if member in wide:
        found = "changing and deleting the bucket itself"
        yield tell(rules.RIGHTS_TOO_WIDE, document, needs.stack, found=found)


def _tied(needs: GcpNeeds, document: Fetched, actions: str) -> Finding:
    return tell(
        rules.UNDECIDED, document, needs.stack, found="the condition of a binding", actions=actions
    )
