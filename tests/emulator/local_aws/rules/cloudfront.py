"""What CloudFront checks in a distribution, and what stays while it is in use."""

from __future__ import annotations

from typing import Any

from moto.backends import get_backend

from ..hooks import AwsError, Request, after, before
from . import state

#: AWS's own policies; anything else must have been made here, which moto cannot do.
_MANAGED_CACHE_POLICIES = {
    "658327ea-f89d-4fab-a63d-7e88639e58f6",
    "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
    "4135ea2d-6df8-44a3-9df3-4b5a84be39ad",
    "08627262-05a9-4f76-9ded-b50ca2e3a84f",
    "2e54312d-136d-493c-8eb9-b001f22f67d2",
    "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
    "4cc15a8a-d715-48a4-82b8-cc0b614638fe",
}


def _config(request: Request) -> dict[str, Any]:
    params = request.params
    return (
        params.get("DistributionConfig")
        or (params.get("DistributionConfigWithTags") or {}).get("DistributionConfig")
        or {}
    )


@before("cloudfront", "CreateDistribution", "CreateDistributionWithTags", "UpdateDistribution")
def distribution(request: Request) -> None:
    config = _config(request)
    if len(config.get("Comment", "")) > 128:
        raise AwsError(
            "InvalidArgument",
            "The parameter Comment is too big. The maximum length is 128 characters.",
        )
    _quantities(config)
    _origins(request, config)
    behaviors = [config.get("DefaultCacheBehavior") or {}]
    behaviors += (config.get("CacheBehaviors") or {}).get("Items") or []
    for behavior in behaviors:
        _behavior(config, behavior)
    _aliases(request, config)


def _quantities(value: Any, name: str = "DistributionConfig") -> None:
    """Every list says how long it is."""
    if isinstance(value, list):
        for item in value:
            _quantities(item, name)
    if not isinstance(value, dict):
        return
    if "Quantity" in value and value["Quantity"] != len(value.get("Items") or []):
        raise AwsError(
            "InconsistentQuantities",
            f"The value of Quantity and the size of Items don't match. ({name})",
        )
    for key, sub in value.items():
        _quantities(sub, key)


def _origins(request: Request, config: dict[str, Any]) -> None:
    controls = state.backend("cloudfront", request).origin_access_controls
    for origin in (config.get("Origins") or {}).get("Items") or []:
        control = origin.get("OriginAccessControlId")
        s3 = origin.get("S3OriginConfig")
        if control:
            if control not in controls:
                raise AwsError(
                    "NoSuchOriginAccessControl",
                    "The origin access control does not exist.",
                    404,
                )
            if s3 and s3.get("OriginAccessIdentity"):
                raise AwsError(
                    "IllegalOriginAccessConfiguration",
                    "An origin cannot contain both an origin access control (OAC) and an origin access identity (OAI).",
                )
        if s3 is None and origin.get("CustomOriginConfig") is None:
            raise AwsError(
                "InvalidOrigin",
                "The specified origin server does not exist or is not valid: an origin needs "
                "S3OriginConfig or CustomOriginConfig.",
            )


def _behavior(config: dict[str, Any], behavior: dict[str, Any]) -> None:
    origins = {origin.get("Id") for origin in (config.get("Origins") or {}).get("Items") or []}
    if behavior.get("TargetOriginId") not in origins:
        raise AwsError(
            "NoSuchOrigin",
            "One or more of your origins or origin groups do not exist.",
            404,
        )
    policy = behavior.get("CachePolicyId")
    if bool(policy) == bool(behavior.get("ForwardedValues")):
        raise AwsError(
            "InvalidArgument",
            "The parameter ForwardedValues cannot be used when a cache policy is associated to the "
            "cache behavior; one of the two is required.",
        )
    if policy and policy not in _MANAGED_CACHE_POLICIES:
        raise AwsError("NoSuchCachePolicy", "The cache policy does not exist.", 404)


