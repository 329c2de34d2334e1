# SPDX-License-Identifier: Apache-2.0
"""The grammar of the tools whose commands are printed, as far as these are used.

`aws` makes its grammar of the model that botocore ships, so that is asked. `az`, `gcloud` and
`kubectl` are written down here from their reference pages: what must be given, what may be.
"""

import functools
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from botocore import xform_name
from botocore.loaders import Loader

VARIABLE = re.compile(r"\$([A-Z_]+)")
_CAPTURED = re.compile(r"([A-Z_]+)=\$\((.*)\)", re.DOTALL)


class Wrong(AssertionError):
    """A line that its tool would refuse."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """One subcommand: how many words it takes, and its flags. `one_of`: exactly one of these."""

    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    words: int = 0
    one_of: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()
    values: dict[str, frozenset[str]] = field(default_factory=dict)
    repeated: frozenset[str] = frozenset()


def _flags(text: str) -> frozenset[str]:
    return frozenset(f"--{word}" for word in text.split())


_AZ = _flags("subscription query output only-show-errors debug verbose")
_GCLOUD = _flags("project format quiet verbosity account")
GRAMMARS = {
    "az cloud set": Grammar(_flags("name"), _flags("profile")),
    "az account show": Grammar(frozenset()),
    "az ad sp show": Grammar(_flags("id")),
    "az storage account keys list": Grammar(
        _flags("account-name"), _flags("resource-group expand-key-type")
    ),
    "az storage account network-rule list": Grammar(
        _flags("account-name"), _flags("resource-group")
    ),
    "az group list": Grammar(frozenset(), _flags("tag")),
    "az identity create": Grammar(_flags("name resource-group"), _flags("location tags")),
    "az identity show": Grammar(_flags("name resource-group")),
    "az identity federated-credential create": Grammar(
        _flags("name identity-name resource-group"),
        _flags("issuer subject audiences"),
        lists=_flags("audiences"),
    ),
    "az identity federated-credential list": Grammar(_flags("identity-name resource-group")),
    "az role assignment list": Grammar(
        frozenset(), _flags("assignee scope role resource-group"), switches=_flags("all")
    ),
    "az role assignment create": Grammar(
        _flags("role scope"),
        _flags("assignee-principal-type description condition name"),
        one_of=_flags("assignee assignee-object-id"),
        values={
            "--assignee-principal-type": frozenset(
                {"ForeignGroup", "Group", "ServicePrincipal", "User"}
            )
        },
    ),
    "gcloud iam workload-identity-pools create": Grammar(
        _flags("location"), _flags("description display-name"), words=1, switches=_flags("disabled")
    ),
    "gcloud iam workload-identity-pools list": Grammar(
        _flags("location"), _flags("filter limit"), switches=_flags("show-deleted")
    ),
    "gcloud iam workload-identity-pools providers create-oidc": Grammar(
        _flags("location workload-identity-pool attribute-mapping issuer-uri"),
        _flags("allowed-audiences attribute-condition description display-name jwk-json-path"),
        words=1,
        switches=_flags("disabled"),
    ),
    "gcloud iam workload-identity-pools providers list": Grammar(
        _flags("location workload-identity-pool"),
        _flags("filter limit"),
        switches=_flags("show-deleted"),
    ),
    "gcloud iam workload-identity-pools providers describe": Grammar(
        _flags("location workload-identity-pool"), words=1
    ),
    "gcloud iam workload-identity-pools create-cred-config": Grammar(
        _flags("output-file"),
        _flags(
            "service-account credential-source-type credential-source-field-name subject-token-type"
        ),
        words=1,
        one_of=_flags("aws azure credential-source-file credential-source-url executable-command"),
        values={"--credential-source-type": frozenset({"text", "json"})},
    ),
    "gcloud iam service-accounts keys list": Grammar(
        _flags("iam-account"), _flags("created-before managed-by filter limit")
    ),
    "gcloud storage buckets update": Grammar(
        frozenset(),
        words=1,
        switches=_flags("uniform-bucket-level-access no-uniform-bucket-level-access"),
    ),
    "gcloud iam service-accounts create": Grammar(
        frozenset(), _flags("description display-name"), words=1
    ),
    "gcloud iam service-accounts add-iam-policy-binding": Grammar(
        _flags("member role"), _flags("condition condition-from-file"), words=1
    ),
    "gcloud iam service-accounts get-iam-policy": Grammar(frozenset(), words=1),
    "gcloud storage buckets add-iam-policy-binding": Grammar(
        _flags("member role"), _flags("condition condition-from-file"), words=1
    ),
    "gcloud storage buckets get-iam-policy": Grammar(frozenset(), words=1),
    "gcloud projects describe": Grammar(frozenset(), words=1),
    "gcloud config get-value": Grammar(frozenset(), words=1),
    "kubectl create secret generic": Grammar(
        frozenset(),
        _flags("from-literal from-file dry-run output type"),
        words=1,
        repeated=_flags("from-literal from-file"),
    ),
    "kubectl get secret": Grammar(frozenset(), _flags("output"), words=1),
    "kubectl get": Grammar(_flags("raw")),
    "kubectl replace": Grammar(_flags("filename"), switches=_flags("force")),
    "kubectl patch lokistack": Grammar(
        _flags("patch"),
        _flags("type"),
        words=1,
        values={"--type": frozenset({"json", "merge", "strategic"})},
    ),
    "base64": Grammar(frozenset(), switches=_flags("decode")),
}
_SHORT = {"-o": "--output"}
"""Of all commands of `az`."""
_EVERYWHERE = {"az": _AZ, "gcloud": _GCLOUD, "aws": _flags("region endpoint-url query output")}


def check(line: str, known: Iterable[str] = ()) -> str | None:
    """Check one printed command; return the variable that it sets. Raises Wrong."""
    found = _CAPTURED.fullmatch(line)
    inner = found[2] if found else line
    words = shlex.split(inner.replace("\\\n", " "))
    if words[:1] == ["az"]:
        words = [_SHORT.get(word, word) for word in words]
    unset = {name for word in words for name in VARIABLE.findall(word)} - set(known)
    if unset:
        raise Wrong(f"nobody has set {unset}: {line}")
    while "|" in words:
        at = words.index("|")
        _check_words(words[:at], line)
        words = words[at + 1 :]
    _check_words(words, line)
    return found[1] if found else None


def _check_words(words: Sequence[str], line: str) -> None:
    if words[:1] == ["kubectl"] and words[1:2] == ["-n"]:
        words = [words[0], *words[3:]]
    if words[:1] == ["terraform"]:
        if words[1:3] != ["output", "-raw"] or len(words) != 4:
            raise Wrong(line)
        return
    plain = [word for word in words if not word.startswith("--")]
    names = (" ".join(plain[:count]) for count in range(len(plain), 0, -1))
    tool = words[0]
    if tool == "aws":
        name = " ".join(words[:3])
        grammar = _aws(words[1], words[2])
    else:
        name = next((name for name in names if name in GRAMMARS), "")
        if not name:
            raise Wrong(f"no such command: {line}")
        grammar = GRAMMARS[name]
    _check_flags(words[len(name.split()) :], grammar, _EVERYWHERE.get(tool, frozenset()), line)


def _check_flags(
    words: Sequence[str], grammar: Grammar, everywhere: frozenset[str], line: str
) -> None:
    taking = grammar.required | grammar.optional | grammar.one_of | everywhere
    seen: dict[str, list[str]] = {}
    positional = 0
    rest = list(words)
    while rest:
        flag, equals, value = rest.pop(0).partition("=")
        if not flag.startswith("--"):
            positional += 1
            continue
        if flag in seen and flag not in grammar.repeated:
            raise Wrong(f"{flag} twice: {line}")
        if flag not in taking | grammar.switches:
            raise Wrong(f"no flag {flag}: {line}")
        values = [value] if equals else []
        many = len(rest) if flag in grammar.lists else 1 - len(values)
        while flag in taking and many > 0 and rest and not rest[0].startswith("--"):
            values.append(rest.pop(0))
            many -= 1
        if flag in taking and not (values and all(values)):
            raise Wrong(f"{flag} says nothing: {line}")
        seen.setdefault(flag, []).extend(values)
    _check_sum(seen, positional, grammar, line)


def _check_sum(seen: dict[str, list[str]], positional: int, grammar: Grammar, line: str) -> None:
    missing = grammar.required - set(seen)
    if missing:
        raise Wrong(f"{missing} lacks: {line}")
    if grammar.one_of and len(grammar.one_of & set(seen)) != 1:
        raise Wrong(f"one of {grammar.one_of}: {line}")
    if positional != grammar.words:
        raise Wrong(f"{positional} words, not {grammar.words}: {line}")
    for flag, allowed in grammar.values.items():
        if not set(seen.get(flag, ())) <= allowed:
            raise Wrong(f"{flag} {seen[flag]}: {line}")


@functools.cache
def _aws(service: str, command: str) -> Grammar:
    model = Loader().load_service_model(service, "service-2")
    operation = next((n for n in model["operations"] if xform_name(n, "-") == command), None)
    if operation is None:
        raise Wrong(f"aws {service} knows no {command}")
    shape = model["shapes"][model["operations"][operation]["input"]["shape"]]
    flags = {name: f"--{xform_name(name, '-')}" for name in shape["members"]}
    kinds = {flags[n]: model["shapes"][m["shape"]]["type"] for n, m in shape["members"].items()}
    return Grammar(
        required=frozenset(flags[name] for name in shape.get("required", ())),
        optional=frozenset(flags.values()),
        lists=frozenset(flag for flag, kind in kinds.items() if kind == "list"),
    )


def check_script(script: str) -> None:
    """Check each command of a script: no comment, no document that it writes. Raises Wrong."""
    known: set[str] = set()
    text = re.sub(r"cat > \S+ <<'EOF'\n.*?\nEOF\n", "", script, flags=re.DOTALL)
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    for line in lines:
        if not line.startswith("#"):
            known |= {check(line.partition(" > ")[0], known) or ""}
