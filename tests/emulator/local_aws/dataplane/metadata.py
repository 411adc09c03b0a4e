"""What an instance is told about itself, read from moto."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from typing import Any

from local_aws import hooks

_CREDENTIAL_HOURS = 6


def of_instance(instance: Any) -> dict[str, Any]:
    """The tree under /latest."""
    with hooks.lock:
        zone = _zone(instance)
        profile = _profile(instance)
        role = next(iter(profile.roles), None) if profile else None
        values = {
            "ami-id": instance.image_id,
            "hostname": f"ip-{instance.private_ip.replace('.', '-')}.{instance.region_name}.compute.internal",
            "instance-id": instance.id,
            "instance-life-cycle": "on-demand",
            "instance-type": instance.instance_type,
            "local-ipv4": instance.private_ip,
            "public-ipv4": instance.public_ip,
            "mac": instance.nics[0].mac_address,
            "placement": {"availability-zone": zone, "region": instance.region_name},
            "security-groups": "\n".join(group.name for group in instance.security_groups),
            "services": {"domain": "amazonaws.com", "partition": "aws"},
            "iam": _iam(profile, role) if profile else None,
            "tags": _tags(instance),
        }
        return {
            "meta-data": values,
            "dynamic": {"instance-identity": {"document": _document(instance)}},
            "user-data": user_data(instance).decode("utf-8", "replace") or None,
        }


def user_data(instance: Any) -> bytes:
    """The launch template's own user data, decoded."""
    return base64.b64decode(str(instance.user_data)) if instance.user_data else b""


def _zone(instance: Any) -> str:
    return str(instance.nics[0].subnet.availability_zone)


def _profile(instance: Any) -> Any:
    held = instance.ec2_backend.iam_instance_profile_associations.get(instance.id)
    return held.iam_instance_profile if held else None


def _iam(profile: Any, role: Any) -> dict[str, Any]:
    info = {
        "Code": "Success",
        "LastUpdated": _stamp(),
        "InstanceProfileArn": profile.arn,
        "InstanceProfileId": profile.id,
    }
    tree: dict[str, Any] = {"info": json.dumps(info)}
    if role is not None:
        tree["security-credentials"] = {role.name: json.dumps(_credentials(role))}
    return tree


def _credentials(role: Any) -> dict[str, str]:
    """Temporary credentials: well formed, and good for the emulator alone."""
    digest = hashlib.sha256(role.arn.encode()).hexdigest().upper()
    return {
        "Code": "Success",
        "LastUpdated": _stamp(),
        "Type": "AWS-HMAC",
        "AccessKeyId": f"ASIA{digest[:16]}",
        "SecretAccessKey": digest[:40].lower(),
        "Token": f"local-{digest.lower()}",
        "Expiration": _stamp(_CREDENTIAL_HOURS),
    }


def _stamp(hours: int = 0) -> str:
    now = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)
    return now.strftime("%Y-%m-%dT%H:%M:%SZ")


def _tags(instance: Any) -> dict[str, Any] | None:
    if getattr(instance.metadata_options, "instance_metadata_tags", "disabled") != "enabled":
        return None
    return {"instance": {tag["key"]: tag["value"] for tag in instance.get_tags()}}


def _document(instance: Any) -> str:
    return json.dumps(
        {
            "accountId": instance.owner_id,
            "architecture": instance.architecture,
            "availabilityZone": _zone(instance),
            "imageId": instance.image_id,
            "instanceId": instance.id,
            "instanceType": instance.instance_type,
            "privateIp": instance.private_ip,
            "region": instance.region_name,
            "version": "2017-09-30",
        },
        indent=2,
    )
