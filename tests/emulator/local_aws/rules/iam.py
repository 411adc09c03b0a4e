"""IAM: names are unique whatever their case; what is used stays."""

from __future__ import annotations

from ..hooks import AwsError, Request, before
from . import state


@before("iam", "CreateRole")
def role(request: Request) -> None:
    name = request.params["RoleName"]
    for existing in state.backend("iam", request).roles.values():
        if existing.name.lower() == name.lower():
            raise AwsError("EntityAlreadyExists", f"Role with name {name} already exists.", 409)


@before("iam", "CreateInstanceProfile")
def profile(request: Request) -> None:
    name = request.params["InstanceProfileName"]
    for existing in state.backend("iam", request).instance_profiles.values():
        if existing.name.lower() == name.lower():
            raise AwsError(
                "EntityAlreadyExists",
                f"Instance Profile {name} already exists.",
                409,
            )


@before("iam", "AddRoleToInstanceProfile")
def one_role(request: Request) -> None:
    name = request.params["InstanceProfileName"]
    for existing in state.backend("iam", request).instance_profiles.values():
        if existing.name == name and existing.roles:
            raise AwsError(
                "LimitExceeded",
                "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1",
                409,
            )
