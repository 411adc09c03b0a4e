//! The topic that alarms are sent to.

use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Field, Kind, Live, Place, Result, State, Want, attrs, Tagged};
use crate::aws::error::GoneOk;
use crate::aws::stack::NameRule;
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// Its address.
pub const ADDRESS: &str = "topic";

/// An SNS topic.
pub struct SnsTopic;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its name.
    pub name: String,
}

/// The topic's ARN, which follows from its name.
pub(super) fn arn_of(cx: &Cx) -> String {
    let stack = &cx.stack;
    let name = stack.name_for(ADDRESS, NameRule::max(256));
    format!("arn:{}:sns:{}:{}:{name}", stack.partition(), stack.home, stack.account)
}

/// The topic's tags, if there is such a topic and it is the stack's.
pub(super) async fn tags_of(cx: &Cx, arn: &str) -> Result<Option<Vec<aws_sdk_sns::types::Tag>>> {
    let answer = cx.aws.sns.list_tags_for_resource().resource_arn(arn).send().await.gone_ok()?;
    let tags = answer.and_then(|answer| answer.tags).unwrap_or_default();
    Ok(cx.stack.owns(pairs(&tags)).then_some(tags))
}

impl Kind for SnsTopic {
    type Spec = Spec;
    type Op = std::convert::Infallible;
    const NAME: &'static str = "sns_topic";
    const TAGGED: Tagged = Tagged::Topic;
    const FIELDS: &'static [Field<Self::Op>] = &[Field::replace("name")];
    const AFTER: &'static [&'static str] = &[];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        if blueprint.alarms.is_none() {
            return Vec::new();
        }
        vec![Want::new(ADDRESS, Spec { name: place.stack.name_for(ADDRESS, NameRule::max(256)) })]
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let arn = arn_of(cx);
        let tags = tags_of(cx, &arn).await?;
        let Some(address) = tags.and_then(|tags| cx.node_of(Self::NAME, &arn, pairs(&tags))) else { return Ok(Vec::new()) };
        let name = cx.stack.name_for(ADDRESS, NameRule::max(256));
        Ok(vec![Live { address, attrs: attrs([("arn", &arn)]), id: arn, spec: Spec { name }, state: State::Ready }])
    }

    /// Making a topic of a name that exists gives the one that exists; another's tags make it an error.
    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let call = cx.aws.sns.create_topic().name(&want.spec.name).set_tags(Some(cx.tags(&want.address).sns()));
        let arn = call.send().await?.topic_arn.unwrap_or_else(|| arn_of(cx));
        Ok(Created { attrs: attrs([("arn", &arn)]), id: arn })
    }

    async fn update(&self, _cx: &Cx, op: Self::Op, _change: &Change<'_, Spec>) -> Result<()> {
        match op {}
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        cx.aws.sns.delete_topic().topic_arn(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}
