# SPDX-License-Identifier: Apache-2.0
"""The real Loki reads each text of a spec as it was meant, after it has expanded variables."""

import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lokeys.core.stack.render.render import RenderOptions, render
from lokeys.core.stack.resource.model import Limits, Retention, RetentionStream
from manifests.lokistack import NOW, Choice
from manifests.selectors import REFUSED, TAKEN

SIGNS = "\\/$\"'`{}#:-&*!|>%@, \tnrx0é√😀\u2028\u0007"
TEXTS = st.text(st.sampled_from(SIGNS) | st.characters(exclude_categories=["Cs"]), min_size=1)
PATTERNS = (r"a\.b", r"\d+\\\d", "x$", r"\$\{HOME\}", r"[^\\]\/", 'say "x"', "é|√")
SELECTORS = (r"{app=~`web\.api`}", r'{app=~"web\\.api|a$"}', r"{a=`\`, b=~`\\\\`}", '{a="$$"}')
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "k'e\"y: #\\ $$y ${HOME}", "AWS_ACCESS_KEY_SECRET": "secret"}


def read_by(loki: Path, folder: Path, limits: Limits) -> dict[str, Any]:
    """Return the configuration that Loki prints when it has read ours."""
    stack, storage = Choice().read()
    objects = render(replace(stack, limits=limits), storage, options=RenderOptions(now=NOW))
    (data,) = (o["data"] for o in objects if o["metadata"]["name"] == "my-stack-config")
    file = folder / "config.yaml"
    file.write_text(data["config.yaml"])
    words = ("-config.expand-env=true", "-print-config-stderr", "-verify-config")
    done = subprocess.run(
        [loki, "-target=ingester", f"-config.file={file}", *words],
        env=CREDENTIALS,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    printed = done.stderr.partition("# Loki Config")[2].rpartition("\n\nlevel=")[0]
    found: dict[str, Any] = yaml.load(printed, Loader=yaml.CSafeLoader)
    return found


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.sets(TEXTS, min_size=1, max_size=40))
def test_any_text_is_read_as_it_was_written(
    loki_binary: Path, tmp_path: Path, texts: set[str]
) -> None:
    """Backslashes, dollars, quotes, line ends and signs of any alphabet: names are free text."""
    dropped = {"drop": {"logAttributes": [{"name": text} for text in texts]}}
    config = read_by(loki_binary, tmp_path, Limits(otlp=dropped))
    (rule,) = config["limits_config"]["otlp_config"]["log_attributes"]
    assert rule == {"action": "drop", "attributes": sorted(texts)}


@pytest.mark.parametrize("selector", SELECTORS)
def test_a_selector_of_retention_is_read_as_it_was_written(
    loki_binary: Path, tmp_path: Path, selector: str
) -> None:
    """Also between backquotes, where a backslash is one."""
    retention = Retention(days=9, streams=(RetentionStream(selector=selector, days=2),))
    config = read_by(loki_binary, tmp_path, Limits(retention=retention))
    (stream,) = config["limits_config"]["retention_stream"]
    assert stream["selector"] == selector


@pytest.mark.parametrize("selector", [*TAKEN, *REFUSED])
def test_loki_takes_and_refuses_what_we_do(
    loki_binary: Path, tmp_path: Path, selector: str
) -> None:
    """With a selector that it refuses it ends before it starts."""
    stack, storage = Choice().read()
    retention = Retention(days=9, streams=(RetentionStream(selector=selector, days=2),))
    limits = replace(stack, limits=Limits(retention=retention))
    objects = render(limits, storage, options=RenderOptions(now=NOW))
    (data,) = (o["data"] for o in objects if o["metadata"]["name"] == "my-stack-config")
    file = tmp_path / "config.yaml"
    file.write_text(data["config.yaml"])
    words = ("-target=compactor", f"-config.file={file}", "-config.expand-env=true")
    done = subprocess.run(
        [loki_binary, *words, "-verify-config"],
        env=CREDENTIALS,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode == 0) is (selector in TAKEN), done.stderr[-500:]
    assert selector in TAKEN or "invalid labels matchers" in done.stderr


def test_patterns_and_credentials_are_read_as_they_were_written(
    loki_binary: Path, tmp_path: Path
) -> None:
    """Loki compiles the patterns; a credential keeps its own signs, and is expanded once."""
    labels = {"resourceAttributes": [{"name": each, "regex": True} for each in PATTERNS]}
    config = read_by(loki_binary, tmp_path, Limits(otlp={"streamLabels": labels}))
    rules = config["limits_config"]["otlp_config"]["resource_attributes"]["attributes_config"]
    assert [rule["regex"] for rule in rules if rule.get("regex")] == list(PATTERNS)
    assert config["distributor"]["otlp_config"] == {
        "default_resource_attributes_as_index_labels": []
    }
    store = config["storage_config"]["object_store"]["s3"]
    assert store["access_key_id"] == CREDENTIALS["AWS_ACCESS_KEY_ID"]
