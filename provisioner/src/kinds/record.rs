//! DNS records, in a zone of the stack's own or in one that was there before.
//!
//! A record takes no tags: who owns it stands in a TXT record at `_provision.<name>`. Two stacks may own one record (the
//! validation record of a name that both certify); the last one deletes it. A record that was there before is used where
//! it says the right thing, and is never touched.

mod batch;
mod delegation;
mod owners;
mod sets;

use std::time::Duration;

use aws_sdk_route53::types::ChangeStatus;
use serde::{Deserialize, Serialize};

use super::{
    Attrs, Change, Created, Cx, Error, Field, Impact, Kind, Live, Phase, Place, Progress, Ref, Result, State, Want,
    distribution, hosted_zone, Tagged};
use crate::blueprint::{Blueprint, Domain};

pub use delegation::must_be_delegated;
pub use sets::{all_of, canonical};

/// The address of the NS record in the parent zone.
pub const DELEGATION: &str = "record/delegation";
/// The zone of every CloudFront distribution's name.
const CLOUDFRONT_ZONE: &str = "Z2FDTNDATAQYW2";
/// Seconds for which resolvers may keep a record that is no alias.
const TTL: i64 = 300;

/// A DNS record.
pub struct Record;

/// What it can be told to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// Id of the hosted zone.
    pub zone: Ref,
    /// Its name, without a dot at its end.
    pub name: Ref,
    /// `A` (always an alias), `CNAME` or `NS`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it points at; several values are separated by commas.
    pub value: Ref,
    /// For an alias the zone of its target; else empty.
    pub alias_zone: Ref,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `UPSERT`.
    Value,
}

impl Spec {
    fn alias(zone: Ref, name: &str, target: Ref, alias_zone: Ref) -> Self {
        Self { zone, name: Ref::from(name.to_lowercase()), kind: "A".into(), value: target, alias_zone }
    }

    fn validation(zone: Ref, certificate: &str) -> Self {
        Self {
            zone,
            name: Ref::to(certificate, "record_name"),
            kind: "CNAME".into(),
            value: Ref::to(certificate, "record_value"),
            alias_zone: Ref::from(""),
        }
    }
}

fn id_of(zone: &str, name: &str, kind: &str) -> String {
    format!("{zone}|{name}|{kind}")
}

fn wanted(domain: &Domain, place: &Place) -> Vec<Want<Spec>> {
    let zone = match &place.zone_id {
        Some(id) if !domain.create_zone => Ref::from(hosted_zone::bare(id)),
        _ => Ref::to(hosted_zone::ADDRESS, "id"),
    };
    let mut records = Vec::new();
    if let Some(api) = &domain.api {
        let balancer = |attr| Ref::to("load-balancer", attr);
        let alias = Spec::alias(zone.clone(), api, balancer("dns_name"), balancer("zone_id"));
        records.push(Want::new("record/api", alias));
        records.push(Want::new("record/validate-api", Spec::validation(zone.clone(), super::certificate::API)));
    }
    if let Some(assets) = &domain.assets {
        let target = Ref::to(distribution::ADDRESS, "domain");
        let alias = Spec::alias(zone.clone(), assets, target, Ref::from(CLOUDFRONT_ZONE));
        records.push(Want::new("record/assets", alias));
        records.push(Want::new("record/validate-assets", Spec::validation(zone, super::certificate::ASSETS)));
    }
    if let Some(parent) = place.parent_zone_id.as_ref().filter(|_| domain.create_zone) {
        let spec = Spec {
            zone: Ref::from(hosted_zone::bare(parent)),
            name: Ref::from(domain.zone.to_lowercase()),
            kind: "NS".into(),
            value: Ref::to(hosted_zone::ADDRESS, "name_servers"),
            alias_zone: Ref::from(""),
        };
        records.push(Want::new(DELEGATION, spec));
    }
    records
}

impl Kind for Record {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "record";
    const TAGGED: Tagged = Tagged::Not;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("zone"),
        Field::replace("name"),
        Field::replace("type"),
        Field::update("value", Op::Value, Impact::InPlace),
        Field::update("alias_zone", Op::Value, Impact::InPlace),
    ];
    const AFTER: &'static [&'static str] = &["hosted_zone", "certificate", "load_balancer", "distribution"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        blueprint.domain.iter().flat_map(|domain| wanted(domain, place)).collect()
    }

    fn expected(&self, phase: Phase, _spec: &Spec) -> Duration {
        Duration::from_secs(if phase == Phase::Delete { 2 } else { 30 })
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let mut found = Vec::new();
        for (zone, sets) in sets::of_zones(cx).await? {
            for text in &sets {
                let Some((name, owners)) = owners::read(text) else { continue };
                for address in owners.addresses(&cx.stack) {
                    let set = sets::main(&sets, &name);
                    found.push(Live {
                        address,
                        id: id_of(&zone, &name, set.map_or("", |set| set.r#type().as_str())),
                        spec: sets::spec_of(&zone, &name, set),
                        attrs: super::attrs([("name", &name)]),
                        state: State::Ready,
                    });
                }
            }
        }
        Ok(found)
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let change = batch::own(cx, &want.address, &want.spec).await?;
        let name = canonical(want.spec.name.get());
        let id = id_of(want.spec.zone.get(), &name, &want.spec.kind);
        // The change rides along, so that `ready` can ask for it.
        let id = change.map_or(id.clone(), |change| format!("{id}|{change}"));
        Ok(Created { attrs: super::attrs([("name", &name)]), id })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        let Some(change) = id.split('|').nth(3) else { return Ok(Progress::Ready(Attrs::new())) };
        let answer = cx.aws.route53.get_change().id(change).send().await?;
        let status = answer.change_info.map(|info| info.status);
        Ok(match status {
            Some(ChangeStatus::Pending) => Progress::Pending("on its way to the name servers".into()),
            _ => Progress::Ready(Attrs::new()),
        })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::Value => batch::own(cx, &change.live.address, change.want).await?,
        };
        Ok(())
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        batch::disown(cx, &live.address, live.spec.zone.get(), live.spec.name.get()).await
    }
}

/// The record is somebody else's.
fn foreign(name: &str, kind: &str, owner: &str) -> Error {
    Error::Refused {
        what: format!("the record {kind} {name} exists, says something else, and belongs to {owner}"),
        help: "delete it, or choose another name in [domain]".into(),
    }
}
