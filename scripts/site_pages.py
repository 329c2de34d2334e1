# SPDX-License-Identifier: Apache-2.0
"""What the docs' site has beside the pages of docs/, and how links lead there.

mkdocs calls the functions whose names begin with `on_`. A link out of docs/ leads to the page that
is made of that file; one to a file that the site does not have ends the build.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "SECURITY.md": "project/security.md",
    "LICENSE": "project/license.md",
    "examples": "examples.md",
}
"""Files of the repository, and the pages that are made of them."""
_LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)#\s]+)(?=[)#])")


class DeadLink(Exception):
    """A page leads to what is not there."""


def on_pre_build(**_: Any) -> None:
    """Find the dead links of all pages before any is made."""
    from mkdocs.exceptions import PluginError  # noqa: PLC0415 - is there for `make docs` alone

    dead = dead_links()
    if dead:
        raise PluginError("\n".join(dead))


def on_config(config: Any) -> Any:
    """Put the pages that are made from code, and the decisions, into the navigation."""
    config.nav = [_filled(entry) for entry in config.nav]
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are made of files outside of docs/."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - is there for `make docs` alone

    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=text_of(source)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let the links of docs/ that lead out of it lead to the pages that are made of those files."""
    if page.file.src_uri in OUTSIDE.values():
        return markdown  # its links were led when it was made
    return led(markdown, source=f"docs/{page.file.src_uri}", page=page.file.src_uri)


def dead_links() -> list[str]:
    """Return a sentence for each link of a page that leads nowhere, or out of the site."""
    pages = [*sorted((ROOT / "docs").rglob("*.md")), *(ROOT / name for name in OUTSIDE)]
    found = []
    for path in (path for path in pages if path.suffix == ".md"):
        source = str(path.relative_to(ROOT))
        try:
            led(path.read_text(), source=source, page=OUTSIDE.get(source, source[len("docs/") :]))
        except DeadLink as problem:
            found.append(str(problem))
    return found


def text_of(source: str) -> str:
    """Return the page that is made of a file outside of docs/."""
    if source == "examples":
        return "\n".join(["# Examples", *(_example(path) for path in _examples())])
    text = (ROOT / source).read_text()
    if source == "LICENSE":
        return f"# License\n\n```text\n{text}```\n"
    return led(text, source=source, page=OUTSIDE[source])


def led(text: str, *, source: str, page: str) -> str:
    """Return a text whose links are those of the site. Raises DeadLink."""

    def there(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link[1]))
        if not (ROOT / target).exists():
            raise DeadLink(f"{source} leads to {link[1]}, which is not there")
        place = OUTSIDE.get(target) or target.removeprefix("docs/")
        if place == target and not target.startswith("docs/"):
            raise DeadLink(f"{source} leads to {link[1]}, which the site does not have")
        return posixpath.relpath(place, posixpath.dirname(page) or ".")

    return _LINK.sub(there, text)


def _filled(entry: Any) -> Any:
    """Return an entry of the navigation; one that is a folder becomes its pages."""
    if not isinstance(entry, dict):
        return entry
    ((name, below),) = entry.items()
    return {name: folder(below)} if isinstance(below, str) and below.endswith("/") else entry


def folder(name: str) -> list[str]:
    """Return the pages of a folder of docs/, the overview first."""
    names = sorted(path.name for path in (ROOT / "docs" / name).glob("*.md"))
    return [f"{name}{each}" for each in sorted(names, key=lambda each: each != "README.md")]


def _examples() -> list[Path]:
    return sorted((ROOT / "examples").glob("*/*.yaml"))


def _example(path: Path) -> str:
    return f"\n## {path.relative_to(ROOT / 'examples')}\n\n```yaml\n{path.read_text()}```\n"
