"""Secrets: names, and their recovery window."""

from __future__ import annotations

import re

from ..hooks import AwsError, Request, before
from . import state

_NAME = re.compile(r"[A-Za-z0-9/_+=.@\-]{1,512}")


@before("secretsmanager", "CreateSecret")
def create(request: Request) -> None:
    name = request.params["Name"]
    if not _NAME.fullmatch(name):
        raise AwsError(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the "
            "following: -/_+=.@!",
        )
    secrets = state.backend("secretsmanager", request).secrets
    existing = secrets[name] if name in secrets else None
    if existing is not None and existing.is_deleted():
        raise AwsError(
            "InvalidRequestException",
            "You can't create this secret because a secret with this name is already scheduled for deletion.",
        )
    if request.params.get("SecretString") and request.params.get("SecretBinary"):
        raise AwsError(
            "InvalidParameterException",
            "You can't specify both a binary secret value and a string secret value in the same secret.",
        )
