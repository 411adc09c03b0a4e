//! The mail address that the topic sends to.
//!
//! It stays pending until its owner confirms it, and cannot be deleted before: then it goes with the topic, or by itself
//! after some days. Which address is wanted is therefore noted in a tag of the topic: a pending one that was given up is
//! not ours any more.

use serde::{Deserialize, Serialize};

use super::sns_topic::{self, arn_of, tags_of};
use super::{Attrs, Change, Created, Cx, Field, Kind, Live, Place, Ref, Result, State, Want, attrs, Tagged};
use crate::aws::error::GoneOk;
use crate::aws::stack::short_hash;
use crate::blueprint::Blueprint;

/// Its address.
pub const ADDRESS: &str = "subscription/email";
/// A hash of the wanted mail address, on the topic.
const TAG_EMAIL: &str = "provision:email";
/// What SNS shows in place of an ARN until the owner has confirmed.
const PENDING: &str = "PendingConfirmation";

/// A subscription by mail.
pub struct SnsSubscription;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// The topic's ARN.
    pub topic: Ref,
    /// The mail address.
    pub email: String,
}

impl Kind for SnsSubscription {
    type Spec = Spec;
    type Op = std::convert::Infallible;
    const NAME: &'static str = "sns_subscription";
    const TAGGED: Tagged = Tagged::Not;
    const FIELDS: &'static [Field<Self::Op>] = &[Field::replace("topic"), Field::replace("email")];
    const AFTER: &'static [&'static str] = &["sns_topic"];

    fn desired(&self, blueprint: &Blueprint, _place: &Place) -> Vec<Want<Spec>> {
        let Some(alarms) = &blueprint.alarms else { return Vec::new() };
        vec![Want::new(ADDRESS, Spec { topic: Ref::to(sns_topic::ADDRESS, "arn"), email: alarms.email.clone() })]
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let topic = arn_of(cx);
        let Some(tags) = tags_of(cx, &topic).await? else { return Ok(Vec::new()) };
        let wanted = tags.iter().find(|tag| tag.key() == TAG_EMAIL).map(|tag| tag.value().to_owned());
        let mut pages = cx.aws.sns.list_subscriptions_by_topic().topic_arn(&topic).into_paginator().items().send();
        let mut found = Vec::new();
        while let Some(subscription) = pages.try_next().await? {
            let email = subscription.endpoint.unwrap_or_default();
            let id = subscription.subscription_arn.unwrap_or_default();
            let given_up = !id.starts_with("arn:") && wanted.as_deref() != Some(short_hash(&email, 16).as_str());
            if subscription.protocol.as_deref() != Some("email") || given_up {
                continue;
            }
            let spec = Spec { topic: Ref::from(topic.as_str()), email };
            found.push(Live {
                address: ADDRESS.into(),
                attrs: attrs([("arn", &id)]),
                id,
                spec,
                state: State::Ready,
            });
        }
        Ok(found)
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let topic = want.spec.topic.get();
        let tag = aws_sdk_sns::types::Tag::builder().key(TAG_EMAIL).value(short_hash(&want.spec.email, 16)).build()?;
        cx.aws.sns.tag_resource().resource_arn(topic).tags(tag).send().await?;
        let call = cx.aws.sns.subscribe().topic_arn(topic).protocol("email").endpoint(&want.spec.email);
        let answer = call.send().await?;
        let id = answer.subscription_arn.filter(|arn| arn.starts_with("arn:")).unwrap_or_else(|| PENDING.to_owned());
        Ok(Created { attrs: Attrs::new(), id })
    }

    async fn update(&self, _cx: &Cx, op: Self::Op, _change: &Change<'_, Spec>) -> Result<()> {
        match op {}
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        if live.id.starts_with("arn:") {
            cx.aws.sns.unsubscribe().subscription_arn(&live.id).send().await.gone_ok()?;
        } else {
            // Pending: it cannot be deleted. Without the note it counts as given up.
            let call = cx.aws.sns.untag_resource().resource_arn(live.spec.topic.get()).tag_keys(TAG_EMAIL);
            call.send().await.gone_ok()?;
        }
        Ok(())
    }
}
