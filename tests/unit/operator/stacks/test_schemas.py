# SPDX-License-Identifier: Apache-2.0
"""What is read of a configuration before it is replaced."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from fakes.stacks import STACK, StackWorld
from lokeys.core.operate.decision import plan
from lokeys.errors import NotFound
from lokeys.kube.client import Api
from lokeys.operator.stacks.schemas import AppliedSchemas, schemas_in
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


class Configurations:
    """An API server that has one configuration, or none, and counts who asks for it."""

    def __init__(self, config_map: dict[str, Any] | None) -> None:
        self.config_map = config_map
        self.asked = 0

    async def get(self, _resource: object, name: str, *, namespace: str) -> dict[str, Any]:
        self.asked += 1
        assert (namespace, name) == ("logging", "my-stack-config")
        if self.config_map is None:
            raise NotFound("there is none")
        return self.config_map


def changed() -> StackWorld:
    """Make a stack that runs, whose status was lost and whose configuration is to be replaced."""
    world = StackWorld(Choice())
    world.run()
    world.status = {}
    world.spec["limits"] = {"global": {"queries": {"maxQuerySeries": 7}}}
    return world


async def recorded(schemas: AppliedSchemas, world: StackWorld) -> Any:
    snapshot = world.snapshot()
    status = await schemas.recorded(snapshot, plan(snapshot))
    return status.get("storage", {}).get("schemas")


def test_a_configuration_is_read_once_before_it_is_replaced() -> None:
    """Its schemas are on record, whatever the status says; at rest nothing is read."""
    world = changed()
    api = Configurations(stored(rendered()))
    schemas = AppliedSchemas(api=cast("Api", api))

    async def test() -> None:
        assert await recorded(schemas, world) == world.spec["storage"]["schemas"]
        assert await recorded(schemas, world) == world.spec["storage"]["schemas"]
        assert api.asked == 1
        world.run()
        world.status = {}
        assert await recorded(schemas, world) is None
        assert api.asked == 1

    asyncio.run(test())


def test_a_configuration_that_goes_meanwhile_has_no_schemas() -> None:
    """Nor has one whose schemas somebody has written over."""

    async def test() -> None:
        for config_map in (None, stored("nonsense")):
            schemas = AppliedSchemas(api=cast("Api", Configurations(config_map)))
            assert await recorded(schemas, changed()) is None

    asyncio.run(test())


def test_the_configuration_of_a_former_stack_is_not_read() -> None:
    """A stack of the same name that was deleted: it goes, and its schemas with it."""
    world = changed()
    world.objects = {
        ref: replace(live, owners={"former": STACK}) for ref, live in world.objects.items()
    }
    api = Configurations(stored(rendered()))

    async def test() -> None:
        assert await recorded(AppliedSchemas(api=cast("Api", api)), world) is None
        assert api.asked == 0

    asyncio.run(test())
