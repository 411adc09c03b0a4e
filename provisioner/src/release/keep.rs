//! Which releases are kept: the last few, every one that an instance may still boot, and the one to go back to.

use std::collections::{BTreeMap, BTreeSet};

use super::history::previous;
use crate::kinds::fleet::{self, refresh};
use crate::kinds::release::record::{self, Record};
use crate::kinds::{Cx, Result, release};

/// So many releases are kept.
pub const KEPT: usize = 10;
/// What one call takes.
const VERSIONS_A_CALL: usize = 200;

/// Removes what is too much: first the template's versions that boot it, then its binary.
pub async fn prune(cx: &Cx) -> Result<Vec<String>> {
    let records = record::all(cx).await?;
    if records.len() <= KEPT {
        return Ok(Vec::new());
    }
    let Some(serving) = fleet::serving(cx).await? else { return Ok(Vec::new()) };
    let versions = versions(cx, &serving.template).await?;
    let newest = refresh::newest(cx).await?.filter(refresh::is_running);
    let instances = serving.group.instances().iter();
    let booted = instances.filter_map(|instance| instance.launch_template()?.version().map(str::to_owned));
    let numbers: BTreeSet<String> = booted
        .chain([serving.version.clone()])
        .chain(newest.as_ref().and_then(refresh::target).map(str::to_owned))
        .chain(versions.values().filter(|version| version.is_default).map(|version| version.number.clone()))
        .collect();
    let previous = previous(&records, &serving.boot.release).map(|record| record.release.as_str());
    let booted = numbers.iter().filter_map(|number| Some(versions.get(number)?.release.as_str()));
    let in_use: BTreeSet<&str> = booted.chain(previous).collect();
    let doomed = too_many(&records, &in_use);
    let bootable = versions.values().filter(|version| doomed.contains(&version.release.as_str()));
    let bootable: Vec<String> = bootable.map(|version| version.number.clone()).collect();
    for some in bootable.chunks(VERSIONS_A_CALL) {
        let call = cx.aws.ec2.delete_launch_template_versions().launch_template_id(&serving.template);
        call.set_versions(Some(some.to_vec())).send().await?;
    }
    for release in &doomed {
        release::remove(cx, release).await?;
    }
    Ok(doomed.into_iter().map(str::to_owned).collect())
}

/// The releases behind the last few that are not in use.
fn too_many<'a>(records: &'a [Record], in_use: &BTreeSet<&str>) -> Vec<&'a str> {
    let old = records.iter().skip(KEPT).map(|record| record.release.as_str());
    old.filter(|release| !in_use.contains(release)).collect()
}

struct Version {
    number: String,
    release: String,
    is_default: bool,
}

/// Every version of the template that provision wrote, by number.
async fn versions(cx: &Cx, template: &str) -> Result<BTreeMap<String, Version>> {
    let request = cx.aws.ec2.describe_launch_template_versions().launch_template_id(template);
    let mut pages = request.into_paginator().send();
    let mut found = BTreeMap::new();
    while let Some(page) = pages.try_next().await? {
        for version in page.launch_template_versions() {
            let number = version.version_number().unwrap_or_default().to_string();
            let Some(boot) = fleet::boot_of(version.launch_template_data()) else { continue };
            let is_default = version.default_version() == Some(true);
            found.insert(number.clone(), Version { number, release: boot.release, is_default });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::release::record::Fate;

    #[test]
    fn what_an_instance_may_boot_is_kept() {
        let record = |number: usize| Record {
            release: format!("r{number}"),
            at: jiff::Timestamp::UNIX_EPOCH,
            by: String::new(),
            fate: Fate::Good,
            reason: None,
            attempt: String::new(),
        };
        let records: Vec<Record> = (0..KEPT + 3).map(record).collect();
        assert_eq!(too_many(&records, &BTreeSet::from(["r0", "r11"])), ["r10", "r12"]);
        assert!(too_many(&records[..KEPT], &BTreeSet::new()).is_empty());
    }
}
