"""Alarms keep their first tags; what is deleted loses them; email waits for confirmation."""

from typing import Any

from moto.cloudwatch.models import CloudWatchBackend
from moto.core.responses import ActionResult
from moto.sns.responses import SNSResponse

from .patching import wrap


@wrap(CloudWatchBackend, "put_metric_alarm")
def _put(original: Any, self: CloudWatchBackend, *args: Any, **kwargs: Any) -> Any:
    name = kwargs.get("name", args[0] if args else None)
    if name in self.alarms:
        kwargs["tags"] = None
    return original(self, *args, **kwargs)


@wrap(CloudWatchBackend, "delete_alarms")
def _delete(original: Any, self: CloudWatchBackend, alarm_names: list[str]) -> None:
    arns = [self.alarms[name].alarm_arn for name in alarm_names if name in self.alarms]
    original(self, alarm_names)
    for arn in arns:
        self.tagger.delete_all_tags_for_resource(arn)


@wrap(SNSResponse, "subscribe")
def _subscribe(original: Any, self: SNSResponse) -> Any:
    result = original(self)
    protocol = str(self._get_param("Protocol") or "")
    told = self._get_param("ReturnSubscriptionArn")
    if protocol.startswith("email") and str(told).lower() != "true":
        return ActionResult({"SubscriptionArn": "pending confirmation"})
    return result


def _told(subscription: Any, account_id: str) -> dict[str, Any]:
    pending = subscription.protocol.startswith("email") and not subscription.confirmed
    return {
        "SubscriptionArn": "PendingConfirmation" if pending else subscription.arn,
        "Owner": account_id,
        "Protocol": subscription.protocol,
        "Endpoint": subscription.endpoint,
        "TopicArn": subscription.topic.arn,
    }


def _listed(original: Any, response: SNSResponse) -> ActionResult:
    result = original(response).result
    account_id = response.current_account
    told = [_told(subscription, account_id) for subscription in result["Subscriptions"]]
    return ActionResult({**result, "Subscriptions": told})


@wrap(SNSResponse, "list_subscriptions")
def _list(original: Any, self: SNSResponse) -> ActionResult:
    return _listed(original, self)


@wrap(SNSResponse, "list_subscriptions_by_topic")
def _list_by_topic(original: Any, self: SNSResponse) -> ActionResult:
    return _listed(original, self)
