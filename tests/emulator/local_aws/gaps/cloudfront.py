"""Distributions: configurations kept whole, ETags that count, InProgress before Deployed."""

import copy
from typing import Any

from moto.cloudfront import models
from moto.cloudfront.models import (
    CloudFrontBackend,
    Distribution,
    Invalidation,
    OriginAccessControl,
    random_id,
)
from moto.cloudfront.responses import CloudFrontResponse
from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow

from .acm import released
from .lifecycle import fault, phases_of
from .patching import add, plain, prop, wrap

DEPLOY_SECONDS = 170
INVALIDATION_SECONDS = 60
# How long a certificate stays in use after a distribution has let go of it.
CERTIFICATE_SECONDS = 600
NONE: dict[str, Any] = {"Quantity": 0}
TOP = {
    "Aliases": NONE,
    "DefaultRootObject": "",
    "OriginGroups": NONE,
    "CacheBehaviors": NONE,
    "CustomErrorResponses": NONE,
    "Logging": {"Enabled": False, "IncludeCookies": False, "Bucket": "", "Prefix": ""},
    "PriceClass": "PriceClass_All",
    "Restrictions": {"GeoRestriction": {"RestrictionType": "none", "Quantity": 0}},
    "WebACLId": "",
    "HttpVersion": "http2",
    "IsIPV6Enabled": False,
    "Staging": False,
    "ContinuousDeploymentPolicyId": "",
}
ORIGIN = {
    "OriginPath": "",
    "CustomHeaders": NONE,
    "ConnectionAttempts": 3,
    "ConnectionTimeout": 10,
    "OriginShield": {"Enabled": False},
    "OriginAccessControlId": "",
}
METHODS = {"Quantity": 2, "Items": ["HEAD", "GET"]}
BEHAVIOR = {
    "TrustedSigners": {"Enabled": False, "Quantity": 0},
    "TrustedKeyGroups": {"Enabled": False, "Quantity": 0},
    "AllowedMethods": METHODS,
    "SmoothStreaming": False,
    "Compress": False,
    "LambdaFunctionAssociations": NONE,
    "FunctionAssociations": NONE,
    "FieldLevelEncryptionId": "",
}


class Config(dict[str, Any]):
    """A structure as it was sent, filled up with AWS's defaults; also by attribute."""

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(name)


class ViewerCertificate(Config):
    """What a distribution shows to browsers."""

    @property
    def acm_certificate_arn(self) -> str:
        return self.get("ACMCertificateArn", "")


class DistributionConfig(Config):
    """A distribution's configuration."""

    def __init__(self, given: dict[str, Any]) -> None:
        super().__init__(_filled(copy.deepcopy(plain(given)), TOP))
        self["Origins"]["Items"] = [_filled(o, ORIGIN) for o in self["Origins"]["Items"]]
        self["DefaultCacheBehavior"] = _behavior(self["DefaultCacheBehavior"])
        if self["CacheBehaviors"].get("Items"):
            self["CacheBehaviors"]["Items"] = [
                _behavior(item) for item in self["CacheBehaviors"]["Items"]
            ]
        self["ViewerCertificate"] = _viewer(self.get("ViewerCertificate") or {})

    @property
    def caller_reference(self) -> str:
        return self["CallerReference"]


