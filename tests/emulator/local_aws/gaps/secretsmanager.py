"""A deleted secret's name stays taken for a moment, even after a deletion by force."""

from typing import Any

from moto.secretsmanager.models import SecretsManagerBackend, secretsmanager_backends

from local_aws import hooks

from .lifecycle import Deadline
from .patching import wrap

NAME_TAKEN_SECONDS = 5


def _names(backend: SecretsManagerBackend) -> dict[str, Deadline]:
    return backend.__dict__.setdefault("_names_taken", {})


@wrap(SecretsManagerBackend, "delete_secret")
def _delete(
    original: Any,
    self: SecretsManagerBackend,
    secret_id: str,
    recovery_window_in_days: int | None,
    force_delete_without_recovery: bool,
) -> Any:
    arn, name, at = original(self, secret_id, recovery_window_in_days, force_delete_without_recovery)
    if force_delete_without_recovery:
        _names(self)[name] = Deadline(NAME_TAKEN_SECONDS)
    return arn, name, at


@hooks.before("secretsmanager", "CreateSecret")
def _taken(request: hooks.Request) -> None:
    backend = secretsmanager_backends[request.account][request.region]
    deadline = _names(backend).get(request.params.get("Name", ""))
    if deadline is not None and not deadline.passed:
        message = (
            "You can't create this secret because a secret with this name is already "
            "scheduled for deletion."
        )
        raise hooks.AwsError("InvalidRequestException", message)
