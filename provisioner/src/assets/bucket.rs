//! What is in the assets bucket, read in lists of a thousand, and its manifests.

use std::collections::BTreeMap;

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::{Delete, Object, ObjectIdentifier};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use super::error::AssetsError;
use super::manifest::{MANIFEST, MANIFESTS, Manifest, OBJECTS, sha256};
use crate::aws::checksum;
use crate::aws::error::{CallError, GoneOk};

/// What never changes under its name.
pub const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// The manifest that counts: how long those may take to see another one who are told nothing.
const SHORT: &str = "public, max-age=60";
const JSON: &str = "application/json";
/// What one delete call takes.
const BATCH: usize = 1000;

/// The bucket, of which nothing else is known to belong to another account.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// The client.
    pub s3: Client,
    /// Its name.
    pub name: String,
    /// The account that owns it.
    pub owner: String,
}

/// A manifest that is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Version {
    /// Its number.
    pub version: u64,
    /// SHA-256 of the manifest.
    pub sha256: String,
    /// When it was pushed.
    pub pushed_at: jiff::Timestamp,
    /// How many files it has.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The version that it took the place of; none for the first.
    pub follows: Option<u64>,
    /// Whether it is the one that counts.
    pub current: bool,
}

/// A manifest's name in the listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its version.
    pub version: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// When it was put there.
    pub pushed_at: jiff::Timestamp,
}

/// The manifest that counts.
#[derive(Debug, Clone)]
pub struct Current {
    /// What it says.
    pub manifest: Manifest,
    /// Its SHA-256.
    pub sha256: String,
    /// For writing on top of exactly this one.
    pub etag: String,
}

impl Listed {
    /// Its key.
    pub fn key(&self) -> String {
        manifest_key(self.version, &self.sha256)
    }

    fn read(object: &Object) -> Option<Self> {
        let name = object.key()?.strip_prefix(MANIFESTS)?.strip_suffix(".json")?;
        let (version, sha256) = name.split_once('-')?;
        let seconds = object.last_modified().map_or(0, DateTime::secs);
        let pushed_at = jiff::Timestamp::from_second(seconds).unwrap_or_default();
        Some(Self { version: version.parse().ok()?, sha256: sha256.to_owned(), pushed_at })
    }
}

/// The key of a manifest, by which a list of them is in order.
pub fn manifest_key(version: u64, sha256: &str) -> String {
    format!("{MANIFESTS}{version:08}-{sha256}.json")
}

impl Bucket {
    /// Every object of contents with its size, by key.
    pub async fn objects(&self) -> Result<BTreeMap<String, u64>, AssetsError> {
        let listed = self.list(OBJECTS).await?;
        let size = |object: &Object| object.size().and_then(|size| u64::try_from(size).ok()).unwrap_or_default();
        Ok(listed.iter().filter_map(|object| Some((object.key()?.to_owned(), size(object)))).collect())
    }

    /// Every manifest that is kept, the newest first.
    pub async fn manifests(&self) -> Result<Vec<Listed>, AssetsError> {
        let mut listed: Vec<Listed> = self.list(MANIFESTS).await?.iter().filter_map(Listed::read).collect();
        listed.sort_by(|a, b| (b.version, &b.sha256).cmp(&(a.version, &a.sha256)));
        Ok(listed)
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Object>, AssetsError> {
        let (mut all, mut token) = (Vec::new(), None);
        loop {
            let request = self.s3.list_objects_v2().bucket(&self.name).expected_bucket_owner(&self.owner);
            let page = request.prefix(prefix).set_continuation_token(token).send().await;
            let page = page.map_err(AssetsError::call("list what the assets bucket holds"))?;
            all.extend(page.contents.unwrap_or_default());
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(all);
            }
        }
    }

    /// The manifest that counts; none before the first push.
    pub async fn current(&self) -> Result<Option<Current>, AssetsError> {
        let Some((bytes, etag)) = self.get(MANIFEST).await? else { return Ok(None) };
        let manifest = decode(MANIFEST, &bytes)?;
        Ok(Some(Current { manifest, sha256: sha256(&bytes), etag }))
    }

    /// A kept manifest, whose hash is checked: as it is stored, and what it says.
    pub async fn manifest(&self, listed: &Listed) -> Result<(Vec<u8>, Manifest), AssetsError> {
        let key = listed.key();
        let (bytes, _) = self.get(&key).await?.ok_or_else(|| broken(&key, "it is gone"))?;
        if sha256(&bytes) != listed.sha256 {
            return Err(broken(&key, "its contents do not have the hash in its name"));
        }
        let manifest = decode(&key, &bytes)?;
        Ok((bytes, manifest))
    }

