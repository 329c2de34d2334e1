# SPDX-License-Identifier: Apache-2.0
"""Writes what is made from code: the CRD, the roles in deploy/, and much of docs/reference/.

    python scripts/generate.py           write them
    python scripts/generate.py --check   write nothing; exit 1 and say which are out of date

In a page, what stands between `<!-- generated: NAME -->` and `<!-- end -->` is made here; the rest
is written by hand.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from finding_pages import finding_pages
from lokeys import __version__
from lokeys.core.place import Ref
from lokeys.core.rbac import (
    Account,
    Grant,
    RouteFacts,
    StackWish,
    all_stacks_grants,
    all_stacks_roles,
    collect_grants,
    doctor_grants,
    doctor_roles,
    operator_grants,
    operator_roles,
    probe_grants,
    route_grants,
    stack_grants,
)
from lokeys.core.rbac.issuer import issuer_grants
from lokeys.core.route.model import PairKeys, RgwAdmin, RgwSource, RookSource, SecretRef
from lokeys.core.route.receipts.schema import RECEIPT
from lokeys.core.route.resource.crd import crd
from lokeys.core.route.resource.parse import parse
from lokeys.core.route.resource.schema import SPEC
from lokeys.core.route.resource.status_schema import STATUS
from lokeys.core.schema.definition import Node, node
from lokeys.core.schema.language import Fields
from lokeys.core.stack.render.sizes import INGESTION, replicas, replication_factor, requests
from lokeys.core.stack.resource.crd import crd as lokistack_crd
from lokeys.core.stack.resource.fields.spec import SPEC as STACK_SPEC
from lokeys.core.stack.resource.fields.template import TEMPLATE_NAMES
from lokeys.core.stack.resource.model import API_VERSION, Component, LokiStack, Size
from lokeys.core.stack.resource.parse import parse as parse_stack
from lokeys.core.stack.storage.fields import KEYS
from lokeys.operator.metric_names import METRICS

ROOT = Path(__file__).parent.parent
HEADER = (
    "# SPDX-License-Identifier: Apache-2.0\n"
    "# Made by scripts/generate.py from the code: change it there.\n"
)
_PART = re.compile("(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->\n)", re.DOTALL)
_LONG = 80
_PAGES = (
    "storagecredential.md",
    "history.md",
    "lokistack.md",
    "permissions.md",
    "metrics.md",
    "validate.md",
)


class _Dumper(yaml.SafeDumper):
    """Long and many-lined texts as blocks, which a person can read."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else ">" if len(value) > _LONG else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def manifest(*objects: dict[str, Any]) -> str:
    """Return objects as a file of deploy/."""
    documents = (
        yaml.dump(each, Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True)
        for each in objects
    )
    return HEADER + "---\n" + "---\n".join(documents)


def _kept(definition: dict[str, Any]) -> dict[str, Any]:
    """Return a definition that says whose it is, and that Helm keeps when it uninstalls the chart.

    With a definition every object of its kind would go.
    """
    release = __version__.partition(".dev")[0]
    marks = {"helm.sh/resource-policy": "keep", "lokeys.dev/version": release}
    return {**definition, "metadata": {**definition["metadata"], "annotations": marks}}


def fields(shape: Fields, path: str) -> str:
    """Return a table of all fields below `shape`."""
    rows = ["| Field | Form | What it says |", "| --- | --- | --- |"]
    rows += (
        f"| `{name}` | {_form(below, required=required)} | {_cell(_what(below))} |"
        for name, below, required in _walk(node(shape), path)
    )
    return "\n".join(rows)


def _walk(schema: Node, path: str, closed: Container[str] = ()) -> Iterator[tuple[str, Node, bool]]:
    """Yield all fields below one, each with its path; but none that are below `closed` ones."""
    for name, field in schema.get("properties", {}).items():
        below = f"{path}.{name}"
        yield below, field, name in schema.get("required", ())
        if below not in closed:
            mark = "[]" if "items" in field else ""
            yield from _walk(field.get("items", field), below + mark, closed)


def stack_sizes() -> str:
    """Return a table of what each size makes: pods and what each requests, and limits."""
    rows = [["", *(size.value for size in Size)], ["---"] * (1 + len(Size))]
    rows += ([part.value, *(_pods(size, part) for size in Size)] for part in Component)
    rows.append(["copies of a line", *(str(replication_factor(_stack_of(s))) for s in Size)])
    limits = {"ingestionRate": "MB/s", "ingestionBurstSize": "MB at once"}
    for name, unit in limits.items():
        rows.append([unit, *(str(INGESTION[size][name]) for size in Size)])
    streams = (INGESTION[size]["maxGlobalStreamsPerTenant"] or "any number" for size in Size)
    rows.append(["streams of a tenant", *map(str, streams)])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _pods(size: Size, component: Component) -> str:
    asked = requests(size, component)
    count = replicas(_stack_of(size), component)
    if asked is None:
        return str(count)
    form = asked.manifest()
    return f"{count}: {form['cpu']}, {form['memory']}"


