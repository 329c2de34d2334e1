# SPDX-License-Identifier: Apache-2.0
"""The rules of all findings, one module a subject; `lokeys.core.findings.rules` has them by code.

Nothing is imported here: a command that needs a few rules does not wait for all.
"""
