# SPDX-License-Identifier: Apache-2.0
"""One Secret that is being checked: what every store's check does, and the findings so far."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lokeys.core.findings.catalogue import storage_secrets as rules
from lokeys.core.findings.finding import Finding, Remedy, Rule, Severity
from lokeys.core.kubernetes.aws_addresses import is_aws
from lokeys.core.place import Ref
from lokeys.core.stack.storage.dropped import is_dropped
from lokeys.core.stack.storage.fields import (
    DECIDING,
    EXPECTED,
    EXPECTED_OF,
    SECRET_KEYS,
    Keys,
    looks_like,
    meant_by,
    modes_of,
    providers_of,
)
from lokeys.core.stack.storage.mode import json_object
from lokeys.core.stack.storage.model import CredentialMode, StorageType
from lokeys.core.stack.storage.secret_data import SecretData
from lokeys.core.stack.storage.values import (
    both_encoded_twice,
    encoded_twice,
    swapped,
    unseen,
    unseen_before_the_end,
    unseen_in_json,
)
from lokeys.core.stack.storage.wording import tell
from lokeys.core.text.urls import NoUrl, Url, url
from lokeys.core.text.words import character, form, quoted, shown

_NO_SPACES = SECRET_KEYS - {"username", "password"}
_FORBIDDEN = {
    (StorageType.S3, CredentialMode.TOKEN_CCO, "role_arn"): "the role is the operator's own",
    (StorageType.AZURE, CredentialMode.STATIC, "audience"): "no token is made, so it has no "
    "audience",
}
_PAIRS = (
    ("access_key_id", "access_key_secret"),
    ("access_key_id", "secret_access_key"),
    ("username", "password"),
)
_DROPPED = "; Loki's configuration drops it, other readers of the Secret may not"
_SHORTEST_NAME = 3
"""For buckets, containers and storage accounts, in every cloud."""

_STRANGE = re.compile(r"[^A-Za-z0-9._-]")
_MANAGED = frozenset({"account_key", "client_id", "tenant_id", "subscription_id"})


@dataclass(slots=True, kw_only=True)
class SecretReader:
    """Reads one Secret for one stack; collects every finding."""

    stack: Ref
    secret: SecretData
    type: StorageType
    mode: CredentialMode
    keys: Keys
    findings: list[Finding] = field(default_factory=list)
    unusable: set[str] = field(default_factory=set)

    def tell(
        self,
        rule: Rule,
        key: str,
        *,
        severity: Severity | None = None,
        remedy: tuple[Remedy, ...] | None = None,
        **words: Any,
    ) -> None:
        """Add a finding about a key. Words that a rule may use and that are not given are empty."""
        known = {"type": self.type.value, "mode": self.mode.value, "hint": "", **words}
        if remedy is None and key in SECRET_KEYS and rules.SET_FIELD in rule.remedy:
            remedy = (rules.SET_SECRET_FIELD, *rule.remedy[1:])
        if remedy is None and key == "key.json" and rule.remedy[0] != rules.REMOVE_FIELD:
            file = (rules.SET_FIELD, rules.SET_SECRET_FIELD)
            remedy = tuple(rules.SET_FILE_FIELD if each in file else each for each in rule.remedy)
        if self.secret.made_by:
            known["hint"] += f" ({self.secret.made_by} makes this Secret: fix it there)"
        finding = tell(
            rule, self.secret.ref, stack=self.stack, field=key, words=known, remedy=remedy
        )
        self.findings.append(replace(finding, severity=severity) if severity else finding)

    def value(self, key: str) -> str:
        """Return a key's text; empty if there is none, or none that can be judged further."""
        return "" if key in self.unusable or key in self.secret.spoilt else self.secret.text(key)

    def is_empty(self, key: str) -> bool:
        """Tell whether a key exists and holds nothing."""
        return key in (self.secret.values or {}) and not self.secret.has(key)

    def missing(self, key: str, *, why: str = "", value: str = "") -> None:
        """Add a finding that a required key is missing; `value`: what it should be, if known."""
        if self.secret.may_have(key):
            return
        near = [
            other
            for other in sorted(self.secret.keys - self.keys.known)
            if meant_by(other, self.keys) == key
        ]
        found = "is empty" if key in self.secret.keys else "is missing"
        wrong = shown(near[0]) if near else ""
        self._rename_here(wrong)
        self.tell(
            rules.MISSING_FIELD,
            key,
            remedy=(rules.RENAME_FIELD,) if near else None,
            found=found,
            expected=EXPECTED_OF.get((self.type, key), EXPECTED[key]),
            hint=why + (self._slip(wrong, key) if near else ""),
            wrong=wrong,
            meant=key,
            value=value or "VALUE",
        )

    def _slip(self, wrong: str, key: str) -> str:
        if self.mode is CredentialMode.TOKEN and key == DECIDING[self.type]:
            return f"; `{wrong}` looks like `{key}`, with which the mode is token"
        return f"; `{wrong}` is there: was that meant?"

    def _rename_here(self, wrong: str) -> None:
        """Remove the command that renames a key from the finding that nothing reads it."""
        for number, each in enumerate(self.findings):
            if (each.code, each.field) == (rules.UNKNOWN_FIELD.code, wrong):
                remedy = tuple(replace(one, command=None) for one in each.remedy)
                self.findings[number] = replace(each, remedy=remedy)

    def url(self, key: str, *, with_path: bool = False, scheme: str | None = None) -> Url | None:
        """Return the URL at a key, or None and add a finding why it is not valid."""
        text = self.value(key)
        if not text:
            return None
        try:
            return url(text, with_path=with_path, scheme=scheme)
        except NoUrl as problem:
            expected = "`https://` and a host, with a port or not"
            self.tell(rules.BAD_ENDPOINT, key, found=str(problem), expected=expected)
            return None

    def name(
        self, key: str, *, dollar: bool = False, usual: re.Pattern[str] | None = None, of: str = ""
    ) -> str:
        """Return a bucket's name; adds a finding if it is not valid.

        `usual` matches usual names at that store, `of` says so in words: others get a warning.
        """
        text = self.value(key)
        refused = _refused(text.removeprefix("$") if dollar else text)
        if text and refused:
            self.bad_name(key, refused)
        elif text and usual is not None and not usual.fullmatch(text.removeprefix("$" * dollar)):
            found = "a name that the store gives to none"
            severity = Severity.WARNING
            self.tell(rules.BAD_BUCKET_NAME, key, found=found, expected=of, severity=severity)
        return text

    def bad_name(self, key: str, found: str) -> None:
        """Add a finding that a value is not a bucket's name, and why."""
        expected = "a name of letters, digits, `.`, `_` and `-`, at least three of them"
        self.tell(rules.BAD_BUCKET_NAME, key, found=found, expected=expected)

    def look_at_keys(self) -> None:
        """Add findings about keys that are missing, unknown, foreign or forbidden."""
        for key in self.keys.required:
            self.missing(key)
        for key in sorted(self.secret.keys - self.keys.known):
            self._stranger(key)

    def _stranger(self, key: str) -> None:
        forbidden = _FORBIDDEN.get((self.type, self.mode, key))
        if forbidden:
            if self.secret.has(key):
                own = key == "role_arn"  # an identity, which has another remedy
                out = (rules.REMOVE_FIELD, rules.USE_TOKENS) if own else None
                self.tell(rules.FIELD_NOT_ALLOWED, key, hint=forbidden, remedy=out)
            return
        if self.mode is CredentialMode.TOKEN_CCO and self._override(key):
            return
        meant = meant_by(key, self.keys)
        others = providers_of(key, but=self.type)
        if meant and not self.secret.has(meant):
            hint = f": `{meant}` was probably meant"
            # The finding about the missing key has the command.
            remedy = (rules.MOVE_TO if meant in self.keys.required else rules.RENAME_FIELD,)
            wrong = shown(key)
            self.tell(rules.UNKNOWN_FIELD, key, remedy=remedy, hint=hint, wrong=wrong, meant=meant)
        elif others:
            self.tell(rules.FOREIGN_FIELD, key, others=" and ".join(others))
        else:
            self._unread(key, meant)

    def _override(self, key: str) -> bool:
        """Add a finding about an identity beside the managed one, if this is one."""
        rule: Rule | None = None
        static = key == "account_key"
        if self.type is StorageType.AZURE and key in _MANAGED:
            rule = rules.MANAGED_NO_OVERRIDE
        elif self.type is StorageType.GCS and key == "key.json":
            rule = rules.INVALID_CREDENTIALS_FILE
            file = json_object(self.secret.raw(key)) or {}
            static = file.get("type") == "service_account"
        if rule is not None:
            other = rules.USE_STATIC_KEYS if static else rules.USE_TOKENS
            self.tell(rule, key, remedy=(rules.REMOVE_FIELD, other))
        return rule is not None

    def _unread(self, key: str, meant: str | None) -> None:
        modes = modes_of(key, self.type)
        remedy: tuple[Remedy, ...] | None = None
        hint = f": `{meant}`, which is there, was perhaps meant" if meant else ""
        like = None if meant or modes else looks_like(key, self.type)
        if like:
            hint = f": it looks like `{like}`, which is read in {_in_modes(like, self.type)}"
        if modes:
            hint = f": it is read in {_in_modes(key, self.type)}"
            if key in SECRET_KEYS:
                hint += "; to use it, say `credentialMode: static`"
                # A stack with a role has moved on; others may not know of the cluster's one.
                managed = self.mode is CredentialMode.TOKEN_CCO
                remedy = (rules.USE_STATIC_KEYS, rules.REMOVE_FIELD)
                remedy = remedy if managed else remedy[::-1]
        self.tell(rules.UNKNOWN_FIELD, key, hint=hint, remedy=remedy)

    def look_at_forms(self) -> None:
        """Add findings about invisible characters, double base64 and swapped halves."""
        both = {
            key
            for pair in _PAIRS
            if both_encoded_twice(*map(self.secret.text, pair))
            for key in pair
        }
        for key in sorted(self.keys.known & frozenset(self.secret.values or {})):
            self._form(key, self.secret.raw(key), twice="a plain text" if key in both else None)
        secret_key = "secret_access_key" if "secret_access_key" in self.keys.known else ""
        secret_key = secret_key or "access_key_secret"
        if swapped(self.value("access_key_id"), self.value(secret_key)):
            self.tell(rules.SWAPPED_PAIR, "access_key_id", other=secret_key)

    def _form(self, key: str, raw: bytes, *, twice: str | None) -> None:
        spaces = key not in _NO_SPACES or key == "account_key"
        problem = unseen_in_json(raw) if key == "key.json" else unseen(raw, spaces=spaces)
        dropped = problem is not None and self._is_dropped(problem, key)
        if dropped:
            further = unseen_before_the_end(raw, spaces=spaces)
            problem, dropped = further or problem, further is None
        if problem:
            remedy = None if key in SECRET_KEYS else (rules.SET_FIELD,)
            if key == "key.json":
                remedy = (rules.SET_FILE_FIELD,)
            self.tell(
                rules.INVISIBLE_CHARACTERS,
                key,
                found=problem,
                severity=Severity.WARNING if dropped else None,
                remedy=remedy,
                hint=_DROPPED if dropped else "",
            )
            if "UTF-8" in problem:
                self.unusable.add(key)
                return
        twice = encoded_twice(key, self.secret.text(key)) or twice
        if twice:
            remedy = None if key in SECRET_KEYS or key == "key.json" else (rules.SET_FIELD,)
            self.tell(rules.DOUBLE_BASE64, key, found=twice, remedy=remedy)
            self.unusable.add(key)

    def _is_dropped(self, problem: str, key: str) -> bool:
        """Tell whether the invisible part of a value never reaches the store."""
        if (self.type, self.mode, key) != (StorageType.S3, CredentialMode.STATIC, "region"):
            return is_dropped(problem, key, self.type)
        # At AWS the Loki Operator compares it with the endpoint; elsewhere it is ordinary text.
        try:
            free = not is_aws(url(self.secret.text("endpoint")).host)
        except NoUrl:
            free = False
        return free and is_dropped(problem, "bucketnames", self.type)


def _in_modes(key: str, storage_type: StorageType) -> str:
    return f"mode {' and '.join(modes_of(key, storage_type))}"


def _refused(text: str) -> str | None:
    """Return why this is not a valid name in any cloud, in words."""
    strange = _STRANGE.search(text)
    if strange:
        return f"a name with {character(strange[0])} in it"
    if len(text) < _SHORTEST_NAME:
        return f"a name of fewer than {_SHORTEST_NAME} characters"
    return None if any(map(str.isalnum, text)) else "a name without a letter or a digit"


def meant_of(
    value: str, allowed: Iterable[str], others: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return `found`, `hint` and `value` for a word outside its list, if a similar one exists.

    Only then is it shown: a word unlike all of them may be anything. `others` are words of other
    tools, in lowercase, with their replacements.
    """
    word = value.strip().lower().replace("_", "-")
    near = {each.lower(): each for each in allowed} | dict(others or {})
    if word not in near:
        return {"found": form(value)}
    hint = f"; `{near[word]}` was meant, spelt exactly so"
    return {"found": quoted(value), "value": near[word], "hint": hint}
