# SPDX-License-Identifier: Apache-2.0
"""No message fails at run time: calls give the words that a rule's texts need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import pytest

from builders import NOW
from lokeys.core.findings.catalogue import (
    configuration,
    configuration_alone,
    lokistacks,
    storage_objects,
    storage_secrets,
)
from lokeys.core.findings.catalogue.complaints import RULE_OF_CAUSE as RULE_OF_COMPLAINT
from lokeys.core.findings.catalogue.sources import USER_SUSPENDED
from lokeys.core.findings.catalogue.store import SESSION_TOKEN_EXPIRED
from lokeys.core.findings.finding import Remedy, Rule
from lokeys.core.findings.rules import RULES
from lokeys.core.findings.store_answers import RULE_OF_ANSWER
from lokeys.core.findings.store_answers import RULE_OF_CAUSE as RULE_OF_STORE
from lokeys.core.place import Ref
from lokeys.core.route.checks.configuration import RULE_OF_MISCONFIGURATION
from lokeys.core.stack.storage.fields import Keys
from lokeys.core.stack.storage.model import CloudEnvironment, CredentialMode, StorageType
from lokeys.core.stack.storage.reader import SecretReader
from lokeys.core.stack.storage.secret_data import SecretData
from lokeys.core.stack.storage.wording import tell
from lokeys.core.stack.validation.context import StackContext, told_absent
from lokeys.core.stack.validation.objects import PlacedObjects
from lokeys.core.trust import fetched
from lokeys.core.trust.accounts import Stack
from lokeys.core.trust.fetched import DocumentKind, Fetched
from lokeys.core.trust.tries import findings as tries
from unit.core.findings.said import BY_ITSELF, HELPERS, OF_TELL, Said, every_call

_TRY = BY_ITSELF | {
    *("account", "stack", "stack_ref", "namespace", "secret", "cloud", "where", "detail"),
}
_MEND_A_TRY = (*(each for some in tries.REMEDIES.values() for each in some), tries.EDIT)
UNREAD: Mapping[str, tuple[tuple[Rule, ...], frozenset[str]]] = {
    # The rule is chosen by an answer or a symptom.
    "core.route.checks.store:_finding rule": (
        (*(set(RULE_OF_ANSWER.values()) - {USER_SUSPENDED}), SESSION_TOKEN_EXPIRED),
        BY_ITSELF | {"detail"},
    ),
    "core.route.symptoms:_alone rule": (
        tuple(RULE_OF_COMPLAINT.values()),
        BY_ITSELF | {"detail", "user"},
    ),
    "core.findings.doctor.verdict:_finding row.rule": (
        tuple(RULE_OF_COMPLAINT.values()),
        BY_ITSELF | {"detail", "user"},
    ),
    # What is wrong with a configuration chooses rule and words.
    "core.route.checks.configuration:_finding rule": (
        tuple(RULE_OF_MISCONFIGURATION.values()),
        BY_ITSELF
        | {
            *("workloads", "names", "file", "line", "expression", "identity", "account"),
            *("endpoint", "version", "pair", "others", "fields", "why"),
        },
    ),
    # Which words there are depends on the place in a configuration.
    "core.route.configured:_finding rule": (
        (
            *(rule for rule in vars(configuration_alone).values() if isinstance(rule, Rule)),
            *(configuration.NOT_EXPANDED, configuration.HALF_A_PAIR),
        ),
        BY_ITSELF
        | {
            *("name", "wanted", "setting", "store", "why", "others", "kind", "key", "value"),
            *("letters", "bucket", "workloads", "fields"),
        },
    ),
    # The word is left open where nobody knows the source.
    "core.route.checks.store:delivered_key_is_refused USER_SUSPENDED": (
        (USER_SUSPENDED,),
        BY_ITSELF | {"user"},
    ),
    # A branch adds a word.
    "core.stack.resource.parse:_finding rule": (
        (lokistacks.UNSUPPORTED_FIELD,),
        BY_ITSELF | {"name", "namespace", "found", "expected", "detail"},
    ),
    # What a store answers in a try has remedies of its own in place of the rule's.
    "core.trust.tries.findings:_finding rule": (
        tuple(replace(rule, remedy=_MEND_A_TRY) for rule in RULE_OF_STORE.values()),
        _TRY,
    ),
}
"""Calls that reading does not tell whole: their rules, and the words that they give those."""
CALLS = list(every_call())


def lacking(said: Said, *, by_list: bool = True) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield each rule of a call with the words that it lacks."""
    nothing: tuple[tuple[Rule, ...], frozenset[str]] = ((), frozenset())
    listed, words = UNREAD.get(said.where, nothing) if by_list else nothing
    for rule in listed:
        yield rule.code, rule.words - words
    by_hand = {rule.code for rule in listed}
    for rule in said.rules or ():
        if rule.code not in by_hand:
            whole = rule if said.remedies is None else replace(rule, remedy=said.remedies)
            yield rule.code, whole.words - (said.words or frozenset())


