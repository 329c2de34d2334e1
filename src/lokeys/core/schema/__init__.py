# SPDX-License-Identifier: Apache-2.0
"""The schema language of custom resources: definition, check, defaults and docs come from it."""
