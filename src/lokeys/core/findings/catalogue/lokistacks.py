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
    title="a field holds what it cannot hold",
    message="`{field}` is {found}; it must be {expected}",
    meaning="The value has another type than the resource asks for, or is outside its list.",
    why="The API server refuses it, or Loki would not start with what is made of it.",
    remedy=(Remedy(text="make `{field}` {expected}", command=_EDIT),),
    rank=20,
)
MISSING_FIELD = Rule(
    code="LK0202",
    fault="missing_field",
    title="a required field is missing",
    message="`{field}` is missing",
    meaning="The resource cannot do without this field.",
    why="Nothing can be made of a stack that does not say it.",
    remedy=(Remedy(text="add `{field}`", command=_EDIT),),
    rank=20,
)
UNKNOWN_SIZE = Rule(
    code="LK0203",
    fault="unknown_size",
    title="there is no such size",
    message="`spec.size` is {found}; it must be {expected}",
    meaning="A stack's size decides replicas, resources and limits, and comes from a fixed list.",
    why="Without a size there is nothing to deploy.",
    remedy=(Remedy(text="choose {expected}", command=_EDIT),),
    rank=20,
)
NO_SCHEMAS = Rule(
    code="LK0204",
    fault="no_schemas",
    title="the list of schemas is empty",
    message="`spec.storage.schemas` is an empty list",
    meaning="Loki must know how chunks and index are laid out from which day on.",
    why="Loki does not start without a schema.",
    remedy=(
        Remedy(text="name one schema: version v13, and a past date for a new stack", command=_EDIT),
    ),
    rank=20,
)
DATES_NOT_UNIQUE = Rule(
    code="LK0205",
    fault="dates_not_unique",
    title="two schemas begin on one day",
    message="`{field}` is {date}, and so is an earlier schema's",
    meaning="Each schema is in force from its date to the next one's.",
    why="Which of the two would be used is nobody's guess; data written with one is lost to both.",
    remedy=(Remedy(text="remove one of the two, or give it a date of its own", command=_EDIT),),
    rank=21,
)
BAD_DATE = Rule(
    code="LK0206",
    fault="bad_date",
    title="a schema's date is no date",
    message="`{field}` is {found}; a date is written as 2024-10-01",
    meaning="A schema begins at midnight UTC of a day of the calendar.",
    why="Without its date a schema has no place in the order.",
    remedy=(Remedy(text="write year, month and day, in quotes", command=_EDIT),),
    rank=21,
)
MISSING_VALID_START_DATE = Rule(
    code="LK0207",
    fault="missing_valid_start_date",
    title="no schema is in force yet",
    message="the earliest schema begins on {date}, which is still to come",
    meaning="All dates are in the future.",
    why="Loki has nowhere to put a line that comes before the first schema's day.",
    remedy=(Remedy(text="give the first schema a past date", command=_EDIT),),
    rank=22,
)
RETROACTIVELY_ADDED = Rule(
    code="LK0208",
    fault="retroactively_added",
    title="a schema is added for days that have begun",
    message="{version} from {date} is not among the applied schemas, and begins too soon",
    meaning="A schema may be added with two hours' notice before its midnight (UTC), not later.",
    why="Lines of that day are already written with another schema and would not be found again.",
    remedy=(
        Remedy(text="give it a date from {earliest} on", command=_EDIT),
        Remedy(text="see what is applied", command=_SHOW),
    ),
    rank=22,
)
RETROACTIVELY_REMOVED = Rule(
    code="LK0209",
    fault="retroactively_removed",
    title="a schema that is in use is removed",
    message="{version} from {date} is applied, and no longer in `spec.storage.schemas`",
    meaning="What was written with a schema can only be read with it.",
    why="All lines of its days would be lost to queries.",
    remedy=(Remedy(text="put {version} with date {date} back", command=_EDIT),),
    rank=22,
)
RETROACTIVELY_CHANGED = Rule(
    code="LK0210",
    fault="retroactively_changed",
    title="a schema that is in use is changed",
    message="the schema from {date} is applied as {applied}; the spec says {version}",
    meaning="What was written with one version cannot be read with another.",
    why="All lines of its days would be lost to queries.",
    remedy=(Remedy(text="put {applied} back; add {version} with a date to come", command=_EDIT),),
    rank=22,
)
UNSUPPORTED_FIELD = Rule(
    code="LK0211",
    severity=Severity.INFO,
    fault="unsupported_field",
    title="a field is not acted on",
    message="`{field}` is accepted; lokeys {detail}",
    meaning="The field does no harm, and nothing comes of it.",
    why="Who relies on it should know.",
    rank=80,
)
DUPLICATE_STACK = Rule(
    code="LK0212",
    severity=Severity.WARNING,
    fault="duplicate_stack",
    title="the same stack is given twice",
    message="{place} is given more than once{detail}",
    meaning="Two manifests have the same name in the same namespace.",
    why="Only one of them can be applied; the one that is applied last wins.",
    remedy=(Remedy(text="keep one of them"),),
    rank=60,
)
SHARED_BUCKET = Rule(
    code="LK0213",
    severity=Severity.WARNING,
    fault="shared_bucket",
    title="several stacks write to one bucket",
    message="{place} writes to {bucket}, like {others}",
    meaning="Loki keeps chunks under their tenant's name and the index under its day's: nothing in "
    "an object's name says which stack it is of.",
    why="Each stack's compactor takes itself for the only one: it rewrites the index that another "
    "writes, and deletes by its own retention. Tenants of one name are mixed.",
    remedy=(
        Remedy(
            text="give each stack a bucket of its own: what is written stays where it is",
            command=_EDIT,
        ),
    ),
    rank=61,
)
SHARED_NAMES = Rule(
    code="LK0214",
    fault="shared_names",
    title="two stacks need objects of one name",
    message="{place} and LokiStack {other} both need {objects}",
    meaning="A stack's objects are named by its name, a dash and a word. A stack whose own name "
    "ends in such a word can need names that another has: the gateway of `a-index` those of the "
    "index gateway of `a`, the stack `a-ruler` the account of the ruler of `a`.",
    why="An object can be only one stack's: the one that comes second is Degraded.",
    remedy=(
        Remedy(
            text="give one of the two another name, or a namespace of its own, as long as it "
            "is new: a stack cannot be renamed"
        ),
    ),
    rank=20,
)
TOO_LARGE = Rule(
    code="LK0215",
    fault="too_large",
    title="an object is too large to be judged",
    message="{place} is not judged: {found}; at most {expected}",
    meaning="A LokiStack, and what it names, may be written by anybody of its namespace, and the "
    "time that it takes to judge them grows with their size.",
    why="A stack that takes long to judge would keep all others waiting. lokeys leaves this one as "
    "it is until it is smaller.",
    remedy=(Remedy(text="remove what does not belong there, or make several stacks of it"),),
    rank=1,
)
REQUIRED_LABEL_DROPPED = Rule(
    code="LK0218",
    fault="required_label_dropped",
    title="a label that OpenShift needs would be dropped",
    message="`{field}` drops `{attribute}`, which must stay a label in `openshift-logging`",
    meaning="In this tenancy some of OpenTelemetry's attributes are labels of every stream. The "
    "cluster's console finds lines by them, and OpenShift decides by them who may read which.",
    why="Without the label the lines are found by nobody, or by the wrong people.",
    remedy=(Remedy(text="take `{attribute}` from the list", command=_EDIT),),
    rank=20,
)
LABEL_DROPPED = Rule(
    code="LK0219",
    severity=Severity.WARNING,
    fault="label_dropped",
    title="an attribute is dropped and a label at once",
    message="`{field}` speaks of `{attribute}`, which is both dropped and a label: it is dropped",
    meaning="What everybody's `otlp` says holds for each tenant, too. Loki takes the first rule "
    "that fits an attribute, and what is dropped stands first.",
    why="Queries by that label find nothing.",
    remedy=(Remedy(text="name `{attribute}` in one of the two lists", command=_EDIT),),
    rank=60,
)
