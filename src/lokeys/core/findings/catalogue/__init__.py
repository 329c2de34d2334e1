# SPDX-License-Identifier: Apache-2.0
"""The rules of all findings, one module per subject; `lokeys.core.findings.rules` maps their codes.

Nothing is imported here, so that a command that needs a few rules does not load all of them.
"""
