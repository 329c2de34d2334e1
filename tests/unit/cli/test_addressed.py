# SPDX-License-Identifier: Apache-2.0
"""Commands of a route that nobody has written down yet, as `doctor` shows them."""

from builders import a_route
from lokeys.cli.looking import addressed
from lokeys.cli.routes import NamedRoute
from lokeys.core.findings.catalogue.delivery import SECRET_BEHIND_VAULT
from lokeys.core.place import Ref
from lokeys.core.route.model import RouteSpec, UnknownSource


def shown(spec: RouteSpec) -> tuple[str, str]:
    """Return text and command of the first remedy, for a route of a running Loki."""
    finding = SECRET_BEHIND_VAULT.at(
        spec.secret_ref, route=spec.route, namespace=spec.namespace, name=spec.name
    )
    owner = Ref("StatefulSet", "loki", spec.namespace)
    remedy = addressed(finding, NamedRoute(spec=spec, owner=owner)).remedy[0]
    return remedy.text, str(remedy.command)


def test_a_route_that_is_known_is_written_down_and_healed() -> None:
    """Both in one line: where something could not be told, the first fails."""
    text, command = shown(a_route())
    assert text.startswith("write the route down; then ")
    assert command == (
        "lokeys discover -n monitoring statefulset/loki > loki.yaml && lokeys heal -f loki.yaml"
    )


def test_a_route_without_a_source_is_filled_in_by_hand_between() -> None:
    """No command pretends to do what a person must do first."""
    text, command = shown(a_route(source=UnknownSource()))
    assert "fill in what it marks CHANGE-ME" in text
    assert command == "lokeys discover -n monitoring statefulset/loki > loki.yaml"
