"""Instance profiles reach EC2 some seconds after IAM has them."""

from typing import Any

from moto.iam.models import IAMBackend, InstanceProfile, iam_backends

from .lifecycle import Deadline, fault
from .patching import wrap

NEW_PROFILE_SECONDS = 8
REUSED_NAME_SECONDS = 1.5


@wrap(IAMBackend, "create_instance_profile")
def _create(original: Any, self: IAMBackend, name: str, *args: Any, **kwargs: Any) -> Any:
    lowered = name.lower()
    if any(existing.lower() == lowered and existing != name for existing in self.instance_profiles):
        # Names are unique ignoring case; moto compares exactly.
        taken = next(n for n in self.instance_profiles if n.lower() == lowered)
        return original(self, taken, *args, **kwargs)
    profile = original(self, name, *args, **kwargs)
    seen = self.__dict__.setdefault("_profile_names_seen", set())
    seconds = REUSED_NAME_SECONDS if name in seen else NEW_PROFILE_SECONDS
    profile.reaches_ec2 = Deadline(seconds)
    seen.add(name)
    return profile


@wrap(IAMBackend, "remove_role_from_instance_profile")
def _remove_role(original: Any, self: IAMBackend, profile_name: str, role_name: str) -> None:
    roles = self.get_instance_profile(profile_name).roles
    if not any(role.name == role_name for role in roles):
        message = f"Instance profile {profile_name} does not have role {role_name}"
        raise fault("NoSuchEntity", message)
    original(self, profile_name, role_name)


def profile_problem(account_id: str, partition: str, spec: dict[str, Any]) -> str | None:
    """Why EC2 would refuse this {Name | Arn} now, in EC2's words; None when it would not."""
    name, arn = spec.get("Name"), spec.get("Arn")
    profile = _find(account_id, partition, name, arn)
    reached = profile is not None and (
        not hasattr(profile, "reaches_ec2") or profile.reaches_ec2.passed
    )
    if not reached:
        field, value, noun = ("arn", arn, "ARN") if arn else ("name", name, "name")
        return (
            f"Value ({value}) for parameter iamInstanceProfile.{field} is invalid. "
            f"Invalid IAM Instance Profile {noun}"
        )
    if not profile.roles:
        return f"IAM Instance Profile '{profile.arn}' has no associated IAM Roles"
    return None


def _find(account_id: str, partition: str, name: Any, arn: Any) -> InstanceProfile | None:
    for profile in iam_backends[account_id][partition].instance_profiles.values():
        if (arn and profile.arn == arn) or (not arn and profile.name == name):
            return profile
    return None
