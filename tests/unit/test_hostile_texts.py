# SPDX-License-Identifier: Apache-2.0
"""What others write is read at its largest, through the doors by which it comes, in no time."""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from lokeys.adapters.kubernetes.cluster import quotable
from lokeys.adapters.kubernetes.workloads import roller_of
from lokeys.bounded_yaml import built
from lokeys.core.kubernetes.consent import allowed_urls
from lokeys.core.kubernetes.external_secrets.reading import Value, read
from lokeys.core.kubernetes.external_secrets.renaming import Renaming, renaming_of
from lokeys.core.kubernetes.external_secrets.template import MAX_LENGTH
from lokeys.core.kubernetes.loki.reading import named_by, reading_of
from lokeys.core.kubernetes.rook import key_secrets
from lokeys.core.kubernetes.size import (
    MAX_LOKI_CONFIG_BYTES,
    MAX_LOKI_CONFIG_VALUES,
    MAX_READ_BYTES,
    MAX_ROUTE_BYTES,
    MAX_STACK_BYTES,
)
from lokeys.core.place import Ref
from lokeys.core.route.loki_log import complaints
from lokeys.core.route.resource.validate import faults
from lokeys.core.sensitive import Fingerprinter, KeyPair, Sensitive
from lokeys.core.stack.resource.parse import parse
from lokeys.core.stack.storage.ca import read_ca
from lokeys.core.stack.storage.read import read_storage
from lokeys.core.stack.storage.secret_data import secret_data
from lokeys.core.text.certificates import BEGIN, END
from lokeys.core.text.durations import go_duration
from lokeys.core.trust.azure.check import credentials_of
from lokeys.core.trust.gcp import cel
from manifests.lokistack import NAMESPACE, Choice
from took import cpu_s
from unit.core.stack.storage.secrets import EVERYWHERE, SECRET, SOUND, STACK

MIB = 1 << 20
PLAIN = ("s3 static", "azure token", "gcs token", "swift static")
NOW = datetime(2026, 11, 23, tzinfo=UTC)
LONG = "a" * 15_000
LIMIT_S = 0.2
"""Of CPU, for one text."""
UNITS = (
    *("-a", "0", "blob.a", "https://a", "arn:"),
    *("a", ".", " ", "\n", "\\", '"', "${a:", "é", "a-", "a.", "1h", "*,", ".*a,"),
    *('a="', "{{ .a |", "{{/*", "a://b:c@", '{a="b",', "0 ", "?a", "$&", "=="),
)


def _stack(text: str) -> None:
    """Put a text in each field whose form is judged."""
    stack = Choice().manifest
    streams = [{"days": 1, "selector": text}]
    stack["spec"]["limits"] = {"global": {"retention": {"days": 1, "streams": streams}}}
    stack["spec"]["storageClassName"] = stack["metadata"]["namespace"] = text
    stack["spec"]["storage"]["schemas"][0]["effectiveDate"] = text
    parse(stack)


def _route(text: str) -> None:
    spec = {"bucket": {"name": text, "endpoint": text}, "secret": {"name": text}, "mode": text}
    spec |= {"source": {"rook": {"user": text, "namespace": text}}, "rotation": {"every": text}}
    faults({"apiVersion": text, "kind": text, "metadata": {"name": text}, "spec": spec})


