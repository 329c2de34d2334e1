# SPDX-License-Identifier: Apache-2.0
"""What a workload's manifest names."""

from typing import Any

import pytest

from lokeys.core.place import Ref
from lokeys.core.route.discovery.manifest import volume_sources


@pytest.mark.parametrize(
    ("volume", "names"),
    [
        pytest.param({"configMap": {"name": "a"}}, [Ref("ConfigMap", "a", "n")], id="ConfigMap"),
        pytest.param({"secret": {"secretName": "a"}}, [Ref("Secret", "a", "n")], id="Secret"),
        pytest.param(
            {"projected": {"sources": [{"secret": {"name": "a"}}, {"configMap": {"name": "b"}}]}},
            [Ref("Secret", "a", "n"), Ref("ConfigMap", "b", "n")],
            id="projected ones in their order",
        ),
        pytest.param({"emptyDir": {}}, [], id="nothing else"),
    ],
)
def test_a_volume_names_what_it_shows(volume: dict[str, Any], names: list[Ref]) -> None:
    """Loki's configuration may stand in any of them."""
    assert list(volume_sources(volume, "n")) == names
