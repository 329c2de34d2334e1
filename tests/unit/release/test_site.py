# SPDX-License-Identifier: Apache-2.0
"""The docs' site: every page is in it, and no link is dead. `make docs` also checks the anchors."""

from typing import Any

import pytest
import yaml

import site_pages
from lokeys.core.findings.pages import address_of
from lokeys.core.findings.rules import RULES

DOCS = site_pages.ROOT / "docs"


class _Loader(yaml.SafeLoader):
    """Reads mkdocs' own tag for variables."""


_Loader.add_constructor("!ENV", lambda *_: None)


@pytest.fixture
def navigation() -> list[str]:
    """All pages of the navigation, in order."""
    config = yaml.load((site_pages.ROOT / "mkdocs.yml").read_text(), Loader=_Loader)

    def pages(entry: Any) -> list[str]:
        if isinstance(entry, str):
            return site_pages.folder(entry) if entry.endswith("/") else [entry]
        if isinstance(entry, dict):
            return [page for below in entry.values() for page in pages(below)]
        return [page for each in entry for page in pages(each)]

    return pages(config["nav"])


def test_no_link_is_dead() -> None:
    """Each leads to a file that is there, and that the site has."""
    assert site_pages.dead_links() == []


@pytest.mark.parametrize("link", ["nowhere.md", "../../src/lokeys/__init__.py"])
def test_a_dead_link_is_found(link: str) -> None:
    """One to what is not there, and one to what the site does not have."""
    with pytest.raises(site_pages.DeadLink, match=r"docs/reference/x\.md leads to"):
        site_pages.led(f"[a]({link})", source="docs/reference/x.md", page="reference/x.md")


def test_links_out_of_docs_lead_to_their_pages() -> None:
    """A page of the repository's top has its place in the site; anchors are kept."""
    text = "[a](../../CHANGELOG.md#unreleased) [b](metrics.md) [c](https://example.com/x.md)"
    made = site_pages.led(text, source="docs/reference/x.md", page="reference/x.md")
    assert made == (
        "[a](../project/changelog.md#unreleased) [b](metrics.md) [c](https://example.com/x.md)"
    )


def test_every_page_is_in_the_navigation_once(navigation: list[str]) -> None:
    """Those of docs/, and those that are made of other files."""
    there = [str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")]
    assert sorted(navigation) == sorted([*there, *site_pages.OUTSIDE.values()])


def test_every_finding_links_to_a_page_of_the_site(navigation: list[str]) -> None:
    """The address of a finding is that of a page, once there is a site."""
    for code in RULES:
        address = address_of(code, site="https://x/")
        assert address is not None
        assert f"{address.removeprefix('https://x/').rstrip('/')}.md" in navigation
