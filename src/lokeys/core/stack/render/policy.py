# SPDX-License-Identifier: Apache-2.0
"""The roles of a static tenancy as a policy text, for pods of a gateway that reads them so.

lokeys' own gateway applies the same roles itself. While a stack is taken over, pods of the Loki
Operator's gateway still use a policy in this file: one that restarts before it is replaced must
find it. The text is Rego that old and new parsers (before and after version 1) both accept.
"""

from __future__ import annotations

POLICY_FILE = "lokistack-gateway.rego"
POLICY = """\
package lokistack

# Whether a role that the subject, or one of its groups, is bound to permits what is asked.
allow := gt(count([role |
    named := {["user", input.subject]} | {["group", group] | group := input.groups[_]}
    binding := data.roleBindings[_]
    subject := binding.subjects[_]
    named[[subject.kind, subject.name]]
    role := data.roles[_]
    role.name == binding.roles[_]
    role.tenants[_] == input.tenant
    role.permissions[_] == input.permission
    role.resources[_] == input.resource
]), 0)
"""
