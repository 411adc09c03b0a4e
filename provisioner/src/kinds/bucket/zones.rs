//! The stack bucket says in which hosted zones, besides the stack's own, there are records of the stack: `down` knows no
//! blueprint, and an account may have hundreds of zones.

use std::collections::BTreeSet;

use aws_sdk_s3::types::Tag;

use super::{STACK, put_tags, tags_of};
use crate::aws::stack::TAG_ZONES;
use crate::aws::tags::{Tags, pairs};
use crate::kinds::{Cx, Result};

/// There are none.
const NONE: &str = "none";
/// There are more than a tag can say: all zones are read.
const MANY: &str = "many";
/// The longest value of a tag.
const LONGEST: usize = 256;

/// What the tag says.
pub(super) fn value(zones: &BTreeSet<String>) -> String {
    let text = zones.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    match text.len() {
        0 => NONE.to_owned(),
        1..=LONGEST => text,
        _ => MANY.to_owned(),
    }
}

fn read(tags: &[Tag]) -> Option<BTreeSet<String>> {
    match tags.iter().find(|tag| tag.key() == TAG_ZONES)?.value() {
        MANY => None,
        NONE => Some(BTreeSet::new()),
        zones => Some(zones.split(' ').map(str::to_owned).collect()),
    }
}

/// The zones that are noted; `None` where nothing tells: no bucket, or one whose tags were removed.
pub(in crate::kinds) async fn noted_zones(cx: &Cx) -> Result<Option<BTreeSet<String>>> {
    let tags = tags_of(cx, &cx.stack.bucket_name(STACK)).await?.unwrap_or_default();
    Ok(read(&tags).filter(|_| cx.stack.owns(pairs(&tags))))
}

/// Makes sure that `zone`, where it is not the stack's own, is noted before there is a record in it.
pub(in crate::kinds) async fn note_zones(cx: &Cx, zone: &str) -> Result<()> {
    if !cx.zones.contains(zone) {
        return Ok(());
    }
    let _alone = cx.bucket_tags.lock().await;
    let name = cx.stack.bucket_name(STACK);
    let found = tags_of(cx, &name).await?.unwrap_or_default();
    let Some(mut zones) = read(&found).filter(|zones| !zones.contains(zone)) else { return Ok(()) };
    zones.extend(cx.zones.iter().cloned());
    let tags = Tags(found.into_iter().map(|tag| (tag.key, tag.value)).collect());
    put_tags(cx, &name, &tags.with(TAG_ZONES, &value(&zones))).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_says_which_zones_or_that_they_are_too_many() {
        let zones = |count: usize| (0..count).map(|n| format!("Z{n:020}")).collect::<BTreeSet<_>>();
        let tag = |zones: &BTreeSet<String>| Tag::builder().key(TAG_ZONES).value(value(zones)).build().expect("both are set");
        for few in [zones(0), zones(1), zones(11)] {
            assert_eq!(read(&[tag(&few)]), Some(few));
        }
        assert_eq!(read(&[tag(&zones(12))]), None);
        assert_eq!(read(&[]), None);
    }
}
