//! Record sets: reading them, and a spec from and to one.

use aws_sdk_route53::types::{AliasTarget, HostedZone, ResourceRecord, ResourceRecordSet, RrType};
use futures::stream::{StreamExt, TryStreamExt};

use super::{CLOUDFRONT_ZONE, Spec};
use crate::aws::error::GoneOk;
use crate::kinds::hosted_zone::{bare, is_own};
use crate::kinds::{Cx, Error, Ref, Result, bucket};

/// A name as it is compared: lower case, without a dot at its end.
pub fn canonical(name: &str) -> String {
    name.trim_end_matches('.').to_lowercase()
}

/// Every record set of a zone; `None` where there is no such zone.
pub async fn all_of(cx: &Cx, zone: &str) -> Result<Option<Vec<ResourceRecordSet>>> {
    let mut all = Vec::new();
    let mut next: Option<(String, RrType, Option<String>)> = None;
    loop {
        let mut call = cx.aws.route53.list_resource_record_sets().hosted_zone_id(zone);
        if let Some((name, kind, identifier)) = next {
            call = call.start_record_name(name).start_record_type(kind).set_start_record_identifier(identifier);
        }
        let Some(page) = call.send().await.gone_ok()? else { return Ok(None) };
        all.extend(page.resource_record_sets);
        match (page.is_truncated, page.next_record_name, page.next_record_type) {
            (true, Some(name), Some(kind)) => next = Some((name, kind, page.next_record_identifier)),
            _ => return Ok(Some(all)),
        }
    }
}

/// The record sets of the zones in which the stack has records: its own, and those that its bucket notes. Where there is no
/// bucket, of every public zone of the account.
pub(super) async fn of_zones(cx: &Cx) -> Result<Vec<(String, Vec<ResourceRecordSet>)>> {
    let noted = bucket::noted_zones(cx).await?;
    let zones = cx.aws.route53.list_hosted_zones().into_paginator().items().send();
    let zones = zones.collect::<Result<Vec<_>, _>>().await?;
    let ours = |zone: &HostedZone| match &noted {
        Some(noted) => is_own(&cx.stack, zone) || noted.contains(&bare(zone.id())),
        None => !zone.config().is_some_and(|config| config.private_zone()),
    };
    let reads: Vec<_> = zones
        .into_iter()
        .filter(ours)
        .map(|zone| async move {
            let id = bare(zone.id());
            let sets = all_of(cx, &id).await?.unwrap_or_default();
            Ok::<_, Error>((id, sets))
        })
        .collect();
    // Route 53 takes five calls a second.
    futures::stream::iter(reads).buffer_unordered(3).try_collect().await
}

/// The sets of exactly this name in one zone.
pub(super) async fn named(cx: &Cx, zone: &str, name: &str) -> Result<Vec<ResourceRecordSet>> {
    let call = cx.aws.route53.list_resource_record_sets().hosted_zone_id(zone).start_record_name(name).max_items(20);
    let Some(page) = call.send().await.gone_ok()? else { return Ok(Vec::new()) };
    Ok(page.resource_record_sets.into_iter().filter(|set| canonical(set.name()) == name).collect())
}

/// The record that the owners of `name` own. A zone's own NS record is never meant.
pub(super) fn main<'a>(sets: &'a [ResourceRecordSet], name: &str) -> Option<&'a ResourceRecordSet> {
    let is_apex = sets.iter().any(|set| *set.r#type() == RrType::Soa && canonical(set.name()) == name);
    let of = |kind: RrType| sets.iter().find(|set| *set.r#type() == kind && canonical(set.name()) == name);
    of(RrType::A).or_else(|| of(RrType::Cname)).or_else(|| if is_apex { None } else { of(RrType::Ns) })
}

/// What a record set says; nothing, where the record is missing.
pub(super) fn spec_of(zone: &str, name: &str, set: Option<&ResourceRecordSet>) -> Spec {
    let (value, alias_zone) = set.map(value_of).unwrap_or_default();
    Spec {
        zone: Ref::from(zone),
        name: Ref::from(name),
        kind: set.map(|set| set.r#type().as_str().to_owned()).unwrap_or_default(),
        value: Ref::from(value),
        alias_zone: Ref::from(alias_zone),
    }
}

fn value_of(set: &ResourceRecordSet) -> (String, String) {
    if let Some(alias) = set.alias_target() {
        let target = canonical(alias.dns_name());
        let target = target.strip_prefix("dualstack.").map(str::to_owned).unwrap_or(target);
        return (target, alias.hosted_zone_id().to_owned());
    }
    let mut values: Vec<String> = set.resource_records().iter().map(|record| canonical(record.value())).collect();
    values.sort();
    (values.join(","), String::new())
}

/// Whether a record set says what the spec wants.
pub(super) fn says(set: &ResourceRecordSet, spec: &Spec) -> bool {
    let (value, alias_zone) = value_of(set);
    let mut wanted: Vec<String> = spec.value.get().split(',').map(canonical).collect();
    wanted.sort();
    set.r#type().as_str() == spec.kind && value == wanted.join(",") && alias_zone == spec.alias_zone.get()
}

/// The record set that the spec wants.
pub(super) fn to_set(spec: &Spec) -> Result<ResourceRecordSet> {
    let set = ResourceRecordSet::builder().name(canonical(spec.name.get())).r#type(RrType::from(spec.kind.as_str()));
    if spec.alias_zone.get().is_empty() {
        let value = |value: &str| ResourceRecord::builder().value(value).build();
        let values = spec.value.get().split(',').map(value).collect::<Result<Vec<_>, _>>()?;
        return Ok(set.ttl(super::TTL).set_resource_records(Some(values)).build()?);
    }
    let alias = AliasTarget::builder()
        .dns_name(spec.value.get())
        .hosted_zone_id(spec.alias_zone.get())
        .evaluate_target_health(spec.alias_zone.get() != CLOUDFRONT_ZONE)
        .build()?;
    Ok(set.alias_target(alias).build()?)
}
