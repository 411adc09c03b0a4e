"""Changes that are PENDING for a while, each with an id of its own."""

import uuid
from typing import Any

from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.route53.models import Route53Backend
from moto.route53.responses import Route53

from .lifecycle import Phases, fault
from .patching import add, wrap

INSYNC_SECONDS = 30


def _changes(response: Route53) -> dict[str, dict[str, Any]]:
    return response.backend.__dict__.setdefault("_changes", {})


def _new_change(response: Route53) -> dict[str, Any]:
    phases = Phases("INSYNC")
    phases.begin("PENDING", INSYNC_SECONDS)
    identifier = f"C{uuid.uuid4().hex[:20].upper()}"
    _changes(response)[identifier] = {"phases": phases, "at": utcnow()}
    return _told(response, identifier)


def _told(response: Route53, identifier: str) -> dict[str, Any]:
    change = _changes(response)[identifier]
    return {
        "Id": f"/change/{identifier}",
        "Status": change["phases"].current,
        "SubmittedAt": change["at"],
    }


def _with_change(original: Any, response: Route53) -> ActionResult:
    result = original(response).result
    if isinstance(result, dict) and "ChangeInfo" in result:
        result["ChangeInfo"] = {**result["ChangeInfo"], **_new_change(response)}
    return ActionResult(result)


@wrap(Route53, "create_hosted_zone")
def _create(original: Any, self: Route53) -> ActionResult:
    return _with_change(original, self)


@wrap(Route53, "delete_hosted_zone")
def _delete(original: Any, self: Route53) -> ActionResult:
    zone = self._get_param("Id").rpartition("/")[2]
    result = _with_change(original, self)
    self.backend.resource_tags.pop(zone, None)
    return result


@wrap(Route53, "change_resource_record_sets")
def _change(original: Any, self: Route53) -> ActionResult:
    return _with_change(original, self)


@wrap(Route53Backend, "change_resource_record_sets")
def _create_again(
    original: Any, self: Route53Backend, zone: str, changes: list[dict[str, Any]]
) -> Any:
    """moto refuses to make a record anew that was deleted; what exists was refused before this."""
    for change in changes:
        if change["Action"] == "CREATE":
            change["Action"] = "UPSERT"
    return original(self, zone, changes)


@add(Route53)
def get_change(self: Route53) -> ActionResult:
    identifier = self._get_param("Id").rpartition("/")[2]
    if identifier not in _changes(self):
        message = f"A change with the specified change ID does not exist: {identifier}"
        raise fault("NoSuchChange", message)
    return ActionResult({"ChangeInfo": _told(self, identifier)})
