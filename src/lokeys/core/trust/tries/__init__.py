# SPDX-License-Identifier: Apache-2.0
"""Tokens and keys tried link by link: when, by whose identity, and what the answers mean."""
