# SPDX-License-Identifier: Apache-2.0
"""Azure's documents compared with a stack's needs: federated credentials, role assignments."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lokeys.core.findings.catalogue import trust as rules
from lokeys.core.findings.finding import Finding
from lokeys.core.trust.accounts import AccountClaims
from lokeys.core.trust.aws.policy import like
from lokeys.core.trust.azure.needs import ROLE, AzureNeeds, credential_command
from lokeys.core.trust.fetched import (
    DocumentKind,
    Fetched,
    NotThis,
    contrasted,
    entries,
    listed,
    tell,
    texts,
)

_CREDENTIALS_FORM = "what `az identity federated-credential list --output json` prints"
_ROLES_FORM = "what `az role assignment list --assignee ID --all --output json` prints"
_MISMATCH = "azure_federated_credential_mismatch"
_ENOUGH = frozenset({ROLE, "Storage Blob Data Owner"})
_EXPRESSION = re.compile(r"claims\['sub'\]\s+(?P<verb>eq|matches)\s+'(?P<pattern>[^']*)'")


@dataclass(frozen=True, slots=True, kw_only=True)
class FederatedCredential:
    """One credential. `pattern`: the subjects of a flexible one, `unread` if it is not understood.

    Entra compares issuer, subject and audience exactly.
    """

    name: str
    issuer: str
    subject: str
    audiences: tuple[str, ...]
    pattern: str = ""
    unread: bool = False

    def takes(self, claims: AccountClaims) -> bool:
        """Tell whether a token passes."""
        return (
            self.issuer == claims.issuer
            and self.names(claims.subject)
            and any(audience in self.audiences for audience in claims.audiences)
        )

    def names(self, subject: str) -> bool:
        """Tell whether this is about a subject."""
        return self.subject == subject or bool(self.pattern and like(subject, self.pattern))


def credentials_of(content: object) -> tuple[FederatedCredential, ...]:
    """Return the credentials of a list. Raises NotThis."""
    return tuple(_credential(each) for each in entries(content, _CREDENTIALS_FORM))


def _credential(said: Mapping[str, Any]) -> FederatedCredential:
    # The REST API nests what the tool prints flat.
    inner = said.get("properties")
    known = inner if isinstance(inner, Mapping) else said
    expression = known.get("claimsMatchingExpression")
    text = str(expression.get("value")) if isinstance(expression, Mapping) else ""
    found = _EXPRESSION.fullmatch(text.strip())
    if not isinstance(known.get("issuer"), str):
        raise NotThis(_CREDENTIALS_FORM)
    return FederatedCredential(
        name=str(said.get("name")),
        issuer=known["issuer"],
        subject=str(known.get("subject") or ""),
        audiences=texts(known.get("audiences")),
        pattern=found["pattern"] if found else "",
        unread=bool(text) and not found,
    )


def check_azure(needs: AzureNeeds, documents: Sequence[Fetched]) -> Iterator[Finding]:
    """Yield what is wrong with the documents. Raises NotThis, naming the expected document."""
    for document in documents:
        if document.kind is DocumentKind.CREDENTIALS:
            yield from _credentials(needs, document)
        elif document.kind is DocumentKind.ROLES:
            yield from _roles(needs, document)


def _credentials(needs: AzureNeeds, document: Fetched) -> Iterator[Finding]:
    stack = needs.stack
    found = credentials_of(document.content)
    refused = [
        subject
        for subject in stack.subjects
        if not any(each.takes(stack.claims(subject)) for each in found)
    ]
    unnamed = [each for each in refused if not any(other.names(each) for other in found)]
    unread = [each.name for each in found if each.unread]
    if unnamed and unread:
        yield tell(
            rules.UNDECIDED,
            document,
            stack,
            found=f"the expression of {listed(unread)}",
            actions=f"the tokens of {listed(unnamed)}",
        )
    elif unnamed:
        others = [each.subject for each in found if each.subject]
        yield tell(
            rules.SUBJECT_NOT_TRUSTED,
            document,
            stack,
            subjects=unnamed,
            command=credential_command(needs, unnamed[0]),
            cause=_MISMATCH,
            missing=listed(unnamed, last="or"),
            found=f", only of {listed(others)}" if others else "",
        )
    yield from _near(needs, document, found, [each for each in refused if each not in unnamed])

    def passes(claims: AccountClaims) -> bool:
        return any(each.takes(claims) for each in found)

    let_in = stack.let_in(passes)
    if let_in:
        yield tell(rules.TRUST_TOO_WIDE, document, stack, found=let_in)
    elif passes(stack.claims(stack.default_subject)):
        yield tell(
            rules.DEFAULT_ACCOUNT_TRUSTED, document, stack, found=f"`{stack.default_subject}`"
        )


def _near(
    needs: AzureNeeds,
    document: Fetched,
    found: tuple[FederatedCredential, ...],
    refused: list[str],
) -> Iterator[Finding]:
    """Yield why credentials that name a subject do not accept its token."""
    stack = needs.stack
    about = [each for each in found if any(each.names(subject) for subject in refused)]
    issuers = [each.issuer for each in about if each.issuer != stack.issuer]
    if issuers:
        found_here, expected = contrasted(issuers, stack.issuer)
        yield tell(
            rules.WRONG_ISSUER,
            document,
            stack,
            cause=_MISMATCH,
            field="issuer",
            subjects=refused,
            found=found_here,
            expected=expected,
        )
    audiences = [each.audiences for each in about if stack.audience not in each.audiences]
    if audiences:
        all_of_them = (name for names in audiences for name in names)
        found_here, expected = contrasted(all_of_them, stack.audience, last="or")
        yield tell(
            rules.WRONG_AUDIENCE,
            document,
            stack,
            cause=_MISMATCH,
            field="audiences",
            subjects=refused,
            found=found_here,
            hint="",
            expected=expected,
        )


# --- roles --------------------------------------------------------------------------------------


def _roles(needs: AzureNeeds, document: Fetched) -> Iterator[Finding]:
    stack = needs.stack
    said = entries(document.content, _ROLES_FORM)
    roles = [(_text(each, "roleDefinitionName"), _text(each, "scope")) for each in said]
    data = [(role, scope) for role, scope in roles if role in _ENOUGH]
    covering = [scope for _, scope in data if _covers(scope, needs.scope)]
    if not covering:
        if data:
            yield tell(
                rules.WRONG_RESOURCE,
                document,
                stack,
                cause="azure_rbac_missing",
                actions=listed(role for role, _ in data),
                expected=f"`{needs.scope}`",
                found=f"; it names {listed(scope for _, scope in data)}",
            )
        else:
            names = listed(role for role, _ in roles)
            yield tell(
                rules.ACTION_NOT_ALLOWED,
                document,
                stack,
                cause="azure_rbac_missing",
                actions=f"reading and writing of blobs (`{ROLE}`)",
                found=f"; its roles are {names}, none of which reads or writes blobs",
            )
    wide = [scope for scope in covering if scope.casefold() != needs.scope.casefold()]
    owner = [f"`{role}`, which also hands on its rights" for role, _ in data if role != ROLE]
    if wide or owner:
        more = [f"the same on all of {listed(wide)}"] if wide else []
        yield tell(rules.RIGHTS_TOO_WIDE, document, stack, found="; ".join((*more, *owner)))


def _covers(scope: str, container: str) -> bool:
    """Tell whether a scope includes the container; Azure's names ignore case."""
    return f"{container}/".casefold().startswith(f"{scope.rstrip('/')}/".casefold())


def _text(entry: Mapping[str, Any], name: str) -> str:
    value = entry.get(name)
    if not isinstance(value, str):
        raise NotThis(_ROLES_FORM)
    return value
