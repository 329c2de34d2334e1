# SPDX-License-Identifier: Apache-2.0
"""Tests a stack's credentials as its pods would use them, link by link, before they are used.

A static key goes straight to the store. A token is requested from the API server, compared with
what its exchange will check, and sent to the provider. The result is used on the bucket.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lokeys.core.findings.link import Link, Untried, broken, held, untried
from lokeys.core.kubernetes.consent import ALLOWED_URLS, urls_in
from lokeys.core.place import Ref
from lokeys.core.proxies import Proxies
from lokeys.core.stack.render.store import audience_of
from lokeys.core.stack.resource.model import LokiStack, Proxy
from lokeys.core.stack.storage.model import (
    S3,
    AlibabaCloud,
    Azure,
    CredentialMode,
    Gcs,
    Storage,
    Swift,
)
from lokeys.core.stack.storage.secret_data import SecretData, secret_data
from lokeys.core.stack.validation.named import managed_ref
from lokeys.core.trust.clear_text import in_clear
from lokeys.core.trust.tries.claims import is_reachable_from_outside, subject_of
from lokeys.core.trust.tries.identity import (
    AccessKey,
    AccountKey,
    Place,
    Triable,
    Trust,
    UnusableCredential,
    place_of,
    static_key_of,
    trust_of,
)
from lokeys.core.trust.tries.verification import LinkName, Verification, in_order
from lokeys.errors import Forbidden, LokeysError, NeedsHuman, NotFound
from lokeys.ports import Clouds, Exchanged, IssuedToken, Objects, TokenPort

Way = tuple[LinkName, ...]
TOKEN_WAY: Way = tuple(LinkName)
STATIC_WAY: Way = (LinkName.SECRET, LinkName.STORE)
LOGIN_WAY: Way = (LinkName.SECRET, LinkName.IDENTITY, LinkName.STORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """A `CredentialVerifier`. `tokens` None: no token is requested, and the reason reported."""

    tokens: TokenPort | None
    clouds: Clouds
    objects: Objects

    async def verify(
        self, stack: LokiStack, storage: Storage, secret: SecretData, *, account: str
    ) -> Verification:
        """Test one service account's path to the bucket; never raises for a link's result.

        A stack that names a proxy is tested through it, as its pods connect.
        """
        if stack.proxy is not None:
            async with self.clouds.through(proxies_of(stack.proxy)) as clouds:
                proxied, rest = replace(self, clouds=clouds), replace(stack, proxy=None)
                return await proxied.verify(rest, storage, secret, account=account)
        expected: Way
        if not isinstance(storage, S3 | Azure | Gcs):
            expected, links = STATIC_WAY, _without_a_test(storage, secret)
        elif storage.mode is CredentialMode.STATIC:
            expected, links = await self._static(stack, storage, secret, account)
        else:
            expected, links = TOKEN_WAY, await self._token(stack, storage, secret, account)
        return Verification(account=account, links=in_order(links, expected=expected))

    async def _static(
        self, stack: LokiStack, storage: Triable, secret: SecretData, account: str
    ) -> tuple[Way, list[Link]]:
        try:
            ca_bundle = await self._ca(stack, storage)
        except LokeysError as error:
            return STATIC_WAY, [untried(LinkName.SECRET, str(error), why=_why(error))]
        owner = _owner(stack, account)
        return await try_key(self.clouds, storage, secret, ca_bundle=ca_bundle, owner=owner)

    async def _token(
        self, stack: LokiStack, storage: Triable, secret: SecretData, account: str
    ) -> list[Link]:
        try:
            named = await self._named(stack, storage, secret)
        except UnusableCredential as problem:
            return [broken(LinkName.SECRET, "lokistack_secret_keys_wrong", str(problem))]
        except LokeysError as error:
            return [untried(LinkName.SECRET, str(error), why=_why(error))]
        if isinstance(named, Link):
            return [named]
        links = [held(LinkName.SECRET, f"{named.ref} names whom to ask")]
        audience = audience_of(storage)
        unsent = _unsent(named.trust, stack)
        issued = unsent or await self._issued(stack, account, audience=audience)
        if isinstance(issued, Link):
            return [*links, issued]
        subject = subject_of(stack.namespace, account)
        links += worked_out(issued.token, issuer=issued.issuer, audience=audience, subject=subject)
        if any(link.ok is False for link in links):
            return links
        exchanged = await self.clouds.exchange(named.trust, issued.token, ca_bundle=named.ca_bundle)
        return links + await _used(
            self.clouds, exchanged, named.place, owner=_owner(stack, account)
        )

    async def _named(self, stack: LokiStack, storage: Triable, secret: SecretData) -> _Named | Link:
        """Return what the Secrets name: the trust, and the place where its credentials are used."""
        ref, managed = secret.ref, None
        if storage.mode is CredentialMode.TOKEN_CCO:
            ref = managed_ref(stack.ref)
            try:
                manifest = await self.objects.get(ref)
            except NotFound:
                words = f"{ref} does not exist: the Cloud Credential Operator has not made it"
                return broken(LinkName.SECRET, "k8s_secret_missing", words)
            managed = secret_data(manifest, ref=ref, stack=stack.ref).data
        ca_bundle = await self._ca(stack, storage)
        place = place_of(storage, ca_bundle=ca_bundle)
        trust = trust_of(storage, secret, managed)
        return _Named(ref=ref, trust=trust, place=place, ca_bundle=ca_bundle)

    async def _issued(self, stack: LokiStack, account: str, *, audience: str) -> _Issued | Link:
        ref = Ref("ServiceAccount", account, stack.namespace)
        if self.tokens is None:
            words = "lokeys was not told to ask for tokens (--verify-tokens)"
            return untried(LinkName.TOKEN, words, why=Untried.NOT_PERMITTED)
        try:
            issuer = await self.tokens.issuer()
            token = await self.tokens.request(ref, audience=audience)
        except NotFound:
            return untried(LinkName.TOKEN, f"{ref} does not exist yet")
        except NeedsHuman as problem:
            return broken(LinkName.TOKEN, "sts_wrong_audience", str(problem))
        except LokeysError as error:
            return untried(LinkName.TOKEN, str(error), why=_why(error))
        return _Issued(token=token, issuer=issuer)

    async def _ca(self, stack: LokiStack, storage: Storage) -> str | None:
        """Return the CA that the stack's pods trust for an S3 store."""
        if stack.ca is None or not isinstance(storage, S3):
            return None
        manifest = await self.objects.get(Ref("ConfigMap", stack.ca.name, stack.namespace))
        text = (manifest.get("data") or {}).get(stack.ca.key)
        return text if isinstance(text, str) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Named:
    ref: Ref
    trust: Trust
    place: Place
    ca_bundle: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Issued:
    token: IssuedToken
    issuer: str


