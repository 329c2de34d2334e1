# SPDX-License-Identifier: Apache-2.0
"""The way of a stack's account to its bucket: the order of the links, and where it ends."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fakes.clouds import TEMPORARY, FakeClouds
from fakes.ports import FakeObjects
from lokeys.core.findings.link import Link, Untried, broken, untried
from lokeys.core.place import Ref
from lokeys.core.proxies import ProxyAddress, Unusable
from lokeys.core.sensitive import Sensitive
from lokeys.core.stack.resource.model import CaRef, LokiStack, Proxy, Size
from lokeys.core.stack.storage.model import S3, AlibabaCloud, Storage, Swift
from lokeys.core.trust.tries.claims import Claims
from lokeys.core.trust.tries.identity import S3Place
from lokeys.core.trust.tries.verification import LinkName, Verification
from lokeys.engine.stack.verify import Verifier, proxies_of
from lokeys.errors import Forbidden, LokeysError, NeedsHuman, NotFound, Unreachable
from lokeys.ports import Exchanged, IssuedToken, TokenPort
from unit.core.stack.storage import secrets as sound

ISSUER = "https://oidc.example.com"
STACK = LokiStack(
    name="my-stack",
    namespace="logging",
    size=Size.DEMO,
    schemas=(),
    storage_secret_name="loki-storage",
    storage_type="s3",
    storage_class_name="standard",
)


@dataclass
class FakeTokens:
    """An API server that gives tokens with the right claims, or as the test says."""

    claims: dict[str, Any] = field(default_factory=dict)
    error: LokeysError | None = None
    asked: list[tuple[Ref, str]] = field(default_factory=list)

    async def issuer(self) -> str:
        return ISSUER

    async def request(self, account: Ref, *, audience: str) -> IssuedToken:
        self.asked.append((account, audience))
        if self.error is not None:
            raise self.error
        claims = Claims(
            issuer=ISSUER,
            subject=f"system:serviceaccount:{account.namespace}:{account.name}",
            audiences=(audience,),
            expires_at=datetime(2026, 1, 1, 12, 10, tzinfo=UTC),
        )
        return IssuedToken(token=Sensitive("canary"), claims=replace(claims, **self.claims))


def verify(
    what: str,
    *objects: Mapping[str, Any],
    tokens: TokenPort | None = None,
    clouds: FakeClouds | None = None,
    stack: LokiStack = STACK,
    storage: Storage | None = None,
    values: Mapping[str, str] | None = None,
    account: str = "my-stack",
) -> Verification:
    found = storage or sound.judged(what).storage
    assert found is not None
    verifier = Verifier(tokens=tokens, clouds=clouds or FakeClouds(), objects=FakeObjects(*objects))
    secret = sound.data_of(sound.SOUND[what] if values is None else values)
    tried = asyncio.run(verifier.verify(stack, found, secret, account=account))
    assert "canary" not in repr(tried)
    return tried


def shape(tried: Verification) -> str:
    """Return the links in short: + holds, - breaks, ? open, . not reached."""
    return " ".join(f"{link.name}{_mark(link)}" for link in tried.links)


def _mark(link: Link) -> str:
    if link.ok is not None:
        return "+" if link.ok else "-"
    return "?" if link.untried else "."


WHOLE = "secret+ token+ issuer+ audience+ subject+ trust+ identity+ store+"


@pytest.mark.parametrize(
    ("what", "audience"),
    [
        ("s3 token", "sts.amazonaws.com"),
        ("azure token", "api://AzureADTokenExchange"),
        ("gcs token", sound.PROVIDER),
    ],
)
@pytest.mark.parametrize("account", ["my-stack", "my-stack-ruler"])
def test_a_token_goes_all_the_way(what: str, audience: str, account: str) -> None:
    """For either account, with the audience that the pods' tokens have."""
    tokens, clouds = FakeTokens(), FakeClouds()
    tried = verify(what, tokens=tokens, clouds=clouds, account=account)
    assert shape(tried) == WHOLE
    assert tried.verified is True
    assert tokens.asked == [(Ref("ServiceAccount", account, "logging"), audience)]
    assert clouds.tried[0][1:] == (TEMPORARY, f"logging/my-stack/{account}")


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("s3 static", "secret+ store+"),
        ("azure static", "secret+ store+"),
        ("gcs static", "secret+ identity+ store+"),
    ],
)
def test_a_static_key_goes_straight_to_the_store(what: str, expected: str) -> None:
    """No token is asked for; Google's own key logs in first."""
    tokens = FakeTokens()
    assert shape(verify(what, tokens=tokens)) == expected
    assert tokens.asked == []
    refused = FakeClouds(store=broken(LinkName.STORE, "access_key_unknown", "no"))
    tried = verify(what, clouds=refused)
    assert (tried.verified, tried.refused) == (False, True)


