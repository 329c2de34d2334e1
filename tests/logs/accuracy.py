# SPDX-License-Identifier: Apache-2.0
"""How often the first cause is right, on the cases that no rule was written from.

PYTHONPATH=tests python -m logs.accuracy             the table, from the held-out list alone
PYTHONPATH=tests python -m logs.accuracy CAUSE…      what is said of each case of these causes
PYTHONPATH=tests python -m logs.accuracy --development    the same table of the other list
"""

from __future__ import annotations

import sys
from collections import Counter

from logs.shapes import HERE, LogCase, listed
from lokeys.core.findings.doctor.reading import read
from lokeys.core.findings.doctor.verdict import causes_in_order

PAGE = HERE.parents[1] / "docs" / "reference" / "doctor.md"
SILENT = dict.fromkeys(
    (
        "endpoint_not_s3_api: a real Loki, captive-sdk",
        "endpoint_not_s3_api: a real Loki, captive-thanos",
    ),
    "a page with status 200 is a success to the client, and nothing is printed",
)
_HIDES = "the client hides the exchange"
_HANGS_UP = "this TLS server hangs up on plain http"
UNTOLD = SILENT | {
    "bucket_name_is_path: a real Loki, slash-sdk": "the path is signed otherwise than it is read",
    "endpoint_not_s3_api: a real Loki, 404-thanos": "any bare 404 is said to be no bucket",
    "no_credentials_in_chain: a real Loki, nothing-thanos": "requests are anonymous, and it is "
    "not said",
    "sts_trust_policy_denied: a real Loki, rgw-no-role-thanos": _HIDES,
    "sts_unreachable: a real Loki, closed-thanos": _HIDES,
    "token_file_unreadable: a real Loki, gone-thanos": _HIDES,
    "tls_scheme_mismatch: a real Loki, http-to-tls-sdk": _HANGS_UP,
    "tls_scheme_mismatch: a real Loki, http-to-tls-thanos": _HANGS_UP,
}
"""What a log alone cannot tell, and why: the first cause is never called certain."""
BEGIN, END = "<!-- accuracy -->", "<!-- end -->"


def ranked_causes(log: str) -> list[str]:
    """Return the causes that a log's findings name, the first explanation first."""
    return causes_in_order([read("log", [log.encode()])])


def table(cases: list[LogCase]) -> tuple[list[str], int, int]:
    """Return the rows by cause, how many cases, and how many were right first."""
    count: Counter[str] = Counter()
    first: Counter[str] = Counter()
    among: Counter[str] = Counter()
    false: Counter[str] = Counter()
    for case in cases:
        found = ranked_causes(case.log())
        count[case.cause] += 1
        first[case.cause] += found[:1] == [case.cause]
        among[case.cause] += case.cause in found[:3]
        if found[:1] not in ([], [case.cause]):
            false[found[0]] += 1
    rows = [
        f"| `{cause}` | {count[cause]} | {first[cause]} | {among[cause]} | {false[cause]} |"
        for cause in sorted({*count, *false})
    ]
    return rows, count.total(), first.total()


def main(arguments: list[str]) -> None:
    """Print the table, or the cases of some causes."""
    name = "development" if "--development" in arguments else "held out"
    wanted = [word for word in arguments if not word.startswith("-")]
    if wanted:
        for case in [c for each in ("development", "held out") for c in listed(each)]:
            if case.cause in wanted:
                print(f"{case.title}: {', '.join(ranked_causes(case.log())) or 'nothing'}")
        return
    text = page_table(name)
    if "--page" in arguments:
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")
    print(text)


def page_table(name: str) -> str:
    """Return the table of a list as the docs have it."""
    rows, total, right = table(listed(name))
    head = "| cause | cases | right first | right among three | named first wrongly |"
    said = f"{right} of {total} right first ({right / total:.1%})."
    untold = [f"- `{title.partition(':')[0]}`: {why}" for title, why in UNTOLD.items()]
    cannot = "A log alone cannot tell these; the first cause is then never called certain:"
    end = (said, "", cannot, "", *dict.fromkeys(untold))
    return "\n".join((head, "| --- | --: | --: | --: | --: |", *rows, "", *end))


if __name__ == "__main__":
    main(sys.argv[1:])
