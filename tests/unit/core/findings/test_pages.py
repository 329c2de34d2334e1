# SPDX-License-Identifier: Apache-2.0
"""Where people are sent to read what a finding means."""

from lokeys.core.findings.pages import SITE, address_of, read_at


def test_with_a_site_it_is_the_findings_page() -> None:
    """The address is that of the page which the site makes of docs/reference/findings/."""
    site = "https://docs.example/lokeys/"
    address = "https://docs.example/lokeys/reference/findings/LK0401/"
    assert address_of("LK0401", site=site) == read_at("LK0401", site=site) == address


def test_without_one_it_is_the_command() -> None:
    """Nobody is sent to an address at which nothing is; the repository sets none."""
    assert SITE == ""
    assert address_of("LK0401") is None
    assert read_at("LK0401") == "lokeys explain LK0401"
