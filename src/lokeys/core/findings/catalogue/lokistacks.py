# SPDX-License-Identifier: Apache-2.0
"""LK02xx: a LokiStack's spec, and the periods of its storage schema."""

from __future__ import annotations

from lokeys.core.findings.finding import Remedy, Rule, Severity
from lokeys.core.text.shell import command

_EDIT = command("kubectl edit lokistack {name} -n {namespace}")
_SHOW = command(
    "kubectl get lokistack {name} -n {namespace} -o jsonpath={{.status.storage.schemas}}"
)

BAD_TYPE = Rule(
    code="LK0201",
    fault="bad_type",
    title="a field has an invalid value",
    message="`{field}` is {found}; it must be {expected}",
    meaning="The value has the wrong type, or is not one of the allowed values.",
    why="The API server refuses it, or Loki does not start with it.",
    remedy=(Remedy(text="set `{field}` to {expected}", command=_EDIT),),
    rank=20,
)
MISSING_FIELD = Rule(
    code="LK0202",
    fault="missing_field",
    title="a required field is missing",
    message="`{field}` is missing",
    meaning="The resource requires this field.",
    why="The stack cannot be deployed without it.",
    remedy=(Remedy(text="add `{field}`", command=_EDIT),),
    rank=20,
)
UNKNOWN_SIZE = Rule(
    code="LK0203",
    fault="unknown_size",
    title="unknown size",
    message="`spec.size` is {found}; it must be {expected}",
    meaning="A stack's size determines its replicas, resources and limits, and is one of a fixed "
    "list.",
    why="Without a valid size the stack cannot be deployed.",
    remedy=(Remedy(text="set it to {expected}", command=_EDIT),),
    rank=20,
)
NO_SCHEMAS = Rule(
    code="LK0204",
    fault="no_schemas",
    title="the list of schemas is empty",
    message="`spec.storage.schemas` is an empty list",
    meaning="A schema says how chunks and index are stored, from a given day on.",
    why="Loki does not start without a schema.",
    remedy=(
        Remedy(
            text="add a schema: version v13; for a new stack, with a date in the past",
            command=_EDIT,
        ),
    ),
    rank=20,
)
DATES_NOT_UNIQUE = Rule(
    code="LK0205",
    fault="dates_not_unique",
    title="two schemas start on the same day",
    message="`{field}` is {date}, the same as an earlier schema's",
    meaning="Each schema applies from its date until the date of the next one.",
    why="Which of the two is used is anybody's guess, and data written with one cannot be read "
    "with the other.",
    remedy=(Remedy(text="remove one of the two, or change its date", command=_EDIT),),
    rank=21,
)
BAD_DATE = Rule(
    code="LK0206",
    fault="bad_date",
    title="a schema's date is not valid",
    message="`{field}` is {found}; write a date as 2024-10-01",
    meaning="A schema starts at midnight UTC of a calendar day.",
    why="Without a valid date the order of the schemas is not known.",
    remedy=(Remedy(text="write the year, the month and the day, in quotes", command=_EDIT),),
    rank=21,
)
MISSING_VALID_START_DATE = Rule(
    code="LK0207",
    fault="missing_valid_start_date",
    title="no schema applies yet",
    message="the earliest schema starts on {date}, which is in the future",
    meaning="All schema dates are in the future.",
    why="Loki cannot store log lines from before the first schema's date.",
    remedy=(Remedy(text="set the first schema's date to a day in the past", command=_EDIT),),
    rank=22,
)
RETROACTIVELY_ADDED = Rule(
    code="LK0208",
    fault="retroactively_added",
    title="a schema is added for a day that has already started",
    message="{version} from {date} is not among the applied schemas, and starts too soon",
    meaning="Add a schema at least two hours before it starts, at midnight UTC.",
    why="Log lines of that day are already stored with another schema and could no longer be read.",
    remedy=(
        Remedy(text="set its date to {earliest} or later", command=_EDIT),
        Remedy(text="to see the applied schemas", command=_SHOW),
    ),
    rank=22,
)
RETROACTIVELY_REMOVED = Rule(
    code="LK0209",
    fault="retroactively_removed",
    title="a schema in use was removed",
    message="{version} from {date} is applied, but no longer in `spec.storage.schemas`",
    meaning="Data written with a schema can only be read with that schema.",
    why="Queries would not find any log lines of its days.",
    remedy=(Remedy(text="add {version} with date {date} again", command=_EDIT),),
    rank=22,
)
RETROACTIVELY_CHANGED = Rule(
    code="LK0210",
    fault="retroactively_changed",
    title="a schema in use was changed",
    message="the schema from {date} is applied as {applied}, but the spec says {version}",
    meaning="Data written with one version cannot be read with another.",
    why="Queries would not find any log lines of its days.",
    remedy=(
        Remedy(
            text="set it back to {applied}; to use {version}, add it with a future date",
            command=_EDIT,
        ),
    ),
    rank=22,
)
UNSUPPORTED_FIELD = Rule(
    code="LK0211",
    severity=Severity.INFO,
    fault="unsupported_field",
    title="lokeys does not act on a field",
    message="`{field}` is accepted, but lokeys {detail}",
    meaning="The field is allowed and has no effect.",
    why="If you rely on it, you should know.",
    rank=80,
)
DUPLICATE_STACK = Rule(
    code="LK0212",
    severity=Severity.WARNING,
    fault="duplicate_stack",
    title="the same stack is given twice",
    message="{place} is given more than once{detail}",
    meaning="Two manifests have the same name and the same namespace.",
    why="Only one of them can exist; the one applied last replaces the other.",
    remedy=(Remedy(text="keep one of them"),),
    rank=60,
)
SHARED_BUCKET = Rule(
    code="LK0213",
    severity=Severity.WARNING,
    fault="shared_bucket",
    title="several stacks write to the same bucket",
    message="{place} writes to {bucket}, shared with {others}",
    meaning="Loki stores chunks under the tenant's name and the index under the day. An object's "
    "name does not show which stack wrote it.",
    why="Each stack's compactor assumes that it is the only one: it rewrites the index that the "
    "others write, and deletes by its own retention. Tenants with the same name are mixed.",
    remedy=(
        Remedy(
            text="give each stack its own bucket; existing data stays where it is",
            command=_EDIT,
        ),
    ),
    rank=61,
)
SHARED_NAMES = Rule(
    code="LK0214",
    fault="shared_names",
    title="two stacks need objects of the same name",
    message="{place} and LokiStack {other} both need {objects}",
    meaning="A stack's objects are named after the stack, a hyphen and a word. If a stack's own "
    "name ends in such a word, it can need the names of another: the gateway of `a-index` those "
    "of the index gateway of `a`, the stack `a-ruler` the service account of the ruler of `a`.",
    why="An object can belong to only one stack: the second one becomes Degraded.",
    remedy=(
        Remedy(
            text="recreate the newer of the two under another name or in another namespace: a "
            "stack cannot be renamed"
        ),
    ),
    rank=20,
)
TOO_LARGE = Rule(
    code="LK0215",
    fault="too_large",
    title="an object is too large to be checked",
    message="{place} was not checked: {found}; at most {expected}",
    meaning="Anyone in the namespace can write a LokiStack and what it references, and the time "
    "it takes to check them grows with their size.",
    why="A stack that takes long to check would delay all others. lokeys leaves this one as it is "
    "until it is smaller.",
    remedy=(Remedy(text="remove what does not belong there, or split it into several stacks"),),
    rank=1,
)
REQUIRED_LABEL_DROPPED = Rule(
    code="LK0218",
    fault="required_label_dropped",
    title="a label that OpenShift needs would be dropped",
    message="`{field}` drops `{attribute}`, which must remain a label in `openshift-logging`",
    meaning="In this tenancy mode some OpenTelemetry attributes are labels of every stream. The "
    "cluster's console finds log lines by them, and OpenShift uses them to decide who may read "
    "what.",
    why="Without the label nobody finds the lines, or the wrong people do.",
    remedy=(Remedy(text="remove `{attribute}` from the list", command=_EDIT),),
    rank=20,
)
LABEL_DROPPED = Rule(
    code="LK0219",
    severity=Severity.WARNING,
    fault="label_dropped",
    title="an attribute is both dropped and used as a label",
    message="`{field}` has `{attribute}` both as a label and to be dropped: it is dropped",
    meaning="The global `otlp` settings apply to each tenant, too. Loki uses the first rule that "
    "matches an attribute, and the rules that drop come first.",
    why="Queries by that label find nothing.",
    remedy=(Remedy(text="keep `{attribute}` in one of the two lists", command=_EDIT),),
    rank=60,
)
