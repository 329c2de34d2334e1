# SPDX-License-Identifier: Apache-2.0
"""What one record of a log means: a complaint of storage, a trouble of another kind, or nothing.

A record is judged by what the program itself says went wrong (`err`, else `msg`), never by the
queries, labels and streams that people put into it. Known messages come with and without their
error code, from the current client and the older one. What every start says (an empty ring, a
cluster seed that does not exist yet) is not a complaint, nor is trouble between Loki processes.
"""

from __future__ import annotations

from lokeys.core.findings.catalogue.complaints import COMPLAINTS
from lokeys.core.findings.complaint import Complaint, Voice
from lokeys.core.findings.doctor.lines import Line
from lokeys.core.findings.doctor.unrelated import UNRELATED, Unrelated
from lokeys.core.findings.doctor.word_index import WordIndex, words_of

_STORAGE_WORDS = (
    *("s3 object", "store put chunk", "failed to flush", "upload", "bucket", "object store"),
    *("cluster seed", "requesterror: send request failed", " s3:"),
    *("putobject", "getobject", "listobject", "deleteobject", "headobject"),
    *("azure", "blob.core", "storage.googleapis", "storage client", "objstore", "gcs object"),
    *(
        "list tables",
        "list rules",
        "syncing tables",
        "shipping failed",
        "table names cache",
        "init delete store",
        "fetching chunks",
        "tempodb",
        "poll blocklist",
    ),
)
_BETWEEN_LOKIS = "rpc error"
_COMPLAINTS = WordIndex(COMPLAINTS)
_UNRELATED = WordIndex(UNRELATED)


def judged(line: Line) -> Complaint | Unrelated | None:
    """Return what a record means; None where it says nothing of storage, or nothing known."""
    if line.quiet:
        return None
    said = line.said.lower()
    around = f" {line.component} {line.message} {said}".lower()
    words = words_of(around)
    silences = [each for each in _UNRELATED.candidates(words) if each.is_in(around)]
    always = next((each for each in silences if each.before_complaints), None)
    return always or _complaint(said, around, words) or next(iter(silences), None)


def _complaint(said: str, around: str, words: frozenset[str]) -> Complaint | None:
    about_storage = _BETWEEN_LOKIS not in said and any(word in around for word in _STORAGE_WORDS)
    return next(
        (
            row
            for row in _COMPLAINTS.candidates(words)
            if (row.said_by is not Voice.NETWORK or about_storage) and row.is_in(said, around)
        ),
        None,
    )
