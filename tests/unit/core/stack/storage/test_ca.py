# SPDX-License-Identifier: Apache-2.0
"""The CA that a stack trusts."""

from base64 import b64encode
from datetime import UTC, datetime

import pytest

from lokeys.core.place import Ref
from lokeys.core.stack.storage.ca import read_ca
from lokeys.core.text.certificates import behind_the_last, bodies, certificates, end_of_first
from unit.core.stack.storage.secrets import STACK

CA = Ref("ConfigMap", "ca", "logging")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
TO_2060 = """\
-----BEGIN CERTIFICATE-----
MIIBEjCBugIBAjAKBggqhkjOPQQDAjAVMRMwEQYDVQQDDApzdG9yYWdlLWNhMCAX
DTIwMDEwMTAwMDAwMFoYDzIwNjAwMTAxMDAwMDAwWjAVMRMwEQYDVQQDDApzdG9y
YWdlLWNhMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEwIiREacRwP3Upxsil+/6
lixLWTofVotRGe+5u0I+MlheGF2jvl6mHpO1E98N6abPUwF50wSXZ6/djXgcYoK/
LjAKBggqhkjOPQQDAgNHADBEAiALpyisbFmarsoPadXWldxt84EYV0ak/2TWUGrU
eeWQZgIgD0Ve/PXFSVtUGy3/UVVfk3NKPGo7VfblXVcDOEslS1o=
-----END CERTIFICATE-----
"""
IN_2020 = """\
-----BEGIN CERTIFICATE-----
MIIBETCBuAIBATAKBggqhkjOPQQDAjAVMRMwEQYDVQQDDApzdG9yYWdlLWNhMB4X
DTIwMDEwMTAwMDAwMFoXDTIxMDEwMTAwMDAwMFowFTETMBEGA1UEAwwKc3RvcmFn
ZS1jYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMCIkRGnEcD91KcbIpfv+pYs
S1k6H1aLURnvubtCPjJYXhhdo75eph6TtRPfDemmz1MBedMEl2ev3Y14HGKCvy4w
CgYIKoZIzj0EAwIDSAAwRQIgNwdHbsaVDG7l9XpiS54riVXXfPzHN8Zw8pZdy9Vw
kUUCIQCCgJyJw+zhTpDACu4HkMYlI+WdFHE6Oaw/Zumdaos/RA==
-----END CERTIFICATE-----
"""


def told(config_map: object, *, now: datetime = NOW) -> list[str]:
    found = read_ca(
        STACK,
        CA,
        key="ca.crt",
        config_map={"data": config_map},
        now=now,
    )
    assert {finding.fault for finding in found} <= {"bad_ca_configmap"}
    return [f"{finding.severity}: {finding.message}" for finding in found]


def test_a_sound_ca_is_not_complained_of() -> None:
    """Valid today, and with text before it, as tools write it."""
    assert told({"ca.crt": f"# our CA\n{TO_2060}"}) == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "is missing"),
        (["x"], "is missing"),
        ({}, "is missing"),
        ({"ca.pem": TO_2060}, "caKey 'ca.pem'"),
        ({"ca.crt": " "}, "is empty"),
        ({"ca.crt": 7}, "is empty"),
        ({"ca.crt": "no PEM"}, "holds no certificate"),
        ({"ca.crt": IN_2020}, "ended on 2021-01-01"),
        ({"ca.crt": TO_2060.replace("MII", "\u00e4")}, "cannot be read"),
        ({"ca.crt": IN_2020 + IN_2020}, "number 1 of 2, `storage-ca`, (and 1 more) that ended"),
    ],
)
def test_an_unusable_ca_is_told(data: object, said: str) -> None:
    """What is there instead of a certificate that is valid."""
    (message,) = told(data)
    assert message.startswith("error")
    assert said in message


def test_a_config_map_that_is_not_there_is_told() -> None:
    """With the command that makes it."""
    (finding,) = read_ca(STACK, CA, key="ca.crt", config_map=None, now=NOW)
    assert finding.fault == "missing_ca_configmap"
    assert "--from-file=ca.crt=" in str(finding.remedy[0].command)


def test_a_ca_that_is_not_yet_valid_is_told() -> None:
    """The day on which it begins is named."""
    (message,) = told({"ca.crt": TO_2060}, now=datetime(2019, 1, 1, tzinfo=UTC))
    assert "begins on 2020-01-01" in message


BROKEN = TO_2060.replace("MII", "AAA")
KEY = "-----BEGIN PRIVATE KEY-----\n"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (IN_2020, "number 2 of 2, `storage-ca`, that ended on 2021-01-01"),
        (BROKEN, "number 2 of 2 that cannot be read"),
        (BROKEN + BROKEN, "number 2 of 3 (and 1 more) that cannot be read"),
        (KEY, "holds a private key"),
    ],
)
def test_one_certificate_is_enough(more: str, said: str) -> None:
    """Go's pools pass over what they cannot read, and trust nothing that is over."""
    (message,) = told({"ca.crt": TO_2060 + more})
    assert message.startswith("warning")
    assert said in message