    async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, String)>, AssetsError> {
        let request = self.s3.get_object().bucket(&self.name).key(key).expected_bucket_owner(&self.owner);
        let answer = request.send().await.gone_ok().map_err(AssetsError::call(format!("read {key}")))?;
        let Some(answer) = answer else { return Ok(None) };
        let etag = answer.e_tag().unwrap_or_default().to_owned();
        let body = answer.body.collect().await;
        let body = body.map_err(|source| AssetsError::Broken { key: key.to_owned(), source: source.into() })?;
        Ok(Some((body.to_vec(), etag)))
    }

    /// What is told of each manifest without reading it.
    pub async fn versions(&self, current: Option<&str>) -> Result<Vec<Version>, AssetsError> {
        let heads = self.manifests().await?.into_iter().map(|listed| self.head(listed, current));
        stream::iter(heads).buffered(8).try_collect().await
    }

    async fn head(&self, listed: Listed, current: Option<&str>) -> Result<Version, AssetsError> {
        let key = listed.key();
        let request = self.s3.head_object().bucket(&self.name).key(&key).expected_bucket_owner(&self.owner);
        let answer = request.send().await.map_err(AssetsError::call(format!("read {key}")))?;
        let told = |name: &str| answer.metadata().and_then(|metadata| metadata.get(name)?.parse().ok());
        Ok(Version {
            version: listed.version,
            current: current == Some(listed.sha256.as_str()),
            sha256: listed.sha256,
            pushed_at: listed.pushed_at,
            files: told("files").unwrap_or_default(),
            bytes: told("bytes").unwrap_or_default(),
            follows: told("follows"),
        })
    }

    /// Puts a manifest under its own name. There already: it is the same one.
    pub async fn put_manifest(
        &self,
        manifest: &Manifest,
        bytes: &[u8],
        sha256: &str,
        follows: Option<u64>,
    ) -> Result<(), AssetsError> {
        let key = manifest_key(manifest.version, sha256);
        let request = self.s3.put_object().bucket(&self.name).key(&key).expected_bucket_owner(&self.owner);
        let request = request.content_type(JSON).cache_control(IMMUTABLE).checksum_sha256(checksum::of_hex(sha256));
        let request = request.metadata("files", manifest.files.len().to_string());
        let request = request.metadata("bytes", manifest.bytes().to_string());
        let request = follows.into_iter().fold(request, |r, version| r.metadata("follows", version.to_string()));
        let answer = request.if_none_match("*").body(ByteStream::from(bytes.to_vec())).send().await;
        match answer.map_err(CallError::from) {
            Err(error) if !is_there(&error) => Err(AssetsError::call(format!("write {key}"))(error)),
            _ => Ok(()),
        }
    }

    /// Makes a manifest the one that counts, on top of the one that was read and no other.
    pub async fn point(&self, bytes: &[u8], sha256: &str, on_top_of: Option<&Current>) -> Result<(), AssetsError> {
        let request = self.s3.put_object().bucket(&self.name).key(MANIFEST).expected_bucket_owner(&self.owner);
        let request = request.content_type(JSON).cache_control(SHORT).checksum_sha256(checksum::of_hex(sha256));
        let request = match on_top_of {
            None => request.if_none_match("*"),
            Some(current) => request.if_match(&current.etag),
        };
        match request.body(ByteStream::from(bytes.to_vec())).send().await.map_err(CallError::from) {
            Ok(_) => Ok(()),
            // Our own write may have been executed and its answer lost.
            Err(error) if is_there(&error) || error.is_not_found() => match self.current().await? {
                Some(now) if now.sha256 == sha256 => Ok(()),
                _ => Err(AssetsError::Overtaken),
            },
            Err(error) => Err(AssetsError::call(format!("write {MANIFEST}"))(error)),
        }
    }

    /// Deletes these.
    pub async fn delete(&self, keys: &[String]) -> Result<(), AssetsError> {
        for some in keys.chunks(BATCH) {
            let objects = some.iter().map(|key| ObjectIdentifier::builder().key(key).build());
            let objects = objects.collect::<Result<Vec<_>, _>>().map_err(|e| AssetsError::Request(e.into()))?;
            let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
            let delete = delete.map_err(|error| AssetsError::Request(error.into()))?;
            let request = self.s3.delete_objects().bucket(&self.name).expected_bucket_owner(&self.owner).delete(delete);
            let answer = request.send().await.map_err(AssetsError::call("delete what no kept version needs"))?;
            if let Some(first) = answer.errors().first() {
                let key = first.key().unwrap_or_default();
                return Err(broken(key, first.message().unwrap_or("it cannot be deleted")));
            }
        }
        Ok(())
    }
}

/// Whether a conditional write was refused because something is there.
pub fn is_there(error: &CallError) -> bool {
    error.is(&["PreconditionFailed", "ConditionalRequestConflict"])
}

fn decode(key: &str, bytes: &[u8]) -> Result<Manifest, AssetsError> {
    Manifest::decode(bytes).map_err(|source| AssetsError::Broken { key: key.to_owned(), source: source.into() })
}

fn broken(key: &str, why: &str) -> AssetsError {
    AssetsError::Broken { key: key.to_owned(), source: why.into() }
}
