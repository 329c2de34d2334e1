# SPDX-License-Identifier: Apache-2.0
"""Go templates are followed as far as their result depends on the fields alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lokeys.core.kubernetes.external_secrets.functions import LONGEST, decoded, encoded
from lokeys.core.kubernetes.external_secrets.template import (
    MAX_LENGTH,
    MAX_STEPS,
    NotFollowed,
    Variable,
    parsed,
    rendered,
)

FIELDS = {"id": "AK7", "key": " s/k+ \n", "a-b": "dashed", "packed": "QUs3", "empty": ""}


def result(template: str) -> str | None:
    """Return what a template makes of the fields."""
    parts = parsed(template)
    assert not isinstance(parts, NotFollowed), parts.why
    return rendered(parts, FIELDS.get)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param("{{ .id }}", "AK7", id="a field"),
        pytest.param("{{.id}}", "AK7", id="without blanks"),
        pytest.param("eu-west-1", "eu-west-1", id="a plain text"),
        pytest.param("{{ .id }}\n", "AK7\n", id="a block's newline stays"),
        pytest.param("x \n {{- .id -}} \n y", "xAK7y", id="trimmed on both sides"),
        pytest.param("{{/* why */}}{{ .id }}", "AK7", id="a comment"),
        pytest.param("{{ .id | toString }}", "AK7", id="toString"),
        pytest.param("{{ trim .key }}", "s/k+", id="a function before its field"),
        pytest.param("{{ .key | trim | upper }}", "S/K+", id="one after the other"),
        pytest.param("{{ .id | lower }}", "ak7", id="lower"),
        pytest.param('{{ index . "a-b" }}', "dashed", id="by index"),
        pytest.param('{{ (index . "a-b") | upper }}', "DASHED", id="in parentheses"),
        pytest.param('{{ index . "a-b" | trimPrefix "da" }}', "shed", id="trimPrefix"),
        pytest.param('{{ trimSuffix "7" .id }}', "AK", id="trimSuffix"),
        pytest.param('{{ trimAll "A7" .id }}', "K", id="trimAll"),
        pytest.param('{{ trimAll "" .id }}', "AK7", id="trimAll of nothing"),
        pytest.param('{{ .key | replace "\\n" "" }}', " s/k+ ", id="replace, with an escape"),
        pytest.param("{{ .key | replace ` ` `_` }}", "_s/k+_\n", id="raw texts"),
        pytest.param("{{ nospace .key }}", "s/k+", id="nospace"),
        pytest.param("{{ .id | b64enc }}", "QUs3", id="b64enc"),
        pytest.param("{{ .packed | b64dec }}", "AK7", id="b64dec"),
        pytest.param("{{ .key | b64dec }}", None, id="b64dec of what is none"),
        pytest.param("{{ .key | b64dec | upper }}", None, id="nothing after that"),
        pytest.param('{{ .empty | default "x" }}', "x", id="default of nothing"),
        pytest.param('{{ default "x" .id }}', "AK7", id="default of something"),
        pytest.param('{{ "x" | upper }}', "X", id="a function of a text"),
        pytest.param("{{ .none }}", None, id="a field that is not there"),
        pytest.param("s3://{{ .id }}:{{ .packed }}@h/b", "s3://AK7:QUs3@h/b", id="composed"),
    ],
)
def test_what_is_pure_is_computed(template: str, expected: str | None) -> None:
    """As Go and External Secrets' functions compute it; None where there is no result."""
    assert result(template) == expected


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ if .id }}x{{ end }}", "`if`"),
        ("{{ range . }}x{{ end }}", "`range`"),
        ("{{ .id | toJson }}", "the function `toJson`"),
        ('{{ printf "{{ .user }}" }}', "the function `printf`"),
        ("{{ $x := .id }}{{ $x }}", "a form"),
        ("{{ .id.sub }}", "a form"),
        ("{{ . }}", "a form"),
        ("{{ }}", "a form"),
        ("{{ .id", "a form"),
        ("{{ .id .key }}", "a form"),
        ("{{ .id | .key }}", "a form"),
        ("{{ (.id }}", "a form"),
        ("{{ " + "(" * 20 + ".id" + ")" * 20 + " }}", "a form"),
        ("{{ index .id }}", "`index`"),
        ('{{ .id | index "x" }}', "the function `index`"),
        ('{{ trim .id "x" }}', "other arguments"),
        ("{{ replace .id `a` .key }}", "a field where a text"),
        ('{{ "!" | b64dec }}', "no result"),
        ("{{ .id | " + "x" * 500 + " }}", "the function `" + "x" * 40 + "`"),
        ("x" * (MAX_LENGTH + 1), "too long"),
        ("{{ .id }}" * (MAX_STEPS + 1), "more than 64 fields and functions"),
        ("{{ .id" + " | upper" * MAX_STEPS + " }}", "more than 64 fields and functions"),
        (f'{{{{ replace "a" "{"b" * 20_000}" "{"a" * 20_000}" }}}}', "no result"),
    ],
)
def test_what_is_not_followed_says_why(template: str, why: str) -> None:
    """Never a guess; a name out of the template is quoted only in part."""
    found = parsed(template)
    assert isinstance(found, NotFollowed)
    assert why in found.why
    assert len(found.why) < 100


def test_a_template_that_blows_up_has_no_result() -> None:
    """A Secret could not hold it either."""
    long = "y" * (LONGEST // 2 + 1)
    blown = parsed('{{ .id | replace "" "12345678" | replace "" "12345678" }}')
    assert not isinstance(blown, NotFollowed)
    assert rendered(blown, {"id": "a" * (LONGEST // 8)}.get) is None
    trimmed = parsed("{{ .id | trim }}")
    assert not isinstance(trimmed, NotFollowed)
    assert rendered(trimmed, {"id": " " * (LONGEST + 1)}.get) is None
    twice = (Variable("id"), Variable("id"))
    assert rendered(twice, {"id": long}.get) is None


@given(st.binary())
def test_bytes_survive(value: bytes) -> None:
    """A value need not be UTF-8."""
    assert encoded(decoded(value)) == value


@given(st.text(alphabet='{}-|().$"`\\ \n.abindex/*'))
def test_no_text_breaks_the_parser(template: str) -> None:
    """Whatever stands in a manifest gives parts or a reason."""
    found = parsed(template)
    assert isinstance(found, tuple | NotFollowed)
    if "{{" not in template:
        assert found == ((template,) if template else ())
