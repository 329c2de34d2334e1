# SPDX-License-Identifier: Apache-2.0
"""What is read of a configuration before it is replaced."""

from typing import Any

import pytest

from fakes.stacks import StackWorld
from lokeys.core.operate.course import plan
from lokeys.operator.stack_schemas import schemas_in
from manifests.lokistack import Choice

APPLIED = [{"version": "v13", "effectiveDate": "2024-10-01"}]
OWNED: dict[str, Any] = {"f:data": {"f:config.yaml": {}}}


def stored(text: str, *, manager: str = "lokeys") -> dict[str, Any]:
    """Return a configuration that a field manager has applied."""
    entry = {"manager": manager, "operation": "Apply", "fieldsType": "FieldsV1", "fieldsV1": OWNED}
    return {"metadata": {"managedFields": [entry]}, "data": {"config.yaml": text}}


def rendered() -> str:
    """Return the configuration as it is rendered."""
    intents = plan(StackWorld(Choice()).snapshot())
    assert intents
    (config,) = (each for each in intents if each.ref.name == "my-stack-config")
    text: str = config.manifest["data"]["config.yaml"]
    return text


def test_the_schemas_of_our_own_configuration_are_read() -> None:
    """Version and day of each, as a status names them."""
    world = StackWorld(Choice())
    wanted = world.spec["storage"]["schemas"]
    assert schemas_in(stored(rendered())) == wanted


@pytest.mark.parametrize(
    "config_map",
    [
        pytest.param(stored(rendered(), manager="manager"), id="somebody else's"),
        pytest.param(stored("nonsense"), id="no mapping"),
        pytest.param(stored("{"), id="no YAML"),
        pytest.param(stored("schema_config: {}"), id="no schemas"),
        pytest.param({"metadata": {}}, id="nobody's"),
    ],
)
def test_of_anything_else_nothing_is_believed(config_map: dict[str, Any]) -> None:
    """What is not ours says nothing of what was applied."""
    assert schemas_in(config_map) == []
