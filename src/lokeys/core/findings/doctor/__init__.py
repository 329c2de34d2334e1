# SPDX-License-Identifier: Apache-2.0
"""What a log says about the storage: from bytes to findings.

bytes ──▶ lines that are not quiet ──▶ records ──▶ judgements ──▶ tally ──▶ findings
        (`reading`)              (`layouts`)  (`judging`)  (`tally`)   (`verdict`)
"""
