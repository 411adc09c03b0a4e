//! Push and rollback: what is missing first, the manifest that counts last.

use serde::Serialize;

use super::bucket::{Bucket, Current, Listed, Version};
use super::error::AssetsError;
use super::invalidation::{Invalidation, invalidate};
use super::manifest::{Entry, MANIFEST, Manifest};
use super::multipart::abort_leftovers;
use super::prune::{Pruned, prune};
use super::scan::Found;
use super::target::Target;
use super::upload::upload;
use crate::engine::lease::LeaseError;
use crate::engine::session::Session;

/// What is to be pushed.
#[derive(Debug, Clone, Copy)]
pub struct Push<'a> {
    /// The files.
    pub found: &'a Found,
    /// How many versions stay.
    pub keep: usize,
    /// Whether to wait for CloudFront.
    pub wait: bool,
}

/// What counts now, and what it took.
#[derive(Debug, Clone, Serialize)]
pub struct Published {
    /// The version.
    pub version: u64,
    /// SHA-256 of its manifest.
    pub manifest: String,
    /// Its files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that were uploaded.
    pub uploaded: usize,
    /// Their bytes.
    pub uploaded_bytes: u64,
    /// Versions that were taken away.
    pub pruned_versions: Vec<u64>,
    /// Objects that were taken away.
    pub pruned_objects: usize,
    /// Whether CloudFront knows.
    pub invalidation: Invalidation,
    /// The manifest's address.
    pub url: Option<String>,
}

impl Published {
    fn of(target: &Target, current: &Current) -> Self {
        Self {
            version: current.manifest.version,
            manifest: current.sha256.clone(),
            files: current.manifest.files.len(),
            bytes: current.manifest.bytes(),
            uploaded: 0,
            uploaded_bytes: 0,
            pruned_versions: Vec::new(),
            pruned_objects: 0,
            invalidation: Invalidation::None,
            url: target.url.as_ref().map(|url| format!("{url}/{MANIFEST}")),
        }
    }
}

/// Runs `work` while nobody else pushes.
async fn alone<T>(
    session: &Session,
    target: &Target,
    work: impl Future<Output = Result<T, AssetsError>>,
) -> Result<T, AssetsError> {
    let lease = session.assets_lease(&target.stack).await?.ok_or(LeaseError::NoBucket)?;
    let result = work.await;
    lease.release().await;
    result
}

/// Uploads what is not there yet, then makes the directory's manifest the one that counts. What is published already is
/// left as it is.
pub async fn push(session: &Session, target: &Target, push: Push<'_>) -> Result<Published, AssetsError> {
    alone(session, target, pushed(session, target, push)).await
}

async fn pushed(session: &Session, target: &Target, push: Push<'_>) -> Result<Published, AssetsError> {
    let bucket = &target.bucket;
    session.phase("comparing with what is there");
    let (current, there, manifests) = futures::try_join!(bucket.current(), bucket.objects(), bucket.manifests())?;
    let missing = missing(&push.found.files, |entry| there.get(&entry.url) == Some(&entry.size));
    let aborted = abort_leftovers(bucket).await?;
    if aborted > 0 {
        tracing::info!(aborted, "gave up what an earlier push left half uploaded");
    }
    if !missing.is_empty() {
        upload(session, bucket, &push.found.directory, &missing).await?;
    }
    let (uploaded, uploaded_bytes) = (missing.len(), missing.iter().map(|entry| entry.size).sum());
    if let Some(current) = current.as_ref().filter(|current| current.manifest.files == push.found.files) {
        return Ok(Published { uploaded, uploaded_bytes, ..Published::of(target, current) });
    }
    if session.stopped() {
        return Err(AssetsError::Interrupted);
    }
    session.phase("publishing");
    let published = next(bucket, current.as_ref(), &manifests, push.found.files.clone()).await?;
    let follows = current.as_ref().map(|current| current.manifest.version);
    let invalidation = invalidate(session, target.distribution.as_deref(), push.wait).await?;
    let spared: Vec<u64> = [Some(published.manifest.version), follows].into_iter().flatten().collect();
    let pruned = prune(bucket, push.keep, &spared, &there).await.unwrap_or_else(|error| {
        // It is published: what is left over is taken away by a later push.
        session.note(&format!("old versions could not be taken away: {}", crate::engine::events::chain(&error)));
        Pruned::default()
    });
    Ok(Published {
        uploaded,
        uploaded_bytes,
        pruned_versions: pruned.versions,
        pruned_objects: pruned.objects,
        invalidation,
        ..Published::of(target, &published)
    })
}