def test_nothing_is_harmless_without_a_certificate_that_is_valid() -> None:
    """Then each fault is an error."""
    messages = told({"ca.crt": IN_2020 + BROKEN + KEY})
    assert [each.partition(":")[0] for each in messages] == ["error"] * 3


def pem(der: bytes) -> str:
    body = b64encode(der).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n"


def element(tag: int, content: bytes) -> bytes:
    return bytes((tag, len(content))) + content


@pytest.mark.parametrize(
    "der", [b"", b"\x30", b"\x30\x05\x00", b"\x30\x82\xff\xff"], ids=["none", "a", "b", "c"]
)
def test_a_broken_certificate_is_none(der: bytes) -> None:
    """Truncated and hostile lengths end in one refusal."""
    assert list(certificates(pem(der))) == [None]


@pytest.mark.parametrize(
    ("tag", "text", "year"),
    [
        (0x17, b"500101000000Z", 1950),
        (0x17, b"491231235959Z", 2049),
        (0x18, b"20500101000000Z", 2050),
    ],
)
def test_the_century_of_two_digits(tag: int, text: bytes, year: int) -> None:
    """As RFC 5280 has it; this certificate says its version, too."""
    moments = element(0x30, element(tag, text) * 2)
    head = element(0xA0, b"\x02\x01\x02") + element(2, b"\x01") + element(0x30, b"") * 2
    der = element(0x30, element(0x30, head + moments))
    (found,) = certificates(pem(der))
    assert found is not None
    assert (found.start.year, found.name) == (year, "")


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        ([(b"\x55\x04\x0a", 0x0C, b"Example Ltd")], "Example Ltd"),
        ([(b"\x55\x04\x0a", 0x0C, b"Example"), (b"\x55\x04\x03", 0x13, b"Root")], "Root"),
        ([(b"\x55\x04\x03", 0x1E, "Würzel".encode("utf-16-be"))], "Würzel"),
        ([(b"\x55\x04\x03", 0x0C, b"a\x1b[31m")], "a?[31m"),
        ([(b"\x55\x04\x06", 0x13, b"DE")], ""),
        ([], ""),
    ],
)
def test_a_certificate_has_a_name(parts: list[tuple[bytes, int, bytes]], name: str) -> None:
    """The common name before the organization, printable whatever it holds."""
    pairs = [element(0x30, element(6, oid) + element(tag, text)) for oid, tag, text in parts]
    subject = element(0x30, b"".join(element(0x31, pair) for pair in pairs))
    moments = element(0x30, element(0x17, b"200101000000Z") * 2)
    fields = element(2, b"\x01") + element(0x30, b"") * 2 + moments + subject
    (found,) = certificates(pem(element(0x30, element(0x30, fields))))
    assert found is not None
    assert found.name == name


def test_a_time_of_another_kind_is_none() -> None:
    """Where the validity should be, something else stands."""
    moments = element(0x30, element(0x04, b"x") * 2)
    der = element(0x30, element(0x30, element(2, b"\x01") + element(0x30, b"") * 2 + moments))
    assert list(certificates(pem(der))) == [None]


@pytest.mark.parametrize(
    ("text", "year"),
    [
        (IN_2020, 2021),
        (TO_2060, 2060),
        ("key first\n" + TO_2060 + IN_2020, 2060),
        ("", None),
        (pem(b""), None),
        (IN_2020[:300] + "\n-----END CERTIFICATE-----\n", None),
    ],
    ids=["short form", "long form", "the first of several", "nothing", "garbage", "truncated"],
)
def test_end_of_the_first_certificate(text: str, year: int | None) -> None:
    """The end is read from both forms of time, and garbage gives none."""
    end = end_of_first(text)
    assert (end.year if end else None) == year


BEGIN, END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (BEGIN, []),
        (END, []),
        (END + BEGIN, []),
        (f"a{BEGIN}b{END}c{BEGIN}d{END}e", ["b", "d"]),
        (f"{BEGIN}a comment with the mark, {BEGIN}b{END}", ["b"]),
        (f"{BEGIN}b{END}{END}{BEGIN}", ["b"]),
    ],
    ids=["nothing", "begun", "ended", "the wrong way round", "two", "begun twice", "ended twice"],
)
def test_certificates_stand_between_their_marks(text: str, found: list[str]) -> None:
    """A mark without its partner makes no certificate, and hides none."""
    assert list(bodies(text)) == found


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("no mark", ""),
        (END, ""),
        (f"{END} \t\r\n", ""),
        (f"{END}\n\n", "\n"),
        (f"{END}x", "x"),
        (f"{END}x{END}\n# y", "# y"),
    ],
)
def test_what_stands_behind_the_last_certificate(text: str, rest: str) -> None:
    """The end of its own line does not count."""
    assert behind_the_last(text) == rest
