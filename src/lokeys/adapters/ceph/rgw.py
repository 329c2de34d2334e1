# SPDX-License-Identifier: Apache-2.0
"""Ceph RGW's Admin Ops API: which keys a user really has, and who owns a key.

Traps of the API (measured): if a uid does not exist and an access key is given too, the uid is
ignored, so the two are never sent together; an unknown access key is AccessDenied, as is a missing
capability; and a gateway with another `rgw_dns_name` reads the admin path as a bucket.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote, urlencode

import httpx2
import msgspec

from lokeys.adapters.aws.s3_answers import read_xml
from lokeys.adapters.http import Bounds, Reply, bounded_request
from lokeys.core.kubernetes.consent import NO_CONSENT, Consent
from lokeys.core.place import Hop, Ref
from lokeys.core.route.model import RgwSource
from lokeys.core.route.slots import Slot
from lokeys.core.route.snapshot import SourceState, Unreadable, Why
from lokeys.core.sensitive import Fingerprinter, KeyPair, Sensitive
from lokeys.errors import (
    Conflict,
    Forbidden,
    LokeysError,
    NeedsHuman,
    NotFound,
    NotReadable,
    Throttled,
    Transient,
    Unreachable,
)
from lokeys.ports import Clock, Reading

_BOUNDS = Bounds(total_s=10.0, max_bytes=1 << 20)
_REGION = "us-east-1"  # RGW accepts any
_NOBODY = "lokeys-asks-for-a-user-that-is-not-there"
_HINT_LENGTH = 4
_Answered = TypeVar("_Answered")


class Misrouted(NeedsHuman):
    """RGW took the admin path for a bucket: cause `rgw_dns_name_misroute`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RgwUser:
    """A user in RGW. `keys` are all that authenticate as it, smallest id first."""

    uid: str
    suspended: bool
    keys: tuple[KeyPair, ...]


class _Key(msgspec.Struct):
    access_key: str
    secret_key: str = ""
    active: bool = True  # newer Ceph can disable a key


class _User(msgspec.Struct):
    user_id: str
    tenant: str = ""
    suspended: int = 0
    keys: list[_Key] = []


class _Error(msgspec.Struct):
    code: str = msgspec.field(name="Code")


