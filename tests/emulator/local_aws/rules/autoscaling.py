"""Auto Scaling: what it refuses in a launch template that EC2 had accepted."""

from __future__ import annotations

from typing import Any

from ..hooks import Request, before
from . import state
from .ec2_templates import interfaces_and_groups


@before("autoscaling", "CreateAutoScalingGroup", "UpdateAutoScalingGroup", "StartInstanceRefresh")
def launch_template(request: Request) -> None:
    params = request.params
    wanted = params.get("LaunchTemplate") or (params.get("DesiredConfiguration") or {}).get(
        "LaunchTemplate"
    )
    data = _template_data(request, wanted) if wanted else None
    if data is not None:
        interfaces_and_groups(data, "InvalidQueryParameter")


def _template_data(request: Request, wanted: dict[str, Any]) -> dict[str, Any] | None:
    ec2 = state.backend("ec2", request)
    template_id = wanted.get("LaunchTemplateId") or ec2.launch_template_name_to_ids.get(
        wanted.get("LaunchTemplateName", "")
    )
    template = ec2.launch_templates.get(template_id)
    version = str(wanted.get("Version") or "$Default")
    if template is None:
        return None
    if version.isdigit() and not 1 <= int(version) <= len(template.versions):
        return None
    return dict(template.get_version(version).data)