@pytest.mark.parametrize(
    ("tokens", "expected", "why"),
    [
        pytest.param(
            None,
            "secret+ token? issuer. audience. subject. trust. identity. store.",
            Untried.NOT_PERMITTED,
            id="not told to ask",
        ),
        pytest.param(
            FakeTokens(error=Forbidden("no")),
            "secret+ token? issuer. audience. subject. trust. identity. store.",
            Untried.NOT_PERMITTED,
            id="no Role",
        ),
        pytest.param(
            FakeTokens(error=NotFound("no")),
            "secret+ token? issuer. audience. subject. trust. identity. store.",
            Untried.NOT_TRIED,
            id="no account yet",
        ),
        pytest.param(
            FakeTokens(error=Unreachable("no")),
            "secret+ token? issuer. audience. subject. trust. identity. store.",
            Untried.NOT_TRIED,
            id="no answer",
        ),
        pytest.param(
            FakeTokens(error=NeedsHuman("the API server's own")),
            "secret+ token- issuer. audience. subject. trust. identity. store.",
            None,
            id="the API server's own audience",
        ),
        pytest.param(
            FakeTokens(claims={"issuer": "https://old"}),
            "secret+ token+ issuer- audience. subject. trust. identity. store.",
            None,
            id="another issuer",
        ),
        pytest.param(
            FakeTokens(claims={"audiences": ("x",), "expires_at": None}),
            "secret+ token+ issuer+ audience- subject. trust. identity. store.",
            None,
            id="another audience",
        ),
        pytest.param(
            FakeTokens(claims={"subject": "x"}),
            "secret+ token+ issuer+ audience+ subject- trust. identity. store.",
            None,
            id="another subject",
        ),
    ],
)
def test_the_way_ends_where_the_token_does(
    tokens: TokenPort | None, expected: str, why: Untried | None
) -> None:
    """Nobody outside is shown a token that cannot be right."""
    clouds = FakeClouds()
    tried = verify("s3 token", tokens=tokens, clouds=clouds)
    assert shape(tried) == expected
    assert (tried.first_untried.untried if tried.first_untried else None) is why
    assert clouds.shown == []


def test_the_provider_has_the_last_word_on_a_claim() -> None:
    """What was worked out to be right and is refused is broken there."""
    refusal = broken(LinkName.AUDIENCE, "sts_wrong_audience", "not among the client ids")
    clouds = FakeClouds(exchanged=Exchanged(links=(refusal,)))
    tried = verify("s3 token", tokens=FakeTokens(), clouds=clouds)
    assert shape(tried) == "secret+ token+ issuer+ audience- subject. trust. identity. store."
    assert tried.refused
    silent = FakeClouds(exchanged=Exchanged(links=(untried(LinkName.TRUST, "no answer"),)))
    tried = verify("s3 token", tokens=FakeTokens(), clouds=silent)
    assert shape(tried) == "secret+ token+ issuer+ audience+ subject+ trust? identity. store."
    assert tried.verified is None


def _secret(name: str, **values: str) -> dict[str, Any]:
    data = {key: b64encode(value.encode()).decode() for key, value in values.items()}
    metadata = {"name": name, "namespace": "logging"}
    return {"kind": "Secret", "metadata": metadata, "data": data}


PROFILE = "[default]\nrole_arn = arn:aws:iam::123456789012:role/managed\n"


def test_managed_credentials_are_read_where_the_stack_has_them() -> None:
    """The Secret that the Cloud Credential Operator made names the role."""
    managed = _secret("my-stack-managed-credentials", credentials=PROFILE)
    clouds = FakeClouds()
    tried = verify("s3 token-cco", managed, tokens=FakeTokens(), clouds=clouds)
    assert shape(tried) == WHOLE
    assert "role/managed" in repr(clouds.shown[0])


@pytest.mark.parametrize(
    ("objects", "cause"),
    [
        pytest.param([], "k8s_secret_missing", id="not made yet"),
        pytest.param(
            [_secret("my-stack-managed-credentials")], "lokistack_secret_keys_wrong", id="empty"
        ),
    ],
)
def test_without_managed_credentials_nothing_is_asked(objects: list[Any], cause: str) -> None:
    """The first link breaks; that is no refusal by anybody."""
    tokens = FakeTokens()
    tried = verify("s3 token-cco", *objects, tokens=tokens)
    assert tried.first_broken is not None
    assert (tried.first_broken.name, tried.first_broken.cause) == (LinkName.SECRET, cause)
    assert not tried.refused
    assert tokens.asked == []


