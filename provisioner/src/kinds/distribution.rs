//! The CloudFront distribution that serves the assets.

mod config;

use std::time::Duration;

use aws_sdk_cloudfront::types::{DistributionConfigWithTags, DistributionSummary, Tags as SdkTags};
use serde::{Deserialize, Serialize};

use super::{
    Attrs, Change, Created, Cx, Error, Field, Impact, Kind, Live, Phase, Place, Progress, Ref, Result, State, Want,
    attrs, bucket, certificate_validation, origin_access_control, Tagged};
use super::tokened::{Presence, tokened};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::Stack;
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// Its address.
pub const ADDRESS: &str = "distribution";

/// A distribution over the bucket of assets.
pub struct Distribution;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Whether it serves.
    pub enabled: bool,
    /// The bucket's regional name.
    pub origin: Ref,
    /// Id of the origin access control.
    pub origin_access_control: Ref,
    /// Names of its own.
    pub aliases: Vec<String>,
    /// ARN of the certificate for them; empty: CloudFront's own.
    pub certificate: Ref,
    /// Where it serves from.
    pub price_class: String,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `UpdateDistribution`.
    Config,
}

/// Distributions cannot be listed by tag, so the comment narrows the candidates down; the tags decide.
fn comment(stack: &Stack) -> String {
    let comment = format!("Assets of {} of {}", stack.name, stack.home);
    comment.chars().take(128).collect()
}

impl Kind for Distribution {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "distribution";
    const TAGGED: Tagged = Tagged::Distribution;
    const FIELDS: &'static [Field<Op>] = &[
        Field::update("enabled", Op::Config, Impact::InPlace),
        Field::update("origin", Op::Config, Impact::InPlace),
        Field::update("origin_access_control", Op::Config, Impact::InPlace),
        Field::update("aliases", Op::Config, Impact::InPlace),
        Field::update("certificate", Op::Config, Impact::InPlace),
        Field::update("price_class", Op::Config, Impact::InPlace),
    ];
    // Not its certificate: ACM holds on to that for ten minutes after `delete` has let go of it, which begins at once.
    const AFTER: &'static [&'static str] = &["bucket", "origin_access_control"];

    fn desired(&self, blueprint: &Blueprint, _place: &Place) -> Vec<Want<Spec>> {
        let Some(assets) = &blueprint.assets else { return Vec::new() };
        let alias = blueprint.domain.as_ref().and_then(|domain| domain.assets.clone());
        let certificate = match alias {
            Some(_) => Ref::to(certificate_validation::ASSETS, "arn"),
            None => Ref::from(""),
        };
        let spec = Spec {
            enabled: true,
            origin: Ref::to(bucket::ASSETS, "domain"),
            origin_access_control: Ref::to(origin_access_control::ADDRESS, "id"),
            aliases: alias.into_iter().collect(),
            certificate,
            price_class: assets.price_class.as_str().to_owned(),
        };
        vec![Want::new(ADDRESS, spec)]
    }

    fn expected(&self, phase: Phase, _spec: &Spec) -> Duration {
        Duration::from_secs(match phase {
            Phase::Create | Phase::Update => 180,
            Phase::Delete => 190,
        })
    }

    fn limit(&self, _phase: Phase) -> Duration {
        // AWS was seen to need ninety minutes.
        Duration::from_secs(5400)
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let wanted = comment(&cx.stack);
        let mut pages = cx.aws.cloudfront.list_distributions().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.try_next().await? {
            let items = page.distribution_list.and_then(|list| list.items).unwrap_or_default();
            for item in items.into_iter().filter(|item| item.comment == wanted) {
                let tags = cx.aws.cloudfront.list_tags_for_resource().resource(&item.arn).send().await.gone_ok()?;
                let tags = tags.and_then(|tags| tags.tags?.items).unwrap_or_default();
                let Some(address) = cx.node_of(Self::NAME, &item.id, pairs(&tags)) else { continue };
                found.push(live(address, &item));
            }
        }
        Ok(found)
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let create = |reference: String| async move {
            let config = config::build(&want.spec, &reference, &comment(&cx.stack))?;
            let tags = SdkTags::builder().set_items(Some(cx.tags(&want.address).cloudfront())).build();
            let with_tags = DistributionConfigWithTags::builder().distribution_config(config).tags(tags).build();
            let call = cx.aws.cloudfront.create_distribution_with_tags().distribution_config_with_tags(with_tags);
            match call.send().await.map_err(CallError::from) {
                Ok(answer) => answer
                    .distribution
                    .map(|made| made.id)
                    .ok_or(Error::Incomplete { call: "cloudfront CreateDistribution", what: "Distribution" }),
                // Made by an attempt whose answer was lost, or long gone.
                Err(error) if error.is(&["DistributionAlreadyExists"]) => {
                    let found = self.list(cx).await?.into_iter().find(|live| live.address == want.address);
                    Ok(found.map_or(reference, |live| live.id))
                }
                Err(error) => Err(error.into()),
            }
        };
        let look = |id: String| async move {
            let found = cx.aws.cloudfront.get_distribution().id(&id).send().await.gone_ok()?;
            Ok(if found.is_some() { Presence::Alive } else { Presence::Dead })
        };
        let id = tokened(cx, want, create, look).await?;
        Ok(Created { id, attrs: Attrs::new() })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        let answer = cx.aws.cloudfront.get_distribution().id(id).send().await?;
        let lacks = Error::Incomplete { call: "cloudfront GetDistribution", what: "Distribution" };
        let distribution = answer.distribution.ok_or(lacks)?;
        Ok(match distribution.status.as_str() {
            "Deployed" => Progress::Ready(outputs(&distribution.arn, &distribution.domain_name)),
            status => Progress::Pending(status.to_owned()),
        })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        let (id, want) = (&change.live.id, change.want);
        match op {
            Op::Config => config::change(cx, id, |config| config::apply(config, want)).await?,
        };
        Ok(())
    }

    /// Only switches it off and lets go of its certificate: that takes minutes, and [`Kind::gone`] deletes it afterwards.
    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        config::change(cx, &live.id, config::off).await
    }

    async fn gone(&self, cx: &Cx, live: &Live<Spec>) -> Result<Progress> {
        let Some(answer) = cx.aws.cloudfront.get_distribution().id(&live.id).send().await.gone_ok()? else {
            return Ok(Progress::Ready(Attrs::new()));
        };
        let status = answer.distribution.map(|distribution| distribution.status).unwrap_or_default();
        if status != "Deployed" {
            return Ok(Progress::Pending("being disabled".into()));
        }
        // The ETag must be the newest; the flag may still lag behind `Deployed`.
        let call = cx.aws.cloudfront.delete_distribution().id(&live.id).set_if_match(answer.e_tag);
        match call.send().await.gone_ok() {
            Ok(_) => Ok(Progress::Ready(Attrs::new())),
            Err(error) if error.is(&["DistributionNotDisabled", "PreconditionFailed", "InvalidIfMatchVersion"]) => {
                Ok(Progress::Pending("disabled, not yet deletable".into()))
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn outputs(arn: &str, domain: &str) -> Attrs {
    attrs([("arn", arn), ("domain", domain), ("url", &format!("https://{domain}"))])
}

fn live(address: String, item: &DistributionSummary) -> Live<Spec> {
    let state = match item.status() {
        "Deployed" => State::Ready,
        status => State::Pending(status.to_owned()),
    };
    let attrs = outputs(&item.arn, &item.domain_name);
    Live { address, id: item.id.clone(), spec: config::spec_of(item), attrs, state }
}
