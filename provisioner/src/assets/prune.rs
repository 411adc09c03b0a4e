//! Takes away old versions, and the contents that no kept version names.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};

use super::bucket::{Bucket, Listed};
use super::error::AssetsError;

/// What was taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Versions.
    pub versions: Vec<u64>,
    /// How many objects.
    pub objects: usize,
}

/// Keeps the `keep` newest manifests and those in `spared`; `there`: the objects that there were before this push.
pub async fn prune(
    bucket: &Bucket,
    keep: usize,
    spared: &[u64],
    there: &BTreeMap<String, u64>,
) -> Result<Pruned, AssetsError> {
    let (kept, doomed) = split(bucket.manifests().await?, keep, spared);
    if doomed.is_empty() {
        return Ok(Pruned::default());
    }
    // Every kept one is read before anything is deleted: one that cannot be read ends it here.
    let mut unnamed: BTreeSet<&str> = there.keys().map(String::as_str).collect();
    let mut manifests = stream::iter(&kept).map(|listed| bucket.manifest(listed)).buffered(2);
    while let Some((_, manifest)) = manifests.try_next().await? {
        for entry in &manifest.files {
            unnamed.remove(entry.url.as_str());
        }
    }
    // Manifests first: killed in between, objects are left that nobody names, never a manifest that lacks some.
    let manifests: Vec<String> = doomed.iter().map(Listed::key).collect();
    bucket.delete(&manifests).await?;
    let objects: Vec<String> = unnamed.into_iter().map(str::to_owned).collect();
    bucket.delete(&objects).await?;
    Ok(Pruned { versions: doomed.iter().map(|listed| listed.version).collect(), objects: objects.len() })
}

/// Those that are kept, and the others. `all`: the newest first.
fn split(all: Vec<Listed>, keep: usize, spared: &[u64]) -> (Vec<Listed>, Vec<Listed>) {
    let (kept, doomed): (Vec<_>, Vec<_>) = all
        .into_iter()
        .enumerate()
        .partition(|(place, listed)| *place < keep.max(1) || spared.contains(&listed.version));
    let plain = |list: Vec<(usize, Listed)>| list.into_iter().map(|(_, listed)| listed).collect();
    (plain(kept), plain(doomed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_and_the_spared_stay() {
        let listed = |version| Listed { version, sha256: "x".into(), pushed_at: jiff::Timestamp::UNIX_EPOCH };
        let all: Vec<Listed> = [9, 8, 7, 3, 2, 1].map(listed).into();
        let numbers = |list: Vec<Listed>| list.iter().map(|l| l.version).collect::<Vec<_>>();
        let (kept, doomed) = split(all.clone(), 2, &[3]);
        assert_eq!((numbers(kept), numbers(doomed)), (vec![9, 8, 3], vec![7, 2, 1]));
        assert_eq!(split(all, 0, &[]).0.len(), 1);
    }
}
