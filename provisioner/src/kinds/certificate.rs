//! Certificates: the API's in the home region, the assets' in us-east-1, where CloudFront wants it.

use std::time::Duration;

use aws_sdk_acm::types::{
    CertificateDetail, CertificateStatus, CertificateSummary, KeyAlgorithm, ValidationMethod,
};
use futures::stream::{StreamExt, TryStreamExt};
use serde::{Deserialize, Serialize};

use super::{
    Attrs, Change, Created, Cx, Error, Field, Kind, Live, Phase, Place, Progress, Ref, ReplaceOrder, Result, State,
    Want, attrs, hosted_zone, record, Tagged};
use super::tokened::{Presence, tokened};
use crate::aws::US_EAST_1;
use crate::aws::error::GoneOk;
use crate::aws::tags::pairs;
use crate::blueprint::{Blueprint, Domain};

/// The address of the API's certificate.
pub const API: &str = "certificate/api";
/// The address of the assets' certificate.
pub const ASSETS: &str = "certificate/assets";

/// A public certificate, proved by a DNS record. Usable, for its dependants, as soon as that record is known.
pub struct Certificate;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// The name that it certifies.
    pub domain: String,
    /// The region that it lives in.
    pub region: String,
    /// The name servers of the zone that was made for it: it is asked for only when they answer.
    pub name_servers: Ref,
}

/// The names to certify: address, name and region.
pub(super) fn names(domain: &Domain, home: &str) -> Vec<(&'static str, String, String)> {
    let api = domain.api.iter().map(|name| (API, name.to_lowercase(), home.to_owned()));
    let assets = domain.assets.iter().map(|name| (ASSETS, name.to_lowercase(), US_EAST_1.to_owned()));
    api.chain(assets).collect()
}

/// The client for the region that `arn` names.
pub(super) fn client<'a>(cx: &'a Cx, arn: &str) -> &'a aws_sdk_acm::Client {
    region_client(cx, arn.split(':').nth(3).unwrap_or_default())
}

fn region_client<'a>(cx: &'a Cx, region: &str) -> &'a aws_sdk_acm::Client {
    if region == cx.stack.home { &cx.aws.acm } else { &cx.aws.acm_global }
}

