"""Alarms, log groups and notifications."""

from __future__ import annotations

from ..hooks import AwsError, Request, before
from . import state

_RETENTION = {
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731,
    1096, 1827, 2192, 2557, 2922, 3288, 3653,
}  # fmt: skip


@before("cloudwatch", "PutMetricAlarm")
def alarm(request: Request) -> None:
    params = request.params
    periods = [params.get("Period")]
    for query in params.get("Metrics") or []:
        periods.append((query.get("MetricStat") or {}).get("Period"))
    for period in periods:
        if period is not None and period not in (10, 20, 30) and (period < 60 or period % 60):
            raise AwsError(
                "ValidationError",
                f"Invalid period {period}: Period must be 10, 20, 30 or a multiple of 60",
            )
    period, count = params.get("Period"), params.get("EvaluationPeriods", 1)
    if period and period * count > (604800 if period >= 3600 else 86400):
        raise AwsError(
            "ValidationError",
            "Metrics cannot be checked across more than a day (EvaluationPeriods * Period must be <= 86400).",
        )
    if params.get("MetricName") and params.get("Metrics"):
        raise AwsError(
            "InvalidParameterCombination",
            "The parameters MetricName and Metrics are mutually exclusive.",
        )
    if params.get("DatapointsToAlarm", 1) > count:
        raise AwsError(
            "ValidationError",
            "DatapointsToAlarm must be less than or equal to EvaluationPeriods",
        )


@before("logs", "PutRetentionPolicy")
def retention(request: Request) -> None:
    days = request.params["retentionInDays"]
    if days not in _RETENTION:
        allowed = ", ".join(str(d) for d in sorted(_RETENTION))
        raise AwsError(
            "InvalidParameterException",
            f"1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy "
            f"constraint: Member must satisfy enum value set: [{allowed}]",
        )


@before("sns", "Unsubscribe")
def pending(request: Request) -> None:
    """An address that has not confirmed cannot be unsubscribed: its subscription has no ARN."""
    arn = request.params["SubscriptionArn"]
    if arn.lower() in ("pending confirmation", "pendingconfirmation"):
        raise AwsError(
            "InvalidParameter",
            "Invalid parameter: SubscriptionArn Reason: An ARN must have at least 6 elements, not 1",
        )
    found = state.backend("sns", request).subscriptions.get(arn)
    if found is not None and found.protocol.startswith("email") and not found.confirmed:
        raise AwsError(
            "InvalidParameter",
            "Invalid parameter: This subscription is pending confirmation and cannot be deleted",
        )
