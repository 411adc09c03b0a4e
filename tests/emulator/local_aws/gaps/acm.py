"""Certificates: validated by the CNAME that really is in a hosted zone, and not at once."""

import hashlib
from typing import Any

from moto.acm.models import CertBundle, acm_backends
from moto.elbv2.models import ELBv2Backend
from moto.route53.models import Route53Backend, route53_backends

from local_aws import hooks

from .lifecycle import Deadline
from .patching import wrap

RECORDS_APPEAR_SECONDS = 5
VALIDATION_SECONDS = 60
# How long a certificate stays in use after a listener has let go of it.
LISTENER_SECONDS = 10


def validation_record(account_id: str, name: str) -> dict[str, str]:
    """The CNAME that proves a name: one for a name and its wildcard, the same in every region."""
    base = name.removeprefix("*.").rstrip(".").lower()
    digest = hashlib.sha256(f"{account_id}/{base}".encode()).hexdigest()
    return {
        "Name": f"_{digest[:32]}.{base}.",
        "Type": "CNAME",
        "Value": f"_{digest[32:]}.{digest[:10]}.acm-validations.aws.",
    }


def _names(certificate: CertBundle) -> list[str]:
    return list(dict.fromkeys([certificate.common_name, *certificate.sans]))


def _account(certificate: CertBundle) -> str:
    return certificate.arn.split(":")[4]


def _published(account_id: str, record: dict[str, str]) -> bool:
    wanted = record["Name"].rstrip("."), record["Value"].rstrip(".")
    for zone in route53_backends[account_id]["aws"].zones.values():
        if zone.private_zone:
            continue
        for held in zone.rrsets:
            if held.type == "CNAME" and held.name.rstrip(".").lower() == wanted[0]:
                values = [str(value).rstrip(".") for value in held.records or []]
                if wanted[1] in values:
                    return True
    return False


def look_for_records(certificate: CertBundle) -> None:
    """Notes which names are proved; issues the certificate when all have been for a while."""
    if certificate.status != "PENDING_VALIDATION":
        return
    proved: dict[str, Deadline] = certificate.__dict__.setdefault("_proved", {})
    account_id = _account(certificate)
    for name in _names(certificate):
        if not _published(account_id, validation_record(account_id, name)):
            proved.pop(name, None)
        elif name not in proved:
            proved[name] = Deadline(VALIDATION_SECONDS)
    if len(proved) == len(_names(certificate)) and all(d.passed for d in proved.values()):
        certificate.status = "ISSUED"


@wrap(CertBundle, "__init__")
def _init(original: Any, self: CertBundle, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    self._records_appear = Deadline(RECORDS_APPEAR_SECONDS)


@wrap(CertBundle, "check")
def _check(original: Any, self: CertBundle) -> None:
    if self.type != "AMAZON_ISSUED":
        original(self)
    else:
        look_for_records(self)


@wrap(CertBundle, "describe")
def _describe(original: Any, self: CertBundle) -> dict[str, Any]:
    told = original(self)
    if self.type != "AMAZON_ISSUED":
        return told
    certificate = told["Certificate"]
    names = _names(self)
    proved = self.__dict__.get("_proved", {})
    options = []
    for name in names:
        done = self.status == "ISSUED" or (name in proved and proved[name].passed)
        option = {
            "DomainName": name,
            "ValidationDomain": name,
            "ValidationMethod": "DNS",
            "ValidationStatus": "SUCCESS" if done else "PENDING_VALIDATION",
        }
        if self._records_appear.passed:
            option["ResourceRecord"] = validation_record(_account(self), name)
        options.append(option)
    certificate["DomainValidationOptions"] = options
    certificate["SubjectAlternativeNames"] = names
    if self.status != "ISSUED":
        for name in ("IssuedAt", "NotBefore", "NotAfter", "Serial", "Issuer"):
            certificate.pop(name, None)
    return told


@wrap(Route53Backend, "change_resource_record_sets")
def _changed(original: Any, self: Route53Backend, *args: Any, **kwargs: Any) -> Any:
    result = original(self, *args, **kwargs)
    for backend in acm_backends[self.account_id].values():
        for certificate in backend._certificates.values():
            look_for_records(certificate)
    return result


def released(account_id: str, arn: str, seconds: float) -> None:
    """Somebody stopped using a certificate; ACM notices only `seconds` later."""
    certificate = acm_backends[account_id][arn.split(":")[3]]._certificates.get(arn)
    if certificate is not None:
        held = certificate.__dict__.setdefault("_held_until", [])
        held.append(Deadline(seconds))


@hooks.before("acm", "DeleteCertificate")
def _still_in_use(request: hooks.Request) -> None:
    arn = request.params.get("CertificateArn", "")
    certificate = acm_backends[request.account][request.region]._certificates.get(arn)
    held = certificate.__dict__.get("_held_until", []) if certificate is not None else []
    if any(not deadline.passed for deadline in held):
        message = f"Certificate {arn} in account {request.account} is in use."
        raise hooks.AwsError("ResourceInUseException", message)


def _served(listener: Any) -> set[str]:
    held = [listener.certificate, *(listener.certificates or [])]
    arns = {c.get("CertificateArn") if isinstance(c, dict) else c for c in held if c}
    return {str(arn) for arn in arns if arn}


def _release_all(backend: ELBv2Backend, arns: set[str]) -> None:
    for arn in arns:
        released(backend.account_id, arn, LISTENER_SECONDS)


@wrap(ELBv2Backend, "delete_listener")
def _delete_listener(original: Any, self: ELBv2Backend, *args: Any, **kwargs: Any) -> Any:
    listener = original(self, *args, **kwargs)
    _release_all(self, _served(listener))
    return listener


@wrap(ELBv2Backend, "delete_load_balancer")
def _delete_balancer(original: Any, self: ELBv2Backend, arn: str) -> Any:
    balancer = self.load_balancers.get(arn)
    held = [_served(listener) for listener in balancer.listeners.values()] if balancer else []
    result = original(self, arn)
    for arns in held:
        _release_all(self, arns)
    return result


@wrap(ELBv2Backend, "modify_listener")
def _modify_listener(original: Any, self: ELBv2Backend, *args: Any, **kwargs: Any) -> Any:
    arn = kwargs.get("arn", args[0] if args else "")
    before: set[str] = set()
    for balancer in self.load_balancers.values():
        if arn in balancer.listeners:
            before = _served(balancer.listeners[arn])
    listener = original(self, *args, **kwargs)
    _release_all(self, before - _served(listener))
    return listener