def _stack_of(size: Size) -> LokiStack:
    return LokiStack(
        name="a", namespace="a", size=size, schemas=(), storage_secret_name="a",
        storage_type="s3", storage_class_name="a",
    )  # fmt: skip


def stack_fields() -> str:
    """Return a table of a LokiStack's fields, and which of them lokeys acts on."""
    rows = ["| Field | Form | What it says | Acted on |", "| --- | --- | --- | --- |"]
    closed = {*_ALIKE, "spec.template.ingester.podAntiAffinity"}
    for name, field, required in _walk(node(STACK_SPEC), "spec", closed):
        acted_on = "no" if "x-kubernetes-preserve-unknown-fields" in field else "yes"
        acted_on = _PARTLY.get(name, acted_on)
        form = _form(field, required=required)
        what = "" if acted_on == "no" else _cell(_ALIKE.get(name, field["description"]))
        rows.append(f"| `{name}` | {form} | {what} | {acted_on} |")
    return "\n".join(rows)


_ALIKE = {
    "spec.limits.tenants": "For single tenants, by their ids: as `spec.limits.global`, and "
    "`queries.blocked` beside; goes before what holds for all.",
    **{
        f"spec.template.{name}": "As `spec.template.ingester`."
        for name in TEMPLATE_NAMES
        if name != "ingester"
    },
}
_PARTLY = {
    "spec.replication.zones": "yes; some labels [with help](#zones)",
    "spec.template.compactor": "yes, but for `replicas`: there is one",
    "spec.tenants.authentication": "in `static` and `dynamic`",
    "spec.tenants.authorization.opa": "in `dynamic`",
    "spec.tenants.authorization.roles": "in `static`",
    "spec.tenants.authorization.roleBindings": "in `static`",
    "spec.tenants.openshift": "in `openshift-logging` and `openshift-network`",
    "spec.tenants.passthrough": "in `passthrough`",
}


def _form(field: Node, *, required: bool) -> str:
    words = {"object": "object", "array": "list", "string": "text", "integer": "number"}
    if "enum" in field:
        form = " \\| ".join(f"`{value}`" for value in field["enum"])
    elif field.get("format") == "date-time":
        form = "time"
    else:
        form = words.get(field["type"], "`true` \\| `false`")
    form += _bounds(field)
    if required:
        return f"{form}, **required**"
    default = field.get("default")
    if default is None or isinstance(default, dict):
        return form
    shown = str(default).lower() if isinstance(default, bool) else default
    return f"{form}, default `{shown}`"


def _bounds(field: Node) -> str:
    if "maxItems" in field:
        return f", {field['maxItems']} at most"
    if "minimum" in field and "maximum" in field:
        return f", {field['minimum']} to {field['maximum']}"
    if "maxLength" in field and field.get("format") != "date-time":
        return f", {max(field['minLength'], 0)} to {field['maxLength']} characters"
    return ""


def _what(field: Node) -> str:
    rules = [rule["message"] for rule in field.get("x-kubernetes-validations", ())]
    return " ".join([field["description"], *(f"*{rule[0].upper()}{rule[1:]}.*" for rule in rules)])


def rules(shape: Fields) -> str:
    """Return the rules of `shape` itself as a list."""
    return "\n".join(f"- {rule.message[0].upper()}{rule.message[1:]}." for rule in shape.rules)


def rights(grants: Iterable[Grant]) -> str:
    """Return a table of rights with their reasons."""
    rows = ["| Where | What | May | Why |", "| --- | --- | --- | --- |"]
    for grant in grants:
        kind = f"{grant.resource}.{grant.group}" if grant.group else grant.resource
        named = f" {', '.join(f'`{name}`' for name in grant.names)}" if grant.names else ""
        where = f"`{grant.namespace}`" if grant.namespace else "everywhere"
        verbs = ", ".join(grant.verbs)
        rows.append(f"| {where} | {kind}{named} | {verbs} | {_cell(grant.why)} |")
    return "\n".join(rows)