impl Kind for Certificate {
    type Spec = Spec;
    type Op = std::convert::Infallible;
    const NAME: &'static str = "certificate";
    const TAGGED: Tagged = Tagged::Certificate;
    const FIELDS: &'static [Field<Self::Op>] =
        &[Field::replace("domain"), Field::replace("region"), Field::ignore("name_servers")];
    const AFTER: &'static [&'static str] = &["hosted_zone"];
    const REPLACE: ReplaceOrder = ReplaceOrder::CreateFirst;

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let Some(domain) = &blueprint.domain else { return Vec::new() };
        let delegated_by_us = domain.create_zone && domain.parent_zone.is_some();
        let name_servers = match (domain.create_zone, delegated_by_us) {
            (true, false) => Ref::to(hosted_zone::ADDRESS, "name_servers"),
            _ => Ref::from(""),
        };
        let node = |(address, domain, region)| {
            let want = Want::new(address, Spec { domain, region, name_servers: name_servers.clone() });
            if delegated_by_us { want.after(record::DELEGATION) } else { want }
        };
        names(domain, &place.stack.home).into_iter().map(node).collect()
    }

    fn expected(&self, phase: Phase, spec: &Spec) -> Duration {
        // ACM holds on to a certificate for minutes after CloudFront has let go of it.
        let delete = if spec.region == US_EAST_1 { 600 } else { 15 };
        Duration::from_secs(if phase == Phase::Delete { delete } else { 8 })
    }

    fn limit(&self, _phase: Phase) -> Duration {
        Duration::from_secs(3600)
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let found = owned(cx, |_| true).await?;
        let live = found.into_iter().map(|(address, arn)| async move {
            let detail = describe(cx, &arn).await?;
            Ok::<_, Error>(detail.map(|detail| live(address, arn, &detail)))
        });
        let live: Vec<_> = futures::stream::iter(live).buffer_unordered(4).try_collect().await?;
        Ok(live.into_iter().flatten().collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        record::must_be_delegated(cx, &want.spec.domain, want.spec.name_servers.get()).await?;
        let create = |token: String| async move {
            let answer = region_client(cx, &want.spec.region)
                .request_certificate()
                .domain_name(&want.spec.domain)
                .validation_method(ValidationMethod::Dns)
                .idempotency_token(token)
                .set_tags(Some(cx.tags(&want.address).acm()))
                .send()
                .await?;
            answer.certificate_arn.ok_or(Error::Incomplete { call: "acm RequestCertificate", what: "CertificateArn" })
        };
        let look = |arn: String| async move {
            Ok(match describe(cx, &arn).await?.as_ref().map(state) {
                None => Presence::Unseen,
                Some(State::Failed(_)) => Presence::Dead,
                Some(_) => Presence::Alive,
            })
        };
        let arn = tokened(cx, want, create, look).await?;
        Ok(Created { attrs: attrs([("arn", &arn)]), id: arn })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        let Some(detail) = describe(cx, id).await? else { return Ok(Progress::Pending("not visible yet".into())) };
        match state(&detail) {
            State::Failed(reason) => Err(Error::Failed { resource: id.to_owned(), reason }),
            State::Ready => Ok(Progress::Ready(outputs(id, &detail))),
            _ => Ok(Progress::Pending("waiting for its validation record".into())),
        }
    }

    async fn update(&self, _cx: &Cx, op: Self::Op, _change: &Change<'_, Spec>) -> Result<()> {
        match op {}
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        client(cx, &live.id).delete_certificate().certificate_arn(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}

/// Address and ARN of every certificate of the stack, of both regions, among those that `wanted` lets through.
pub(super) async fn owned(cx: &Cx, wanted: impl Fn(&CertificateStatus) -> bool) -> Result<Vec<(String, String)>> {
    let home = list_region(&cx.aws.acm);
    let listed = if cx.stack.home == US_EAST_1 {
        home.await?
    } else {
        let (mut home, global) = futures::try_join!(home, list_region(&cx.aws.acm_global))?;
        home.extend(global);
        home
    };
    let candidates = listed.into_iter().filter(|summary| summary.status().is_none_or(&wanted));
    let arns = candidates.filter_map(|summary| summary.certificate_arn);
    let found = arns.map(|arn| async move {
        let tags = client(cx, &arn).list_tags_for_certificate().certificate_arn(&arn).send().await.gone_ok()?;
        let tags = tags.and_then(|tags| tags.tags).unwrap_or_default();
        Ok::<_, Error>(cx.node_of(Certificate::NAME, &arn, pairs(&tags)).map(|address| (address, arn)))
    });
    let found: Vec<_> = futures::stream::iter(found.collect::<Vec<_>>()).buffer_unordered(8).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

async fn list_region(acm: &aws_sdk_acm::Client) -> Result<Vec<CertificateSummary>> {
    // Ours are RSA 2048, what ACM makes by default.
    let types = aws_sdk_acm::types::Filters::builder().key_types(KeyAlgorithm::Rsa2048).build();
    let pages = acm.list_certificates().includes(types).into_paginator().items().send();
    Ok(pages.collect::<Result<Vec<_>, _>>().await?)
}

/// The certificate; `None` where there is none.
pub(super) async fn describe(cx: &Cx, arn: &str) -> Result<Option<CertificateDetail>> {
    let answer = client(cx, arn).describe_certificate().certificate_arn(arn).send().await.gone_ok()?;
    Ok(answer.and_then(|answer| answer.certificate))
}

/// Why it will never be issued.
pub(super) fn failure(detail: &CertificateDetail) -> Option<String> {
    let status = detail.status()?;
    let hopeless = matches!(
        status,
        CertificateStatus::Failed
            | CertificateStatus::ValidationTimedOut
            | CertificateStatus::Revoked
            | CertificateStatus::Expired
    );
    let reason = detail.failure_reason().map(|reason| format!(": {}", reason.as_str())).unwrap_or_default();
    hopeless.then(|| format!("ACM says {}{reason}", status.as_str()))
}

fn validation_record(detail: &CertificateDetail) -> Option<&aws_sdk_acm::types::ResourceRecord> {
    detail.domain_validation_options().first()?.resource_record()
}

fn state(detail: &CertificateDetail) -> State {
    match failure(detail) {
        Some(reason) => State::Failed(reason),
        None if validation_record(detail).is_some() => State::Ready,
        None => State::Pending("waiting for its validation record".into()),
    }
}

fn outputs(arn: &str, detail: &CertificateDetail) -> Attrs {
    let mut outputs = attrs([("arn", arn)]);
    if let Some(record) = validation_record(detail) {
        outputs.extend(attrs([
            ("record_name", &record::canonical(record.name())),
            ("record_value", &record::canonical(record.value())),
        ]));
    }
    outputs
}

fn live(address: String, arn: String, detail: &CertificateDetail) -> Live<Spec> {
    let spec = Spec {
        domain: detail.domain_name().unwrap_or_default().to_lowercase(),
        region: arn.split(':').nth(3).unwrap_or_default().to_owned(),
        name_servers: Ref::from(""),
    };
    Live { address, spec, attrs: outputs(&arn, detail), state: state(detail), id: arn }
}