def _ca(**data: Any) -> dict[str, Any]:
    metadata = {"name": "ca", "namespace": "logging"}
    return {"kind": "ConfigMap", "metadata": metadata, "data": data}


def test_the_stores_own_ca_is_the_one_that_pods_trust() -> None:
    """For the bucket, and for an STS beside it."""
    stack = replace(STACK, ca=CaRef(name="ca", key="ca.crt"))
    clouds = FakeClouds()
    config_map = _ca(**{"ca.crt": "PEM"})
    verify("s3 token", config_map, tokens=FakeTokens(), clouds=clouds, stack=stack)
    assert clouds.ca_bundles == ["PEM"]
    place = clouds.tried[0][0]
    assert isinstance(place, S3Place)
    assert place.buckets[0].ca_bundle == "PEM"
    for what in ("s3 token", "s3 static"):
        tried = verify(what, tokens=FakeTokens(), stack=stack)
        assert tried.first_untried is not None
        assert tried.first_untried.name is LinkName.SECRET
    empty = FakeClouds()
    verify("s3 static", _ca(other="x"), clouds=empty, stack=stack)
    place = empty.tried[0][0]
    assert isinstance(place, S3Place)
    assert place.buckets[0].ca_bundle == ""


def test_a_file_that_is_no_key_is_told_before_anybody_is_asked() -> None:
    """A Secret changed after it was read: the words say what lacks."""
    clouds = FakeClouds()
    tried = verify("gcs static", clouds=clouds, values={"key.json": json.dumps({"type": "x"})})
    assert tried.first_broken is not None
    assert "client_email" in tried.first_broken.detail
    assert clouds.shown == []


@pytest.mark.parametrize(
    "storage",
    [Swift(auth_url="u", container="c"), AlibabaCloud(endpoint="e", bucket="b")],
    ids=["swift", "alibabacloud"],
)
def test_a_store_without_a_test_says_so(storage: Storage) -> None:
    """Nothing is verified that was not tried."""
    tried = verify("s3 static", storage=storage)
    assert shape(tried) == "secret+ store?"
    assert tried.verified is None


def test_a_stack_that_names_a_proxy_is_tried_through_it() -> None:
    """As its pods go: with its own exceptions, and what is in the cluster without."""
    clouds = FakeClouds()
    own = Proxy(http="http://p:1", https="http://p:2", no_proxy="s3.corp")
    assert verify("s3 static", clouds=clouds, stack=replace(STACK, proxy=own)).verified
    (proxies,) = clouds.proxies
    assert proxies.of("https", "s4.corp") == ProxyAddress("http://p:2")
    assert proxies.of("http", "s4.corp") == ProxyAddress("http://p:1")
    assert [proxies.of("http", host) for host in ("s3.corp", "rgw.storage.svc")] == [None, None]
    with pytest.raises(Unusable, match=r"spec\.proxy\.httpsProxy"):
        proxies_of(Proxy(https="ftp://p")).of("https", "s4.corp")


def test_a_stack_without_a_proxy_is_tried_as_lokeys_itself_goes() -> None:
    """Then the environment of lokeys counts."""
    clouds = FakeClouds()
    assert verify("s3 static", clouds=clouds).verified
    assert clouds.proxies == []


def test_no_token_crosses_a_network_in_clear_unasked() -> None:
    """An STS over plain HTTP: not before the stack's owner allows its address."""
    values = {**sound.SOUND["s3 token"], "sts_endpoint": "http://rgw.storage.svc:8080"}
    plain = sound.judged("s3 token").storage
    assert isinstance(plain, S3)
    storage = replace(plain, sts_endpoint="http://rgw.storage.svc:8080")
    tokens = FakeTokens()
    tried = verify("s3 token", tokens=tokens, values=values, storage=storage)
    assert [(str(link.name), link.untried) for link in tried.links if link.untried] == [
        ("trust", Untried.NOT_PERMITTED)
    ]
    assert not tokens.asked
    allowed = {"lokeys.dev/allowed-urls": "http://rgw.storage.svc:8080"}
    stack = replace(STACK, annotations=allowed)
    tried = verify("s3 token", tokens=tokens, values=values, storage=storage, stack=stack)
    assert shape(tried) == WHOLE
