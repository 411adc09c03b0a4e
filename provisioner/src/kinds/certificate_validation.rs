//! The wait until a certificate is issued. It makes nothing.

use std::time::Duration;

use aws_sdk_acm::types::CertificateStatus;
use serde::{Deserialize, Serialize};

use super::{
    Change, Created, Cx, Error, Field, Kind, Live, Phase, Place, Progress, Ref, ReplaceOrder, Result, State, Want,
    attrs, certificate, Tagged};
use crate::blueprint::Blueprint;

/// The address of the wait for the assets' certificate.
pub const ASSETS: &str = "certificate-validation/assets";

/// A certificate that has been issued.
pub struct CertificateValidation;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// The certificate's ARN.
    pub certificate: Ref,
}

fn address_of(certificate: &str) -> String {
    certificate.replacen("certificate/", "certificate-validation/", 1)
}

impl Kind for CertificateValidation {
    type Spec = Spec;
    type Op = std::convert::Infallible;
    const NAME: &'static str = "certificate_validation";
    const TAGGED: Tagged = Tagged::Not;
    const FIELDS: &'static [Field<Self::Op>] = &[Field::replace("certificate")];
    const AFTER: &'static [&'static str] = &["certificate"];
    const REPLACE: ReplaceOrder = ReplaceOrder::CreateFirst;

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let Some(domain) = &blueprint.domain else { return Vec::new() };
        let node = |(address, _, _): (&str, String, String)| {
            let record = address.replacen("certificate/", "record/validate-", 1);
            Want::new(address_of(address), Spec { certificate: Ref::to(address, "arn") }).after(record)
        };
        certificate::names(domain, &place.stack.home).into_iter().map(node).collect()
    }

    fn expected(&self, phase: Phase, _spec: &Spec) -> Duration {
        Duration::from_secs(if phase == Phase::Delete { 0 } else { 120 })
    }

    fn limit(&self, _phase: Phase) -> Duration {
        Duration::from_secs(3600)
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let issued = certificate::owned(cx, |status| *status == CertificateStatus::Issued).await?;
        let live = |(address, arn): (String, String)| Live {
            address: address_of(&address),
            spec: Spec { certificate: Ref::from(arn.as_str()) },
            attrs: attrs([("arn", &arn)]),
            id: arn,
            state: State::Ready,
        };
        Ok(issued.into_iter().map(live).collect())
    }

    async fn create(&self, _cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let arn = want.spec.certificate.get();
        Ok(Created { id: arn.to_owned(), attrs: attrs([("arn", arn)]) })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        let detail = certificate::describe(cx, id).await?;
        let detail = detail.ok_or(Error::Incomplete { call: "acm DescribeCertificate", what: "Certificate" })?;
        if let Some(reason) = certificate::failure(&detail) {
            return Err(Error::Failed { resource: id.to_owned(), reason });
        }
        Ok(match detail.status() {
            Some(CertificateStatus::Issued) => Progress::Ready(attrs([("arn", id)])),
            _ => Progress::Pending("not issued yet: ACM looks for the validation record".into()),
        })
    }

    async fn update(&self, _cx: &Cx, op: Self::Op, _change: &Change<'_, Spec>) -> Result<()> {
        match op {}
    }

    async fn delete(&self, _cx: &Cx, _live: &Live<Spec>) -> Result<()> {
        Ok(())
    }
}