def _filled(given: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    return {**copy.deepcopy(defaults), **{k: v for k, v in given.items() if v is not None}}


def _behavior(given: dict[str, Any]) -> dict[str, Any]:
    filled = _filled(given, BEHAVIOR)
    cached = {"Quantity": 2, "Items": ["HEAD", "GET"]}
    filled["AllowedMethods"].setdefault("CachedMethods", cached)
    return filled


def _viewer(given: dict[str, Any]) -> ViewerCertificate:
    arn = given.get("ACMCertificateArn")
    if arn:
        more = {"CloudFrontDefaultCertificate": False, "Certificate": arn, "CertificateSource": "acm"}
        return ViewerCertificate({**given, **more})
    defaults = {
        "CloudFrontDefaultCertificate": True,
        "SSLSupportMethod": "vip",
        "MinimumProtocolVersion": "TLSv1",
        "CertificateSource": "cloudfront",
    }
    return ViewerCertificate({**defaults, **given})


models.DistributionConfig = DistributionConfig


@prop(Distribution, "status")
def _status(self: Distribution) -> str:
    return phases_of(self, "Deployed").current


@wrap(Distribution, "__init__")
def _init(original: Any, self: Distribution, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    self.last_modified_time = utcnow()
    phases_of(self, "Deployed").begin("InProgress", DEPLOY_SECONDS)


def _current(backend: CloudFrontBackend, identifier: str, if_match: Any) -> Distribution:
    """The distribution, if the caller knows its present state."""
    found = backend.distributions.get(identifier)
    if found is None:
        raise fault("NoSuchDistribution", "The specified distribution does not exist.")
    _match(found.etag, if_match)
    return found


def _match(etag: str, if_match: Any) -> None:
    if not if_match:
        message = "The If-Match version is missing or not valid for the resource."
        raise fault("InvalidIfMatchVersion", message)
    if if_match != etag:
        message = (
            "The request failed because it didn't meet the preconditions in one or more "
            "request-header fields."
        )
        raise fault("PreconditionFailed", message)


@wrap(CloudFrontBackend, "update_distribution")
def _update(
    original: Any, self: CloudFrontBackend, dist_config: Any, _id: str, if_match: Any
) -> tuple[Distribution, str, str]:
    found = _current(self, _id, if_match)
    before = found.distribution_config
    after = DistributionConfig(dist_config)
    if after.caller_reference != before.caller_reference:
        raise fault("IllegalUpdate", "The update contains modifications that are not allowed.")
    found.distribution_config = after
    found.etag = random_id()
    found.last_modified_time = utcnow()
    phases_of(found, "Deployed").begin("InProgress", DEPLOY_SECONDS, replace=True)
    old = before["ViewerCertificate"].acm_certificate_arn
    if old and old != after["ViewerCertificate"].acm_certificate_arn:
        released(self.account_id, old, CERTIFICATE_SECONDS)
    return found, found.location, found.etag


@wrap(CloudFrontBackend, "delete_distribution")
def _delete(original: Any, self: CloudFrontBackend, distribution_id: str, if_match: Any) -> None:
    found = _current(self, distribution_id, if_match)
    if found.distribution_config["Enabled"] or found.status != "Deployed":
        message = "The distribution you are trying to delete has not been disabled."
        raise fault("DistributionNotDisabled", message)
    original(self, distribution_id, if_match)
    self.tagger.delete_all_tags_for_resource(found.arn)
    arn = found.distribution_config["ViewerCertificate"].acm_certificate_arn
    if arn:
        released(self.account_id, arn, CERTIFICATE_SECONDS)


@prop(Invalidation, "status")
def _invalidation_status(self: Invalidation) -> str:
    return phases_of(self, "Completed").current


@wrap(Invalidation, "__init__")
def _invalidation(original: Any, self: Invalidation, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    phases_of(self, "Completed").begin("InProgress", INVALIDATION_SECONDS)


@add(CloudFrontResponse)
def update_origin_access_control(self: CloudFrontResponse) -> ActionResult:
    control = self.backend.get_origin_access_control(self._get_param("Id"))
    _match(control.etag, self._get_param("IfMatch"))
    control.update(plain(self._get_param("OriginAccessControlConfig", {})))
    control.etag = random_id()
    return ActionResult(_told(control))


@add(CloudFrontResponse)
def delete_origin_access_control(self: CloudFrontResponse) -> ActionResult:
    control = self.backend.get_origin_access_control(self._get_param("Id"))
    _match(control.etag, self._get_param("IfMatch"))
    for distribution in self.backend.distributions.values():
        origins = distribution.distribution_config["Origins"]["Items"]
        if any(origin.get("OriginAccessControlId") == control.id for origin in origins):
            message = (
                "Cannot delete the origin access control because it's in use by one or more "
                "distributions."
            )
            raise fault("OriginAccessControlInUse", message)
    self.backend.delete_origin_access_control(control.id)
    return EmptyResult()


@add(CloudFrontResponse)
def get_origin_access_control_config(self: CloudFrontResponse) -> ActionResult:
    control = self.backend.get_origin_access_control(self._get_param("Id"))
    told = _told(control)
    config = told["OriginAccessControl"]["OriginAccessControlConfig"]
    return ActionResult({"OriginAccessControlConfig": config, "ETag": control.etag})


def _told(control: OriginAccessControl) -> dict[str, Any]:
    config = {
        "Name": control.name,
        "Description": control.description or "",
        "SigningProtocol": control.signing_protocol,
        "SigningBehavior": control.signing_behavior,
        "OriginAccessControlOriginType": control.origin_type,
    }
    return {
        "OriginAccessControl": {"Id": control.id, "OriginAccessControlConfig": config},
        "ETag": control.etag,
    }


@add(CloudFrontResponse)
def create_origin_access_control(self: CloudFrontResponse) -> ActionResult:
    config = plain(self._get_param("OriginAccessControlConfig", {}))
    return ActionResult(_told(self.backend.create_origin_access_control(config)))


@add(CloudFrontResponse)
def get_origin_access_control(self: CloudFrontResponse) -> ActionResult:
    return ActionResult(_told(self.backend.get_origin_access_control(self._get_param("Id"))))


@add(CloudFrontResponse)
def list_origin_access_controls(self: CloudFrontResponse) -> ActionResult:
    marker, limit = self._get_param("Marker"), self._get_int_param("MaxItems") or 100
    controls, following = self.backend.list_origin_access_controls(marker=marker, max_items=limit)
    items = []
    for control in controls:
        told = _told(control)["OriginAccessControl"]
        items.append({"Id": told["Id"], **told["OriginAccessControlConfig"]})
    listed = {
        "Marker": marker or "",
        "NextMarker": following,
        "MaxItems": limit,
        "IsTruncated": following is not None,
        "Quantity": len(items),
        "Items": items,
    }
    return ActionResult({"OriginAccessControlList": listed})