class AdminApi:
    """RGW's admin API at `endpoint`, called with `pair`, which needs `users=read`.

    Raises NotFound, Forbidden, Unreachable, Misrouted, Transient, NotReadable.
    """

    def __init__(
        self,
        endpoint: str,
        pair: KeyPair,
        client: httpx2.AsyncClient,
        clock: Clock,
        *,
        consent: Consent = NO_CONSENT,
    ) -> None:
        self.consent = consent
        self._base = endpoint.rstrip("/") + "/admin"
        self._pair = pair
        self._client = client
        self._clock = clock

    async def user(self, uid: str) -> RgwUser:
        """Return the user; NotFound if there is none."""
        found = _user_of(await self._call("GET", "user", {"uid": uid}))
        if found.uid != uid:
            raise NotReadable(f"RGW was asked for user {uid} and described another one")
        return found

    async def user_exists(self, uid: str) -> bool:
        """Tell whether the user exists."""
        try:
            await self.user(uid)
        except NotFound:
            return False
        return True

    async def owner_of(self, access_key_id: Sensitive) -> str | None:
        """Return the uid of the user who has this key, None if nobody has."""
        try:
            reply = await self._call("GET", "user", {"access-key": access_key_id.reveal_text()})
        except Forbidden:
            await self._assert_may_read_users()
            return None
        except NotFound:
            return None
        return _user_of(reply).uid

    async def create_user(self, uid: str, *, display_name: str) -> bool:
        """Create the user with one key that RGW chooses; False if it existed already."""
        try:
            await self._call("PUT", "user", {"uid": uid, "display-name": display_name})
        except Conflict:
            return False
        return True

    async def add_key(self, uid: str, pair: KeyPair) -> None:
        """Give the user this key. The caller has checked whose its id is: see `rgw_issuer`."""
        words = {
            "key": "",
            "uid": uid,
            "access-key": pair.access_key_id.reveal_text(),
            "secret-key": pair.secret_access_key.reveal_text(),
        }
        await self._call("PUT", "user", words)

    async def remove_key(self, uid: str, access_key_id: Sensitive) -> None:
        """Remove a key from the user. The caller has checked whose it is: see `rgw_issuer`."""
        words = {"key": "", "uid": uid, "access-key": access_key_id.reveal_text()}
        await self._call("DELETE", "user", words)

    async def _assert_may_read_users(self) -> None:
        """Raise Forbidden if the capability was missing, and not the key."""
        try:
            await self._call("GET", "user", {"uid": _NOBODY})
        except NotFound:
            return

    async def _call(self, method: str, resource: str, query: dict[str, str]) -> Reply:
        from lokeys.adapters.aws import sign as aws_sign  # noqa: PLC0415 - botocore is heavy

        # No `format=json`: it is the default, and a misrouted request would also answer in JSON.
        text = urlencode(query, quote_via=quote, errors="surrogateescape")
        call = aws_sign.SignedCall(method=method, url=f"{self._base}/{resource}?{text}")
        request = aws_sign.signed(call, self._pair, region=_REGION, now=self._clock())
        reply = await bounded_request(self._client, request, bounds=_BOUNDS)
        if reply.status != 200:
            raise _error_of(reply, where=request.url.host)
        if reply.body.lstrip()[:1] == b"<":
            raise _not_admin(reply, request.url.host)
        return reply


def slots_of(user: RgwUser, fingerprinter: Fingerprinter) -> tuple[Slot, ...]:
    """Return what may be known about the user's keys, in RGW's (and Rook's) order."""
    return tuple(
        Slot(
            key_id=(facts := fingerprinter.describe(pair)).key_id,
            facts=facts,
            hint=hint_of(pair),
            order=order,
        )
        for order, pair in enumerate(user.keys)
    )


def hint_of(pair: KeyPair) -> str:
    """Return the first characters of a pair's id: enough to find it, too few to use it."""
    return pair.access_key_id.reveal_text()[:_HINT_LENGTH]


class RgwSourcePort:
    """A `SourcePort` on a user that only its admin manages.

    `admin` returns a client with the current admin pair, so that a repaired Secret is used at the
    next look. Nothing is sent unless the owner of that Secret allows the endpoint, or the caller's
    own permissions decide.
    """

    def __init__(
        self,
        source: RgwSource,
        *,
        secret: Ref,
        callers_rights: bool,
        admin: Callable[[], Awaitable[AdminApi]],
        fingerprinter: Fingerprinter,
    ) -> None:
        self._uid = source.uid
        self._secret = secret
        self._callers_rights = callers_rights
        self._endpoint = source.admin.endpoint
        self._ref = Ref("RGWUser", source.uid)
        self._admin = admin
        self._fingerprinter = fingerprinter

    async def read(self) -> Reading[SourceState]:
        """Return the user's keys, and its pair if there is exactly one.

        If there are several, the route decides which is current.
        """
        try:
            admin = await self._admin()
            if not (self._callers_rights or admin.consent.covers(self._endpoint)):
                return Reading(gaps=(not_allowed_url(self._secret, self._endpoint),))
            user = await admin.user(self._uid)
        except LokeysError as error:
            why, detail = why_unreadable(error), str(error)
            return Reading(
                gaps=(Unreadable(hop=Hop.SOURCE, ref=self._ref, why=why, detail=detail),)
            )
        pair = user.keys[0] if len(user.keys) == 1 else None
        state = SourceState(
            ref=self._ref,
            owner=self._ref,
            pair=self._fingerprinter.describe(pair) if pair else None,
            slots=slots_of(user, self._fingerprinter),
            suspended=user.suspended,
            consent=admin.consent,
        )
        pairs = {self._fingerprinter.describe(pair).pair: pair for pair in user.keys}
        return Reading(state=state, pair=pair, pairs=pairs)

    async def refresh(self) -> None:
        """Do nothing: RGW itself is read, there is no copy to renew."""

    async def ensure_user(self) -> bool:
        """Make sure that the user exists; a new one gets one key."""
        admin = await self._admin()
        if await admin.user_exists(self._uid):
            return False
        return await admin.create_user(self._uid, display_name=self._uid)


