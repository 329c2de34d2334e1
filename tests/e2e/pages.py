# SPDX-License-Identifier: Apache-2.0
"""The command blocks of the documents.

A block is fenced with ```sh. `<!-- exits 3 -->` before it says which exit code it has; any other
remark there is for the test that runs the page.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"(?:<!-- ([a-z0-9 ]+) -->\n)?```sh\n(.*?)```", re.DOTALL)


class Block(NamedTuple):
    """A command block, the exit code that it should have, and what is remarked on it."""

    text: str
    exits: int
    remark: str


def blocks(page: str) -> Iterator[Block]:
    """Yield a page's command blocks."""
    for remark, text in BLOCK.findall((ROOT / page).read_text()):
        code = remark.removeprefix("exits ")
        yield Block(text, int(code) if code.isdigit() else 0, remark)
