//! Taking and giving up a record: record and TXT change together, and nobody else's change in between is lost.

use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecordSet};

use super::owners::{self, Owners};
use super::sets::{canonical, named, says, to_set};
use super::{Spec, foreign};
use crate::aws::error::CallError;
use crate::kinds::{Cx, Result, bucket};

/// So often somebody else may change the same TXT record in between.
const ATTEMPTS: usize = 5;

/// What is there now.
struct Found {
    record: Option<ResourceRecordSet>,
    text: Option<ResourceRecordSet>,
    owners: Option<Owners>,
}

/// Reads the record of `kind` (or what stands in its way) and its TXT record. No kind: whatever the owners own.
async fn look(cx: &Cx, zone: &str, name: &str, kind: Option<&str>) -> Result<Found> {
    let text_name = owners::text_name(name);
    let (sets, texts) = futures::try_join!(named(cx, zone, name), named(cx, zone, &text_name))?;
    let stands = |set: &ResourceRecordSet| {
        let at = set.r#type().as_str();
        kind.map_or(matches!(at, "A" | "CNAME"), |kind| at == kind || at == "CNAME" || kind == "CNAME")
    };
    let record = sets.iter().find(|set| stands(set)).or_else(|| super::sets::main(&sets, name)).cloned();
    let owned = texts.into_iter().find_map(|set| Some((owners::read(&set)?.1, set)));
    let (owners, text) = owned.unzip();
    Ok(Found { record, text, owners })
}

/// Makes the record say what the spec wants, with the node among its owners. The id of the change, where there is one.
pub(super) async fn own(cx: &Cx, address: &str, spec: &Spec) -> Result<Option<String>> {
    let (zone, name) = (spec.zone.get(), canonical(spec.name.get()));
    bucket::note_zones(cx, zone).await?;
    let mut attempt = 1;
    loop {
        let found = look(cx, zone, &name, Some(&spec.kind)).await?;
        let changes = claim(cx, address, &name, spec, &found)?;
        match send(cx, zone, changes).await {
            Ok(change) => return Ok(change),
            Err(error) if error.is(&["InvalidChangeBatch"]) && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
}

fn claim(cx: &Cx, address: &str, name: &str, spec: &Spec, found: &Found) -> Result<Vec<Change>> {
    let right = found.record.as_ref().is_some_and(|record| says(record, spec));
    let alone = found.owners.as_ref().is_some_and(|o| o.without(&cx.stack, address).is_empty());
    let ours = found.owners.as_ref().is_some_and(|o| o.made && o.contains(&cx.stack, address) && alone);
    if found.record.is_some() && !right && !ours {
        let owner = found.owners.as_ref().map_or_else(|| "somebody else".to_owned(), Owners::names);
        return Err(foreign(name, &spec.kind, &owner));
    }
    let mut changes = Vec::new();
    if !right {
        let action = if found.record.is_some() { ChangeAction::Upsert } else { ChangeAction::Create };
        changes.push(change(action, to_set(spec)?)?);
    }
    // There before, and nobody noted as owner: it is used, and stays when we go.
    let owners = match &found.owners {
        Some(owners) => owners.clone().made_if(found.record.is_none()),
        None => Owners::none(found.record.is_none()),
    };
    let owners = owners.with(&cx.stack, address);
    if found.owners.as_ref() != Some(&owners) {
        changes.extend(replace_text(found.text.as_ref(), Some(owners.to_set(name)?))?);
    }
    Ok(changes)
}

/// Takes the node from the record's owners; the last owner deletes a record that a stack made.
pub(super) async fn disown(cx: &Cx, address: &str, zone: &str, name: &str) -> Result<()> {
    let name = canonical(name);
    let mut attempt = 1;
    loop {
        let found = look(cx, zone, &name, None).await?;
        let Some(owners) = found.owners.as_ref().filter(|owners| owners.contains(&cx.stack, address)) else {
            return Ok(());
        };
        let rest = owners.without(&cx.stack, address);
        let text = if rest.is_empty() { None } else { Some(rest.to_set(&name)?) };
        let mut changes = replace_text(found.text.as_ref(), text)?;
        if let Some(record) = found.record.filter(|_| rest.is_empty() && owners.made) {
            changes.push(change(ChangeAction::Delete, record)?);
        }
        match send(cx, zone, changes).await {
            Ok(_) => return Ok(()),
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) if error.is(&["InvalidChangeBatch"]) && attempt < ATTEMPTS => attempt += 1,
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
}

/// Deletes exactly what was read and makes the new one: AWS refuses it if somebody has changed it since.
fn replace_text(old: Option<&ResourceRecordSet>, new: Option<ResourceRecordSet>) -> Result<Vec<Change>> {
    let old = old.map(|set| change(ChangeAction::Delete, set.clone()));
    let new = new.map(|set| change(ChangeAction::Create, set));
    old.into_iter().chain(new).collect()
}

fn change(action: ChangeAction, set: ResourceRecordSet) -> Result<Change> {
    Ok(Change::builder().action(action).resource_record_set(set).build()?)
}

async fn send(cx: &Cx, zone: &str, changes: Vec<Change>) -> Result<Option<String>, CallError> {
    if changes.is_empty() {
        return Ok(None);
    }
    let batch = ChangeBatch::builder().comment(format!("stack {}", cx.stack.name)).set_changes(Some(changes)).build();
    let batch = batch.expect("the changes are set");
    let call = cx.aws.route53.change_resource_record_sets().hosted_zone_id(zone).change_batch(batch);
    let answer = call.send().await?;
    Ok(answer.change_info.map(|info| info.id.trim_start_matches("/change/").to_owned()))
}
