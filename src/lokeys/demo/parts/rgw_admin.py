# SPDX-License-Identifier: Apache-2.0
"""RGW's Admin Ops API as measured on Ceph 16, defects included.

Defects that a client must survive: keys come in clear, an unknown access-key is AccessDenied and
not 404, a missing key at removal is InvalidAccessKeyId, a uid that does not exist is ignored where
an access-key is given, and an id that is there has its secret replaced in silence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lokeys.demo.parts.sigv4 import SignatureRefused
from lokeys.demo.parts.store_accounts import Accounts, User
from lokeys.http_server import HttpRequest, Response, json

_REFUSED = 403
_WRITES = frozenset({"PUT", "POST", "DELETE"})
_CAPABILITY = {"user": "users", "bucket": "buckets", "metadata": "metadata"}


def answer(store: Accounts, request: HttpRequest, caller: User | None) -> Response:
    """Answer one admin request of `caller`; raises Refused."""
    resource = request.path.split("/")[2]
    capability = _CAPABILITY.get(resource)
    if capability is None:
        raise SignatureRefused("MethodNotAllowed", status=405)
    need = "write" if request.method in _WRITES else "read"
    held = caller.caps.get(capability, "") if caller else ""
    if held != "*" and need not in held:
        raise SignatureRefused("AccessDenied")
    if resource == "bucket":
        return _bucket(store, request)
    if resource == "metadata" or "list" in request.query:
        return _names(store, request)
    return _user(store, request)


def error(code: str, status: int) -> Response:
    """Return an admin error: JSON with an empty message."""
    body = {"Code": code, "Message": "", "RequestId": "tx0-default", "HostId": "0-default"}
    return json(body, status=status)


def _names(store: Accounts, request: HttpRequest) -> Response:
    names = list(store.users)
    if request.path.startswith("/admin/metadata") and "max-entries" not in request.query:
        return json(names)
    return json({"keys": names, "truncated": False, "count": len(names)})


def _bucket(store: Accounts, request: HttpRequest) -> Response:
    query = request.query
    if "bucket" not in query:
        owned = [name for name, b in store.buckets.items() if b.owner == query.get("uid")]
        return json(owned)
    found = store.buckets.get(query["bucket"])
    if found is None:
        raise SignatureRefused("NoSuchBucket", status=404)
    return json({"bucket": query["bucket"], "tenant": "", "owner": found.owner})


def _user(store: Accounts, request: HttpRequest) -> Response:
    query = request.query
    what = next((name for name in ("key", "caps", "quota") if name in query), "")
    routes: dict[tuple[str, str], Callable[[Accounts, dict[str, str]], Any]] = {
        ("GET", ""): lambda store, query: _described(_found(store, query)),
        ("PUT", ""): _create_user,
        ("POST", ""): _modify_user,
        ("DELETE", ""): _remove_user,
        ("PUT", "key"): _add_key,
        ("DELETE", "key"): _remove_key,
        ("PUT", "caps"): _add_caps,
        ("PUT", "quota"): _set_quota,
    }
    route = routes.get((request.method, what))
    if route is None:
        raise SignatureRefused("MethodNotAllowed", status=405)
    result = route(store, query)
    return Response() if result is None else Response(body=json(result).body)


def _found(store: Accounts, query: dict[str, str]) -> User:
    """Return the user that RGW would take: by uid, and if there is none, by access key."""
    if "uid" not in query and "access-key" not in query:
        raise SignatureRefused("InvalidArgument", status=400)
    user = store.users.get(query.get("uid", ""))
    if user is None and "access-key" in query:
        user = store.owner_of(query["access-key"])
        if user is None and "uid" not in query:
            raise SignatureRefused("AccessDenied")
    if user is None:
        raise SignatureRefused("NoSuchUser", status=404)
    return user


def _create_user(store: Accounts, query: dict[str, str]) -> dict[str, Any]:
    uid = query.get("uid", "")
    if not uid or not query.get("display-name"):
        raise SignatureRefused("InvalidArgument", status=400)
    if uid in store.users:
        raise SignatureRefused("UserAlreadyExists", status=409)
    key_id = query.get("access-key", "")
    if key_id and store.owner_of(key_id):
        raise SignatureRefused("KeyExists", status=409)
    store.create_user(uid)
    user = store.users[uid]
    user.display_name = query["display-name"]
    user.keys.clear()
    if key_id or query.get("generate-key", "true").lower() != "false":
        store.add_key(uid, key_id, query.get("secret-key", ""))
    return _described(user)


def _modify_user(store: Accounts, query: dict[str, str]) -> dict[str, Any]:
    user = _found(store, query)
    if "suspended" in query:
        user.suspended = query["suspended"].lower() in {"1", "true"}
    user.display_name = query.get("display-name", user.display_name)
    return _described(user)


def _remove_user(store: Accounts, query: dict[str, str]) -> None:
    user = _found(store, query)
    owned = [name for name, bucket in store.buckets.items() if bucket.owner == user.uid]
    if owned and query.get("purge-data", "").lower() != "true":
        raise SignatureRefused("BucketAlreadyExists", status=409)
    for name in owned:
        del store.buckets[name]
    del store.users[user.uid]


def _add_key(store: Accounts, query: dict[str, str]) -> list[dict[str, str]]:
    user = _found(store, query)
    key_id = query.get("access-key", "")
    owner = store.owner_of(key_id) if key_id else None
    if owner is not None and owner is not user:
        raise SignatureRefused("KeyExists", status=409)
    if not key_id and query.get("generate-key", "true").lower() == "false":
        raise SignatureRefused("InvalidAccessKeyId")
    store.add_key(user.uid, key_id, query.get("secret-key", ""))
    return _keys(user)


def _remove_key(store: Accounts, query: dict[str, str]) -> None:
    user = _found(store, query)
    if user.keys.pop(query.get("access-key", ""), None) is None:
        raise SignatureRefused("InvalidAccessKeyId")


def _add_caps(store: Accounts, query: dict[str, str]) -> list[dict[str, str]]:
    user = _found(store, query)
    for cap in query.get("user-caps", "").split(";"):
        name, _, permission = cap.partition("=")
        user.caps[name] = permission
    return [{"type": name, "perm": permission} for name, permission in user.caps.items()]


def _set_quota(store: Accounts, query: dict[str, str]) -> None:
    user = _found(store, query)
    limit = int(query.get("max-objects", "-1"))
    enabled = query.get("enabled", "true").lower() == "true"
    user.max_objects = limit if enabled and limit >= 0 else None


def _described(user: User) -> dict[str, Any]:
    return {
        "tenant": "",
        "user_id": user.uid,
        "display_name": user.display_name,
        "email": "",
        "suspended": int(user.suspended),
        "max_buckets": 1000,
        "subusers": [],
        "keys": _keys(user),
        "swift_keys": [],
        "caps": [{"type": name, "perm": permission} for name, permission in user.caps.items()],
        "op_mask": "read, write, delete",
        "type": "rgw",
    }


def _keys(user: User) -> list[dict[str, str]]:
    return [
        {"user": user.uid, "access_key": key_id, "secret_key": secret}
        for key_id, secret in sorted(user.keys.items())
    ]
