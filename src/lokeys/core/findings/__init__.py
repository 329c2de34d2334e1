# SPDX-License-Identifier: Apache-2.0
"""Findings and what they are made of: the catalogue, causes, store answers, reports."""