def _aliases(request: Request, config: dict[str, Any]) -> None:
    aliases = (config.get("Aliases") or {}).get("Items") or []
    viewer = config.get("ViewerCertificate") or {}
    arn = viewer.get("ACMCertificateArn")
    if arn:
        _certificate(request, viewer, arn, aliases)
    elif aliases and not viewer.get("IAMCertificateId"):
        raise AwsError(
            "InvalidViewerCertificate",
            "To add an alternate domain name (CNAME) to a CloudFront distribution, you must attach a "
            "trusted certificate that validates your authorization to use the domain name.",
        )
    own = request.params.get("Id")
    for other in state.backend("cloudfront", request).distributions.values():
        if other.distribution_id == own:
            continue
        taken = set(other.distribution_config.Aliases.get("Items") or [])
        if taken & set(aliases):
            raise AwsError(
                "CNAMEAlreadyExists",
                "One or more of the CNAMEs you provided are already associated with a different resource.",
                409,
            )


def _certificate(request: Request, viewer: dict[str, Any], arn: str, aliases: list[str]) -> None:
    def refuse(why: str) -> AwsError:
        return AwsError("InvalidViewerCertificate", why)

    if arn.split(":")[3] != "us-east-1":
        raise refuse(
            "The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, or "
            "doesn't include a valid certificate chain."
        )
    certificate = get_backend("acm")[request.account]["us-east-1"]._certificates.get(arn)
    if certificate is None or certificate.status != "ISSUED":
        raise refuse(
            "The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, or "
            "doesn't include a valid certificate chain."
        )
    if not viewer.get("SSLSupportMethod") or not viewer.get("MinimumProtocolVersion"):
        raise refuse(
            "SSLSupportMethod and MinimumProtocolVersion must be specified with an ACM certificate."
        )
    names = {certificate.common_name, *(certificate.arn and _names(certificate))}
    for alias in aliases:
        if not any(_covers(name, alias) for name in names):
            raise refuse(
                "The certificate that is attached to your distribution doesn't cover the alternate "
                f"domain name (CNAME) that you're trying to add: {alias}"
            )


def _names(certificate: Any) -> list[str]:
    described = certificate.describe()["Certificate"]
    return [described.get("DomainName", ""), *(described.get("SubjectAlternativeNames") or [])]


def _covers(name: str, alias: str) -> bool:
    if name.startswith("*."):
        return alias.split(".", 1)[-1] == name[2:]
    return alias == name


@after("cloudfront", "CreateDistribution", "CreateDistributionWithTags", "UpdateDistribution")
def controls_in_use(request: Request, result: dict[str, Any] | None) -> None:
    """Note which access controls a distribution uses."""
    made = (result or {}).get("Distribution", {})
    found = state.backend("cloudfront", request).distributions.get(made.get("Id"))
    origins = (_config(request).get("Origins") or {}).get("Items") or []
    if found is not None:
        # Distribution's own __getattr__ is for its configuration; keep out of its way.
        found.__dict__["_controls"] = {o.get("OriginAccessControlId") for o in origins}


@before("cloudfront", "CreateOriginAccessControl")
def control_name(request: Request) -> None:
    name = request.params["OriginAccessControlConfig"]["Name"]
    for control in state.backend("cloudfront", request).origin_access_controls.values():
        if control.name == name:
            raise AwsError(
                "OriginAccessControlAlreadyExists",
                "An origin access control with the specified parameters already exists.",
                409,
            )


@before("cloudfront", "DeleteOriginAccessControl")
def control_in_use(request: Request) -> None:
    control = request.params["Id"]
    backend = state.backend("cloudfront", request)
    if control not in backend.origin_access_controls:
        raise AwsError(
            "NoSuchOriginAccessControl", "The origin access control does not exist.", 404
        )
    for other in backend.distributions.values():
        if control in other.__dict__.get("_controls", ()):
            raise AwsError(
                "OriginAccessControlInUse",
                "Cannot delete the origin access control because it's in use by one or more distributions.",
                409,
            )
