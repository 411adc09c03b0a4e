"""Work that moto does at every call, done once."""

from __future__ import annotations

import functools
from typing import Any

import moto.backends
import moto.core.responses
from moto.iam.models import IAMBackend, get_account_id_from


def apply() -> None:
    """Patch moto; call it after everything that adds actions to its classes."""
    modules = tuple(moto.backends.list_of_moto_modules())
    moto.backends.list_of_moto_modules = lambda: modules
    moto.core.responses.method_names_from_class = functools.cache(
        moto.core.responses.method_names_from_class
    )
    _one_partition()
    # Whose key it is: the first to ask pays for all of AWS's managed policies.
    get_account_id_from("AKIAIOSFODNN7EXAMPLE")


def _one_partition() -> None:
    """moto keeps AWS's 1,500 managed policies for every partition; we are in one."""
    original = IAMBackend._init_aws_policies

    def init(self: Any) -> Any:
        return original(self) if self.region_name == "aws" else []

    IAMBackend._init_aws_policies = init  # type: ignore[method-assign]
