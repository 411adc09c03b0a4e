//! What lets CloudFront read the bucket of assets, and nobody else.

use aws_sdk_cloudfront::types::{
    OriginAccessControlConfig, OriginAccessControlOriginTypes, OriginAccessControlSigningBehaviors,
    OriginAccessControlSigningProtocols, OriginAccessControlSummary,
};
use serde::{Deserialize, Serialize};

use super::{Attrs, Change, Created, Cx, Error, Field, Kind, Live, Place, Result, State, Want, Tagged};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::{NameRule, Stack};
use crate::blueprint::Blueprint;

/// Its address.
pub const ADDRESS: &str = "origin-access-control";

/// An origin access control: it takes no tags, so its name, which carries a hash of the region, is deterministic.
pub struct OriginAccessControl;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its name, unique in the account.
    pub name: String,
}

fn name(stack: &Stack) -> String {
    stack.global_name_for(ADDRESS, NameRule::max(64))
}

impl Kind for OriginAccessControl {
    type Spec = Spec;
    type Op = std::convert::Infallible;
    const NAME: &'static str = "origin_access_control";
    const TAGGED: Tagged = Tagged::Not;
    const FIELDS: &'static [Field<Self::Op>] = &[Field::replace("name")];
    const AFTER: &'static [&'static str] = &[];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        if blueprint.assets.is_none() {
            return Vec::new();
        }
        vec![Want::new(ADDRESS, Spec { name: name(&place.stack) })]
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let name = name(&cx.stack);
        let live = |found: OriginAccessControlSummary| Live {
            address: ADDRESS.to_owned(),
            id: found.id,
            spec: Spec { name: found.name },
            attrs: Attrs::new(),
            state: State::Ready,
        };
        Ok(find(cx, &name).await?.map(live).into_iter().collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let config = OriginAccessControlConfig::builder()
            .name(&want.spec.name)
            .description(format!("Assets of stack {} of {}", cx.stack.name, cx.stack.home))
            .signing_protocol(OriginAccessControlSigningProtocols::Sigv4)
            .signing_behavior(OriginAccessControlSigningBehaviors::Always)
            .origin_access_control_origin_type(OriginAccessControlOriginTypes::S3)
            .build()?;
        let call = cx.aws.cloudfront.create_origin_access_control().origin_access_control_config(config);
        let id = match call.send().await.map_err(CallError::from) {
            Ok(answer) => answer.origin_access_control.map(|control| control.id),
            // Made by an attempt whose answer was lost.
            Err(error) if error.is(&["OriginAccessControlAlreadyExists"]) => {
                find(cx, &want.spec.name).await?.map(|control| control.id)
            }
            Err(error) => return Err(error.into()),
        };
        let id = id.ok_or(Error::Incomplete { call: "cloudfront CreateOriginAccessControl", what: "Id" })?;
        Ok(Created { id, attrs: Attrs::new() })
    }

    async fn update(&self, _cx: &Cx, op: Self::Op, _change: &Change<'_, Spec>) -> Result<()> {
        match op {}
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        let cloudfront = &cx.aws.cloudfront;
        let Some(found) = cloudfront.get_origin_access_control().id(&live.id).send().await.gone_ok()? else {
            return Ok(());
        };
        let call = cloudfront.delete_origin_access_control().id(&live.id).set_if_match(found.e_tag);
        call.send().await.gone_ok()?;
        Ok(())
    }
}

async fn find(cx: &Cx, name: &str) -> Result<Option<OriginAccessControlSummary>> {
    let mut pages = cx.aws.cloudfront.list_origin_access_controls().into_paginator().send();
    while let Some(page) = pages.try_next().await? {
        let items = page.origin_access_control_list.and_then(|list| list.items).unwrap_or_default();
        if let Some(found) = items.into_iter().find(|control| control.name == name) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
