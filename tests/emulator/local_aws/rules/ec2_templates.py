"""Launch templates: what EC2 refuses in them, and what Auto Scaling refuses later."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from ..hooks import AwsError, Request, before

_NAME = re.compile(r"[a-zA-Z0-9().\-/_]{3,128}")
_TAGGED = {"instance", "volume", "network-interface", "spot-instances-request"}
_LONGEST_USER_DATA = 16 * 1024


@before("ec2", "CreateLaunchTemplate")
def name(request: Request) -> None:
    given = request.params.get("LaunchTemplateName", "")
    if not _NAME.fullmatch(given):
        raise AwsError(
            "InvalidLaunchTemplateName.MalformedException",
            "A launch template name must be between 3 and 128 characters, and may contain "
            "letters, numbers, and the following characters: - ( ) . / _",
        )


@before("ec2", "CreateLaunchTemplate", "CreateLaunchTemplateVersion")
def data(request: Request) -> None:
    template = request.params.get("LaunchTemplateData") or {}
    user_data(template.get("UserData"))
    for specification in template.get("TagSpecifications") or []:
        kind = specification.get("ResourceType")
        if kind not in _TAGGED:
            raise AwsError(
                "InvalidParameterValue",
                f"'{kind}' is not a valid taggable resource type for this operation.",
            )
    for interface in template.get("NetworkInterfaces") or []:
        if interface.get("DeviceIndex") is None:
            raise AwsError(
                "InvalidParameterValue", "Each network interface requires a device index."
            )


@before("ec2", "RunInstances")
def run(request: Request) -> None:
    user_data(request.params.get("UserData"))
    interfaces_and_groups(request.params, "InvalidParameterCombination")


def user_data(encoded: str | None) -> None:
    """Base64, and 16 KB at most before it is encoded."""
    if not encoded:
        return
    try:
        plain = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise AwsError(
            "InvalidUserData.Malformed", "Invalid BASE64 encoding of user data."
        ) from error
    if len(plain) > _LONGEST_USER_DATA:
        raise AwsError(
            "InvalidParameterValue",
            f"User data is limited to {_LONGEST_USER_DATA} bytes",
        )


def interfaces_and_groups(template: dict[str, Any], code: str) -> None:
    """Groups belong to the interfaces where there are any."""
    if template.get("NetworkInterfaces") and (
        template.get("SecurityGroupIds") or template.get("SecurityGroups")
    ):
        raise AwsError(
            code,
            "Network interfaces and an instance-level security groups may not be specified on the same request",
        )
