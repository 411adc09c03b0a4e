//! The public hosted zone of the stack's domain, where the stack makes it.

use aws_sdk_route53::types::{HostedZone as Zone, HostedZoneConfig, ResourceRecordSet, TagResourceType};
use serde::{Deserialize, Serialize};

use super::{Attrs, Change, Created, Cx, Error, Field, Impact, Kind, Live, Place, Result, State, Want, attrs, record, Tagged};
use super::tokened::{Presence, tokened};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::Stack;
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// Its address.
pub const ADDRESS: &str = "hosted-zone";

/// A public hosted zone. It takes no tags at creation: its CallerReference begins with stack and home.
pub struct HostedZone;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its name, without a dot at its end.
    pub name: String,
    /// Whether it carries the stack's tags: Route 53 takes none in the create call.
    pub tagged: bool,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `ChangeTagsForResource`.
    Tag,
}

/// What the CallerReference of this stack's zone begins with.
fn reference_start(stack: &Stack) -> String {
    format!("{}/{}/", stack.name, stack.home)
}

/// Whether the stack made the zone.
pub(super) fn is_own(stack: &Stack, zone: &Zone) -> bool {
    zone.caller_reference().starts_with(&reference_start(stack))
}

/// A zone's id without its path.
pub(super) fn bare(id: &str) -> String {
    id.trim_start_matches("/hostedzone/").to_owned()
}

impl Kind for HostedZone {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "hosted_zone";
    const TAGGED: Tagged = Tagged::Zone;
    const FIELDS: &'static [Field<Self::Op>] = &[Field::replace("name"), Field::update("tagged", Op::Tag, Impact::None)];
    const AFTER: &'static [&'static str] = &[];

    fn desired(&self, blueprint: &Blueprint, _place: &Place) -> Vec<Want<Spec>> {
        let domain = blueprint.domain.iter().filter(|domain| domain.create_zone);
        domain.map(|domain| Want::new(ADDRESS, Spec { name: domain.zone.to_lowercase(), tagged: true })).collect()
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let mut pages = cx.aws.route53.list_hosted_zones().into_paginator().send();
        let mut found = Vec::new();
        while let Some(page) = pages.try_next().await? {
            for zone in page.hosted_zones().iter().filter(|zone| is_own(&cx.stack, zone)) {
                let id = bare(zone.id());
                let Some(answer) = cx.aws.route53.get_hosted_zone().id(&id).send().await.gone_ok()? else { continue };
                let servers = answer.delegation_set().map(|set| set.name_servers().to_vec()).unwrap_or_default();
                let name = zone.name().trim_end_matches('.').to_lowercase();
                let attrs = outputs(&name, servers);
                let call = cx.aws.route53.list_tags_for_resource().resource_type(TagResourceType::Hostedzone);
                let tags = call.resource_id(&id).send().await.gone_ok()?;
                let tags = tags.and_then(|answer| answer.resource_tag_set?.tags).unwrap_or_default();
                cx.note_tags(Self::NAME, &id, pairs(&tags));
                let spec = Spec { name, tagged: cx.stack.node_of(pairs(&tags)).is_some() };
                found.push(Live { address: ADDRESS.into(), id, spec, attrs, state: State::Ready });
            }
        }
        Ok(found)
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let create = |token: String| async move {
            let config = HostedZoneConfig::builder().comment(format!("Zone of stack {}", cx.stack.name)).build();
            let call = cx.aws.route53.create_hosted_zone().name(&want.spec.name).hosted_zone_config(config);
            let call = call.caller_reference(format!("{}{token}", reference_start(&cx.stack)));
            match call.send().await.map_err(CallError::from) {
                Ok(answer) => Ok(bare(answer.hosted_zone.as_ref().map(|zone| zone.id()).unwrap_or_default())),
                // Made by an attempt whose answer was lost, or long gone.
                Err(error) if error.is(&["HostedZoneAlreadyExists"]) => {
                    let found = self.list(cx).await?.into_iter().find(|live| live.spec.name == want.spec.name);
                    Ok(found.map_or(token, |live| live.id))
                }
                Err(error) => Err(error.into()),
            }
        };
        let look = |id: String| async move {
            let found = cx.aws.route53.get_hosted_zone().id(&id).send().await.gone_ok()?;
            Ok(if found.is_some() { Presence::Alive } else { Presence::Dead })
        };
        let id = tokened(cx, want, create, look).await?;
        tag(cx, &id).await?;
        let answer = cx.aws.route53.get_hosted_zone().id(&id).send().await?;
        let servers = answer.delegation_set.map(|set| set.name_servers).unwrap_or_default();
        Ok(Created { id, attrs: outputs(&want.spec.name, servers) })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::Tag => tag(cx, &change.live.id).await,
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        let Some(sets) = record::all_of(cx, &live.id).await? else { return Ok(()) };
        if let Some(other) = sets.iter().find(|set| !comes_with_the_zone(set, &live.spec.name)) {
            return Err(Error::Refused {
                what: format!(
                    "the hosted zone {} holds records that are not the stack's ({} {})",
                    live.spec.name,
                    other.r#type().as_str(),
                    other.name()
                ),
                help: "delete them, then run the command again".into(),
            });
        }
        cx.aws.route53.delete_hosted_zone().id(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}

/// For people and bills: whose the zone is, its CallerReference says.
pub(super) async fn tag(cx: &Cx, id: &str) -> Result<()> {
    let call = cx.aws.route53.change_tags_for_resource().resource_type(TagResourceType::Hostedzone);
    let dropped = (!cx.dropped_tags.is_empty()).then(|| cx.dropped_tags.iter().cloned().collect());
    let call = call.resource_id(id).set_remove_tag_keys(dropped);
    call.set_add_tags(Some(cx.tags(ADDRESS).route53())).send().await?;
    Ok(())
}

fn comes_with_the_zone(set: &ResourceRecordSet, zone: &str) -> bool {
    matches!(set.r#type().as_str(), "NS" | "SOA") && set.name().trim_end_matches('.').eq_ignore_ascii_case(zone)
}

fn outputs(name: &str, mut servers: Vec<String>) -> Attrs {
    servers.sort();
    attrs([("name", name), ("name_servers", &servers.join(","))])
}