def _user_of(reply: Reply) -> RgwUser:
    found = _decoded(reply, _User)
    pairs = {
        key.access_key: KeyPair(
            access_key_id=Sensitive(key.access_key), secret_access_key=Sensitive(key.secret_key)
        )
        for key in found.keys
        if key.active
    }
    return RgwUser(
        uid=f"{found.tenant}${found.user_id}" if found.tenant else found.user_id,
        suspended=bool(found.suspended),
        keys=tuple(pairs[key_id] for key_id in sorted(pairs)),
    )


def _decoded(reply: Reply, kind: type[_Answered]) -> _Answered:
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # Neither chained nor quoted: the body holds secret keys.
        pass
    raise NotReadable("RGW's admin API answered something that is not its JSON")


_SAID = {
    "InvalidAccessKeyId": "the admin key id is unknown to RGW",
    "SignatureDoesNotMatch": "the admin secret key does not belong to its key id",
    "UserSuspended": "the admin user is suspended",
    "RequestTimeTooSkewed": "the clocks differ too much",
    "AccessDenied": "the admin user lacks the capability users=read, or its key is not valid",
}


def _error_of(reply: Reply, *, where: str) -> LokeysError:
    code = _code_of(reply)
    if code is None:
        return _not_admin(reply, where)
    message = f"RGW admin API at {where}: {reply.status} {code}"
    if reply.status == 429 or code == "SlowDown":
        return Throttled(message)
    if reply.status >= 500:
        return Transient(message)
    if reply.status in {401, 403}:
        return Forbidden(f"{message}: {_SAID[code]}" if code in _SAID else message)
    if reply.status == 404:
        return NotFound(message)
    return Conflict(message) if reply.status == 409 else NotReadable(message)


def _code_of(reply: Reply) -> str | None:
    """Return the code of an admin error; None if the reply is not one."""
    try:
        code = msgspec.json.decode(reply.body, type=_Error).code
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return code if code.isalnum() else "error"


def _not_admin(reply: Reply, where: str) -> LokeysError:
    """Return the error for a reply that did not come from the admin API."""
    if reply.status >= 500:
        return Transient(f"RGW admin API at {where}: {reply.status}")
    elements = read_xml(reply.body)
    if elements and elements[0][0] in {"Error", "ListBucketResult", "ListAllMyBucketsResult"}:
        return Misrouted(
            f"rgw_dns_name_misroute: {where} took the admin path for a bucket; set the store's "
            "rgw_dns_name (Rook: spec.hosting.dnsNames) to a name that covers this host"
        )
    return NotReadable(f"{where} answers {reply.status}, but not as RGW's admin API")


def not_allowed_url(ref: Ref, url: str) -> Unreadable:
    """Return that the owner of `ref` has not allowed a request to go to `url`."""
    return Unreadable(hop=Hop.SOURCE, ref=ref, why=Why.URL_NOT_ALLOWED, detail=url)


def why_unreadable(error: LokeysError) -> Why:
    """Return why the admin API could not be read, as data."""
    match error:
        case Misrouted():
            return Why.MISROUTED
        case NotFound():
            return Why.NOT_FOUND
        case Forbidden():
            return Why.FORBIDDEN
        case Unreachable() | Transient():
            return Why.UNREACHABLE
    return Why.GARBLED