def _secret(text: str, *, what: str, twice: bool = False) -> None:
    """Put a text in all fields, plain or as base64: together they hold what a Secret may."""
    kind, mode = what.split()
    part = text[: len(text) // len(SOUND[what])]
    value = b64encode(part[: len(part) * 3 // 4].encode()).decode() if twice else part
    said = {"stringData": dict.fromkeys(SOUND[what], value)}
    kept = secret_data(said, ref=SECRET, stack=STACK)
    read_storage(STACK, kind, mode, secret=kept.data, environment=EVERYWHERE)


def _pair(text: str) -> None:
    half = Sensitive(text[: len(text) // 2].encode())
    pair = KeyPair(access_key_id=half, secret_access_key=half)
    Fingerprinter(key=Sensitive(b"k"), kept=False).describe(pair)


def _ca(text: str) -> None:
    config_map = {"data": {"k": text}}
    read_ca(STACK, Ref("ConfigMap", "ca", NAMESPACE), key="k", now=NOW, config_map=config_map)


def _azure(text: str) -> None:
    said: dict[str, Any] = {"issuer": "i", "claimsMatchingExpression": {"value": text}}
    credentials_of([said])


def _template(text: str) -> None:
    data = {"secretKey": "a", "remoteRef": {"key": "a"}}
    target = {"template": {"data": {"k": text}}}
    value = read({"metadata": {"name": "es"}, "spec": {"data": [data], "target": target}}).value(
        "k"
    )
    if isinstance(value, Value):
        value.of(lambda _: b"a" * MIB)


def _rewrite(text: str) -> None:
    """As an expression and as a template of a rewrite, as long as an ExternalSecret may be."""
    steps: list[dict[str, Any]] = [{"regexp": {"source": text, "target": text}}]
    steps += [{"transform": {"template": text}}]
    read({"metadata": {"name": "es"}, "spec": {"dataFrom": [{"rewrite": steps}]}})


def _configuration(text: str) -> None:
    """As the file, and as an address in it, as an argument, and as a variable's value."""
    said = text[: len(text) - 64].replace("'", "''").replace("\n", " ")[: len(text) - 64]
    address = f"storage_config: {{aws: {{s3: '{said}'}}}}"
    for file in (text, address):
        _loki(file, args=["-config.expand-env", "-config.file=/etc/loki/c.yaml"])


def _argument(text: str) -> None:
    """As an argument, a shell's script and a variable's value."""
    _loki("", args=[f"-s3.url={text}", text, f"-config.file={text}"], value=text)
    _loki("", command=["/bin/sh", "-c"], args=[text])


def _loki(file: str, *, value: str = "", **words: list[str]) -> None:
    env = [{"name": "a", "value": value}, {"name": "b", "value": "$(a)" * 2000}]
    mounts = [{"name": "c", "mountPath": "/etc/loki"}]
    container = {"name": "loki", "env": env, "volumeMounts": mounts, **words}
    volumes = [{"name": "c", "configMap": {"name": "loki"}}]
    spec = {"containers": [container], "volumes": volumes}
    pod = {"metadata": {"name": "loki-0"}, "spec": spec}
    held = {ref: {"data": {"c.yaml": file}} for ref in named_by(pod, namespace="n")}
    parse = partial(built, max_values=MAX_LOKI_CONFIG_VALUES)
    reading_of(pod, owner=Ref("Pod", "loki-0", "n"), held=held, parse=parse)


def _reloader(text: str) -> None:
    annotations = {"secret.reloader.stakater.com/reload": text}
    roller_of({"kind": "StatefulSet", "metadata": {"annotations": annotations}}, "loki-s3")


def _allowed(text: str) -> None:
    allowed_urls({"metadata": {"annotations": {"lokeys.dev/allowed-urls": text}}})


DOORS: dict[str, tuple[Callable[[str], object], int]] = {
    "a LokiStack": (_stack, MAX_STACK_BYTES // 5),
    "a StorageCredential": (_route, MAX_ROUTE_BYTES // 11),
    **{f"a storage Secret, {what}": (partial(_secret, what=what), MIB) for what in PLAIN},
    **{
        f"a storage Secret, {what}, encoded twice": (partial(_secret, what=what, twice=True), MIB)
        for what in SOUND
        if "cco" not in what
    },
    "a pair in a Secret": (_pair, MIB),
    "a CA": (_ca, MIB),
    "a line of a log": (lambda text: complaints([text]), MIB),
    "a duration": (go_duration, MIB),
    "a condition of Google's": (lambda text: cel.holds(text, {}), MIB),
    "an expression of Azure's": (_azure, MIB // 8),
    "a template of an ExternalSecret": (_template, MAX_LENGTH),
    "a rewrite of an ExternalSecret": (_rewrite, MAX_READ_BYTES // 4),
    "a configuration of Loki's": (_configuration, MAX_LOKI_CONFIG_BYTES),
    "an argument of Loki's": (_argument, MAX_READ_BYTES // 4),
    "names for Reloader": (_reloader, MAX_READ_BYTES),
    "allowed addresses": (_allowed, MAX_READ_BYTES),
    "a message of a status": (quotable, MAX_READ_BYTES),
}


def _took_s(read: Callable[[str], object], text: str) -> float:
    return cpu_s(lambda: read(text))


@pytest.mark.parametrize("door", DOORS)
def test_a_text_of_one_thing_over_and_over_is_read_soon(door: str) -> None:
    """With a beginning and an end that fit, and without."""
    read, longest = DOORS[door]
    slow = {}
    for unit in UNITS:
        for begin, end in (("", ""), ('{a="', "\x00")):
            text = begin + unit * ((longest - 12) // len(unit.encode())) + end
            took_s = _took_s(read, text)
            if took_s >= LIMIT_S:
                slow[begin + unit] = took_s
    assert slow == {}


@pytest.mark.parametrize("text", [BEGIN, END, f"{BEGIN}\n", f"{BEGIN}{END}", f"{END}{BEGIN}"])
def test_a_megabyte_of_marks_is_read_soon(text: str) -> None:
    """It once stopped both replicas for good."""
    assert _took_s(_ca, text * (MIB // len(text))) < LIMIT_S


@pytest.mark.parametrize(
    "text",
    [
        "{{ .a" + " | upper" * 8000 + " }}",
        "{{ .a" + " | upper" * 60 + " }}",
        f'{{{{ "{LONG}"' + " | upper" * 60 + " }}",
        f'{{{{ "{LONG}{LONG}" | replace "a" "{LONG}{LONG}" }}}}',
        "{{ .a }}" * 8000,
    ],
    ids=["calls", "calls on a value", "calls on a text", "a text that blows up", "fields"],
)
def test_a_template_is_followed_only_so_far(text: str) -> None:
    """Functions take time and space, and nothing else bounds how many there are."""
    assert _took_s(_template, text) < LIMIT_S


@pytest.mark.parametrize(
    "source", [".*.*x", "(.*)(.*)x", "[a-z]*[a-z]*-", "(a*)*x", "(a+.*)x$", "a?.*x"]
)
def test_a_rewrite_renames_the_longest_name_soon(source: str) -> None:
    """An expression comes from outside: those that could take long are not followed."""
    step = {"regexp": {"source": source, "target": "$1"}}
    renaming = renaming_of({"rewrite": [step] * 4})
    if isinstance(renaming, Renaming):
        for name in ("a" * 253, "a" * 252 + "\x00"):
            assert _took_s(renaming.new, name) < LIMIT_S


def test_an_external_secret_of_many_entries_is_read_soon() -> None:
    """Each rewrite would be compiled."""
    rewrite = [{"regexp": {"source": f"a{n}", "target": "b"}} for n in range(4)]
    entries = [{"extract": {"key": "k"}, "rewrite": rewrite} for _ in range(1000)]
    data = [{"secretKey": "a", "remoteRef": {"key": "a"}}] * 600
    manifest = {"metadata": {"name": "es"}, "spec": {"dataFrom": entries, "data": data}}
    assert cpu_s(lambda: read(manifest).value("b")) < LIMIT_S


def test_a_user_of_many_keys_is_read_soon() -> None:
    """As many as fit into what is read."""
    entry = {"accessKeyRef": {"name": "n", "key": "k"}, "secretKeyRef": {"name": "n", "key": "l"}}
    user = {"spec": {"keys": [entry] * (MAX_READ_BYTES // 80)}}
    assert key_secrets(user).named == ("n",)
    assert cpu_s(lambda: key_secrets(user)) < LIMIT_S


@pytest.mark.parametrize("unit", ["- a\n", "a: b\n", "- [a, b]\n", "- {a: b}\n", "- &a x\n- *a\n"])
def test_the_largest_configuration_is_weighed_within_a_second(unit: str) -> None:
    """YAML takes far longer than its text is long."""
    text = unit * (MAX_LOKI_CONFIG_BYTES // len(unit))
    assert _took_s(partial(built, max_values=MAX_LOKI_CONFIG_VALUES), text) < 1
