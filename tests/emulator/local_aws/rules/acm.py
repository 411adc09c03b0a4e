"""Certificates: who uses them, and that the used ones stay."""

from __future__ import annotations

from typing import Any

from moto.backends import get_backend

from ..hooks import AwsError, Request, before
from . import state


@before("acm", "DeleteCertificate")
def delete(request: Request) -> None:
    arn = request.params["CertificateArn"]
    if users(request, arn):
        raise AwsError("ResourceInUseException", f"Certificate {arn} is in use.")


@before("acm", "DescribeCertificate", "ListCertificates")
def in_use_by(request: Request) -> None:
    """moto adds users of a certificate and never takes one away."""
    for arn, certificate in state.backend("acm", request)._certificates.items():
        certificate.in_use_by = users(request, arn)


def users(request: Request, arn: str) -> list[str]:
    """The load balancers and distributions that serve a certificate."""
    region = arn.split(":")[3]
    found = []
    for balancer in state.backend("elbv2", request, region).load_balancers.values():
        if any(arn in _certificates(listener) for listener in balancer.listeners.values()):
            found.append(balancer.arn)
    for distribution in get_backend("cloudfront")[request.account]["aws"].distributions.values():
        viewer = distribution.distribution_config.ViewerCertificate
        if viewer.acm_certificate_arn == arn:
            found.append(distribution.arn)
    return found


def _certificates(listener: Any) -> set[str]:
    """A listener keeps its certificates as ARNs or as structures."""
    found = set()
    for certificate in [listener.certificate, *(listener.certificates or [])]:
        if isinstance(certificate, dict):
            found.add(str(certificate.get("CertificateArn")))
        elif certificate:
            found.add(str(certificate))
    return found
