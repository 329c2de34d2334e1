# SPDX-License-Identifier: Apache-2.0
"""The language of custom resources: from a schema come definition, check, defaults and docs."""
