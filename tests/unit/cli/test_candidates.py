# SPDX-License-Identifier: Apache-2.0
"""Many users' keys, one address out of a ConfigMap: whose key does `doctor -A` try there?"""

import asyncio
from dataclasses import replace

import pytest

from builders import a_route
from fakes.ports import World
from fakes.sessions import Desk
from lokeys.cli.session import opens_bucket
from unit.engine.route.counting import counted


@pytest.mark.parametrize("allowed", [True, False])
def test_a_candidates_key_goes_only_where_its_owner_lets_it(*, allowed: bool) -> None:
    """Nobody but a tenant's configuration names the address; the caller's rights do not count."""
    world = World(consents=allowed)
    ports, calls = counted(world.ports(a_route()))
    session = replace(Desk(world=world).session(), wire=lambda _: ports)

    assert asyncio.run(opens_bucket(session, a_route())) is allowed
    assert calls["store.try_list"] == allowed
