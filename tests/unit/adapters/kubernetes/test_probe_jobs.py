# SPDX-License-Identifier: Apache-2.0
"""What is taken of a probe's log: its links, and nothing where it is none."""

import pytest

from lokeys.adapters.kubernetes.probe_jobs import links_in
from lokeys.core.findings.link import Link
from lokeys.errors import NotReadable

REPORT = """\
a line before it
{"apiVersion": "lokeys.dev/v1", "kind": "ProbeReport", "links": [
  {"name": "dns", "ok": true, "detail": "10.0.0.1", "cause": null},
  {"name": "store", "ok": false, "detail": "put on loki", "cause": "access_key_unknown"},
  {"name": "odd", "ok": "yes", "detail": 3, "cause": 4}, 7]}
"""


def test_links_are_read_from_a_report() -> None:
    """Whatever stood before it; of odd ones what has the right type."""
    assert links_in(REPORT) == (
        Link(name="dns", ok=True, detail="10.0.0.1"),
        Link(name="store", ok=False, detail="put on loki", cause="access_key_unknown"),
        Link(name="odd", ok=None),
    )


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"kind": "Other"}', "lokeys: not found", "{" * 99_999]
)
def test_what_is_no_report_is_said(text: str) -> None:
    """An image without lokeys, for one."""
    with pytest.raises(NotReadable, match="ProbeReport"):
        links_in(text)