def proxies_of(proxy: Proxy) -> Proxies:
    """Return the proxies of a stack's own containers."""
    return Proxies(
        http=proxy.http,
        https=proxy.https,
        no_proxy=proxy.exceptions,
        http_from="spec.proxy.httpProxy",
        https_from="spec.proxy.httpsProxy",
    )


async def try_key(
    clouds: Clouds, storage: Triable, secret: SecretData, *, ca_bundle: str | None, owner: str
) -> tuple[Way, list[Link]]:
    """Test a static key at the store; return the path, and the links that were reached."""
    try:
        key = static_key_of(storage, secret)
    except UnusableCredential as problem:
        return STATIC_WAY, [broken(LinkName.SECRET, "lokistack_secret_keys_wrong", str(problem))]
    way = STATIC_WAY if isinstance(key, AccessKey | AccountKey) else LOGIN_WAY
    links = [held(LinkName.SECRET, f"{secret.ref} holds a key")]
    place = place_of(storage, ca_bundle=ca_bundle)
    return way, links + await _used(clouds, await clouds.log_in(key), place, owner=owner)


async def _used(clouds: Clouds, given: Exchanged, place: Place, *, owner: str) -> list[Link]:
    """Return the provider's links, and the store's if there is a credential to test it with."""
    links = list(given.links)
    if given.credential is not None:
        links.append(await clouds.try_place(place, given.credential, owner=owner))
    return links


def _without_a_test(storage: Swift | AlibabaCloud, secret: SecretData) -> list[Link]:
    kind = "Swift" if isinstance(storage, Swift) else "Alibaba Cloud's OSS"
    words = f"lokeys has no test for {kind}"
    return [held(LinkName.SECRET, f"{secret.ref} holds a key"), untried(LinkName.STORE, words)]


def _unsent(trust: Trust, stack: LokiStack) -> Link | None:
    """Return the link at which a token is not sent because others could read it."""
    unsafe = in_clear(trust, urls_in(stack.annotations))
    if unsafe is None:
        return None
    words = (
        f"no token is sent to {unsafe} over plain HTTP before the stack's owner allows it: "
        f"annotation {ALLOWED_URLS} on {stack.ref}"
    )
    return untried(LinkName.TRUST, words, why=Untried.NOT_PERMITTED)


def _why(error: LokeysError) -> Untried:
    return Untried.NOT_PERMITTED if isinstance(error, Forbidden) else Untried.NOT_TRIED


def _owner(stack: LokiStack, account: str) -> str:
    """Return the owner of a test's object: the same each time, so that leftovers never grow."""
    return f"{stack.namespace}/{stack.name}/{account}"


def worked_out(issued: IssuedToken, *, issuer: str, audience: str, subject: str) -> list[Link]:
    """Return the links that a token's claims decide before anybody is asked."""
    claims = issued.claims
    until = f"{claims.expires_at:%H:%M:%S} UTC" if claims.expires_at else "an unknown time"
    links = [held(LinkName.TOKEN, f"for {audience}, until {until}")]
    if claims.issuer == issuer:
        outside = "" if is_reachable_from_outside(issuer) else " (a name of the cluster's own)"
        links.append(held(LinkName.ISSUER, f"{issuer}{outside}"))
    else:
        words = f"the token's issuer is {claims.issuer}, the cluster's document names {issuer}"
        links.append(broken(LinkName.ISSUER, "oidc_token_invalid", words))
    if audience in claims.audiences:
        links.append(held(LinkName.AUDIENCE, audience))
    else:
        words = f"the token is for {', '.join(claims.audiences)}, not for {audience}"
        links.append(broken(LinkName.AUDIENCE, "sts_wrong_audience", words))
    if claims.subject == subject:
        links.append(held(LinkName.SUBJECT, subject))
    else:
        words = f"the token's subject is {claims.subject}, not {subject}"
        links.append(broken(LinkName.SUBJECT, "oidc_token_invalid", words))
    return links
