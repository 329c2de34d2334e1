# SPDX-License-Identifier: Apache-2.0
"""Where people read what a finding means: its page on the docs' site, or a command."""

from __future__ import annotations

SITE = ""
"""Where the pages of docs/ are served, with a slash at the end. A release may set it, only here."""


def address_of(code: str, *, site: str = SITE) -> str | None:
    """Return the address of a finding's page; None while there is no site."""
    return f"{site}reference/findings/{code}/" if site else None


def read_at(code: str, *, site: str = SITE) -> str:
    """Return where a person reads on: the address, or the command that prints the same."""
    return address_of(code, site=site) or f"lokeys explain {code}"