def metrics() -> str:
    """Return a table of the metrics."""
    rows = ["| Metric | Kind | Labels | What it says |", "| --- | --- | --- | --- |"]
    for metric in METRICS:
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append(f"| `{metric.name}` | {metric.kind} | {labels} | {_cell(metric.help)} |")
    return "\n".join(rows)


def storage_keys() -> str:
    """Return a table of the data keys that each store reads in each mode."""
    rows = ["| Type | Mode | Required | Optional |", "| --- | --- | --- | --- |"]
    for (kind, mode), keys in KEYS.items():
        required, optional = (
            ", ".join(f"`{key}`" for key in names) for names in (keys.required, keys.optional)
        )
        rows.append(f"| {kind.value} | {mode.value} | {required} | {optional} |")
    return "\n".join(rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _example() -> list[Grant]:
    """Return the rights of the example on the StorageCredential's page."""
    page = (ROOT / "docs/reference/storagecredential.md").read_text()
    found = re.search("```yaml\n(.*?)```", page, re.DOTALL)
    spec = parse(yaml.safe_load(found[1] if found else ""))
    known = RouteFacts(
        key_secrets=("rook-ceph-object-user-storage-loki",),
        generated=True,
        secret_store=Ref("SecretStore", "onepassword", spec.namespace),
        bridge=True,
    )
    return list(route_grants(spec, known=known))


def _issuing() -> list[Grant]:
    """Return the further rights for giving keys to the example's user, and to one of RGW's own."""
    rook = RookSource(user="loki", namespace="storage")
    keys = PairKeys(access_key_id="accessKey", secret_access_key="secretKey")
    admin = RgwAdmin(endpoint="http://rgw", secret=SecretRef(name="rgw-admin", keys=keys))
    return [*issuer_grants(rook), *issuer_grants(RgwSource(uid="loki", admin=admin))]


def _stack_example() -> tuple[Grant, ...]:
    """Return the rights of a plain stack, and of one that may try its tokens."""
    stack, faults = parse_stack(
        {
            "apiVersion": API_VERSION,
            "kind": "LokiStack",
            "metadata": {"name": "my-stack", "namespace": "logging"},
            "spec": {
                "size": "1x.small",
                "storageClassName": "fast",
                "storage": {"secret": {"name": "loki-bucket", "type": "s3"}},
            },
        }
    )
    if stack is None:
        raise ValueError(faults)
    return stack_grants(stack, StackWish(tokens=True))


def parts() -> dict[str, str]:
    """Return the generated parts of pages, by their names."""
    return {
        "spec": fields(SPEC, "spec"),
        "spec-rules": rules(SPEC),
        "status": fields(STATUS, "status"),
        "receipt": fields(RECEIPT, "receipts[]"),
        "operator-rights": rights(operator_grants(Account())),
        "doctor-rights": rights(doctor_grants(Account())),
        "collect-rights": rights(collect_grants("monitoring")),
        "probe-rights": rights([*probe_grants("monitoring")]),
        "route-rights": rights(_example()),
        "issuer-rights": rights(_issuing()),
        "stack-rights": rights(_stack_example()),
        "all-stacks-rights": rights(all_stacks_grants(StackWish())),
        "metrics": metrics(),
        "storage-keys": storage_keys(),
        "stack-fields": stack_fields(),
        "stack-sizes": stack_sizes(),
    }


def files() -> dict[Path, str]:
    """Return all generated files: where, and what must stand there."""
    doctor = Account(name="lokeys-doctor")
    made = {
        ROOT / "deploy/chart/files/crd/storagecredentials.yaml": manifest(_kept(crd())),
        ROOT / "deploy/chart/files/lokistack-crd/lokistacks.yaml": manifest(_kept(lokistack_crd())),
        ROOT / "deploy/chart/files/rbac/operator.yaml": manifest(*operator_roles()),
        ROOT / "deploy/chart/files/all-stacks/roles.yaml": manifest(*all_stacks_roles()),
        ROOT / "deploy/doctor-cronjob/rbac.yaml": manifest(*doctor_roles(doctor)),
    }
    made |= finding_pages()
    known = parts()
    for name in _PAGES:
        page = ROOT / "docs/reference" / name
        made[page] = _PART.sub(
            lambda part: f"{part[1]}{known[part[2]]}\n{part[3]}", page.read_text()
        )
    return made


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` say which differ."""
    stale = [
        (path, text)
        for path, text in files().items()
        if not path.exists() or path.read_text() != text
    ]
    for path, text in stale:
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")
        if arguments != ["--check"]:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
    if stale and arguments == ["--check"]:
        sys.stdout.write("out of date: run python scripts/generate.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