@pytest.mark.parametrize("said", [pytest.param(c, id=f"{c.where}:{c.line}") for c in CALLS])
def test_a_call_gives_the_words_that_the_texts_need(said: Said) -> None:
    """Each name in title, message and remedies is given, by the call or by its helper."""
    listed = said.where in UNREAD
    assert listed or (said.rules and said.words is not None), "list what it gives in UNREAD"
    assert not {code: lack for code, lack in lacking(said) if lack}


def test_calls_are_found_and_none_is_listed_for_nothing() -> None:
    """The look through the source sees what it is meant to see; the list names what is there."""
    assert len(CALLS) > 180
    unread = {
        said.where
        for said in CALLS
        if not said.rules
        or said.words is None
        or any(lack for _, lack in lacking(said, by_list=False))
    }
    assert unread == UNREAD.keys()


def test_a_call_that_lacks_a_word_is_seen() -> None:
    """The check can fail."""
    said = Said(where="", line=1, rules=(storage_objects.MISSING_STORAGE_SECRET,), words=OF_TELL)
    assert [lack for _, lack in lacking(said)] == [{"stack_ref", "where"}]


def probing(words: Iterable[str]) -> Rule:
    """Return a rule whose message needs these words."""
    message = " ".join(f"{{{word}}}" for word in sorted(words))
    remedy = (Remedy(text="put it right"),)
    return Rule(code="LK0000", title="t", message=message, meaning="", why="", remedy=remedy)


def test_helpers_give_the_words_that_they_are_said_to_give() -> None:
    """No word that a helper is said to know by itself comes out in capitals."""
    stack, ref = Ref("LokiStack", "logs", "ns"), Ref("Secret", "loki", "ns")
    # `value` is a word that stands for itself until a call says another.
    said = tell(probing(HELPERS[tell] - {"value"}), ref, stack=stack, field="f").message
    reader = SecretReader(
        stack=stack,
        secret=SecretData(ref=ref, values={}, keys=frozenset()),
        type=StorageType.S3,
        mode=CredentialMode.STATIC,
        keys=Keys(required=()),
    )
    reader.tell(probing(HELPERS[SecretReader.tell] - {"value"}), "f")
    around = StackContext(
        objects=PlacedObjects((), namespace="ns"), now=NOW, environment=CloudEnvironment()
    )
    cloud = Stack(namespace="ns", name="logs", issuer="i", audience="a", secret="s")
    document = Fetched(kind=DocumentKind.TRUST, of=ref, content={})
    of_cloud = fetched.tell(probing(HELPERS[fetched.tell]), document, cloud, field="f").message
    absent = told_absent(probing(HELPERS[told_absent] - {"value", "field"}), ref, stack, around)
    for text in (said, reader.findings[0].message, of_cloud, absent.message):
        assert not [word for word in text.split() if word.isupper()], text


def test_the_remedies_that_a_reader_chooses_itself_need_only_its_words() -> None:
    """A value is typed or comes from a file, whatever remedy the rule itself has."""
    remedy = (storage_secrets.SET_SECRET_FIELD, storage_secrets.SET_FILE_FIELD)
    assert replace(probing(()), remedy=remedy).words <= HELPERS[SecretReader.tell]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_word_that_nobody_gave_costs_no_finding(rule: Rule) -> None:
    """Its name stands in its place, in capitals."""
    finding = rule.at(Ref("Secret", "loki", "ns"))
    missing = {word for word in rule.words - BY_ITSELF if f"{{{word}}}" in rule.message}
    assert all(word.upper() in finding.message for word in missing)