/// Writes the next manifest under its own name, then on top of the current one.
async fn next(
    bucket: &Bucket,
    current: Option<&Current>,
    manifests: &[Listed],
    files: Vec<Entry>,
) -> Result<Current, AssetsError> {
    let follows = current.map(|current| current.manifest.version);
    let newest = manifests.first().map(|listed| listed.version).max(follows).unwrap_or_default();
    let manifest = Manifest::new(newest + 1, jiff::Timestamp::now(), files);
    let (bytes, sha256) = manifest.encode();
    bucket.put_manifest(&manifest, &bytes, &sha256, follows).await?;
    bucket.point(&bytes, &sha256, current).await?;
    Ok(Current { manifest, sha256, etag: String::new() })
}

/// The files whose contents are not there; each contents once.
fn missing(files: &[Entry], is_there: impl Fn(&Entry) -> bool) -> Vec<&Entry> {
    let mut seen = std::collections::BTreeSet::new();
    files.iter().filter(|entry| !is_there(entry) && seen.insert(entry.url.as_str())).collect()
}

/// Makes an earlier version the one that counts: `wanted`, or the one that the current one took the place of.
pub async fn rollback(
    session: &Session,
    target: &Target,
    wanted: Option<u64>,
    wait: bool,
) -> Result<Published, AssetsError> {
    alone(session, target, rolled_back(session, target, wanted, wait)).await
}

async fn rolled_back(
    session: &Session,
    target: &Target,
    wanted: Option<u64>,
    wait: bool,
) -> Result<Published, AssetsError> {
    let bucket = &target.bucket;
    let (current, there, listed) = futures::try_join!(bucket.current(), bucket.objects(), bucket.manifests())?;
    let wanted = match (wanted, &current) {
        (Some(version), _) => version,
        (None, Some(current)) => {
            let versions = bucket.versions(Some(&current.sha256)).await?;
            let now = versions.iter().find(|version| version.current);
            now.and_then(|now| now.follows).ok_or(AssetsError::NoEarlier)?
        }
        (None, None) => return Err(AssetsError::NoEarlier),
    };
    let chosen = listed.iter().find(|listed| listed.version == wanted).ok_or_else(|| {
        let there: Vec<String> = listed.iter().map(|listed| listed.version.to_string()).collect();
        let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
        AssetsError::NoVersion { wanted: wanted.to_string(), there }
    })?;
    let (bytes, manifest) = bucket.manifest(chosen).await?;
    let lacking = missing(&manifest.files, |entry| there.get(&entry.url) == Some(&entry.size));
    if let Some(first) = lacking.first() {
        return Err(AssetsError::Incomplete { version: wanted, count: lacking.len(), first: first.path.clone() });
    }
    let chosen = Current { manifest, sha256: chosen.sha256.clone(), etag: String::new() };
    if current.as_ref().is_some_and(|current| current.sha256 == chosen.sha256) {
        return Ok(Published::of(target, &chosen));
    }
    bucket.point(&bytes, &chosen.sha256, current.as_ref()).await?;
    let invalidation = invalidate(session, target.distribution.as_deref(), wait).await?;
    Ok(Published { invalidation, ..Published::of(target, &chosen) })
}

/// The version that counts and its files; none before the first push.
pub async fn current(target: &Target) -> Result<(Option<u64>, Vec<Entry>), AssetsError> {
    let manifest = target.bucket.current().await?.map(|current| current.manifest);
    Ok(manifest.map(|manifest| (Some(manifest.version), manifest.files)).unwrap_or_default())
}

/// Every version that is kept, the newest first.
pub async fn versions(target: &Target) -> Result<Vec<Version>, AssetsError> {
    let current = target.bucket.current().await?;
    target.bucket.versions(current.as_ref().map(|current| current.sha256.as_str())).await
}
