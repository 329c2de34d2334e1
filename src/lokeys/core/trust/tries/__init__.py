# SPDX-License-Identifier: Apache-2.0
"""Tokens and keys tested link by link: when, with whose identity, and what the answers mean."""
