//! Uploads contents: a bounded number at a time, each checked by S3 against its hash.

use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::{ByteStream, Length};
use futures::{StreamExt, stream};

use super::bucket::{Bucket, IMMUTABLE, is_there};
use super::error::AssetsError;
use super::manifest::{Entry, OBJECTS};
use super::meter::Meter;
use super::multipart;
use super::scan;
use crate::aws::checksum;
use crate::aws::error::CallError;
use crate::engine::session::Session;

/// Objects on their way at once.
const AT_ONCE: usize = 16;
/// Larger files go in parts.
const MULTIPART_ABOVE: u64 = 64 << 20;
/// How long one request may take: only a stream that stands still is given up.
const PATIENCE: Duration = Duration::from_secs(3600);

/// Uploads the contents of `missing` (files below `directory`). The first failure starts nothing new; what is under way is
/// finished. What has arrived stays, so that the next run begins there.
pub async fn upload(
    session: &Session,
    bucket: &Bucket,
    directory: &Path,
    missing: &[&Entry],
) -> Result<(), AssetsError> {
    let meter = Meter::new(session.listener.clone(), missing.len(), missing.iter().map(|entry| entry.size).sum());
    let stopped = std::cell::Cell::new(false);
    let (stopped, meter) = (&stopped, &meter);
    let mut uploads = stream::iter(missing)
        .take_while(|_| std::future::ready(!stopped.get() && !session.stopped()))
        .map(|entry| async move { one(bucket, &directory.join(&entry.path), entry, meter).await })
        .buffer_unordered(AT_ONCE);
    let mut first = None;
    while let Some(result) = uploads.next().await {
        if let Err(error) = result {
            stopped.set(true);
            first.get_or_insert(error);
        }
    }
    match first {
        Some(error) => Err(error),
        None if session.stopped() => Err(AssetsError::Interrupted),
        None => Ok(()),
    }
}

async fn one(bucket: &Bucket, path: &Path, entry: &Entry, meter: &Meter) -> Result<(), AssetsError> {
    let about = tokio::fs::symlink_metadata(path).await.map_err(|source| file(path, source))?;
    if !about.is_file() || about.len() != entry.size {
        return Err(AssetsError::Changed(path.to_owned()));
    }
    if entry.size > MULTIPART_ABOVE {
        multipart::upload(bucket, path, entry, meter).await
    } else {
        whole(bucket, path, entry).await.map(|()| meter.arrived(entry.size, true))
    }
}

/// In one request, which S3 refuses where the contents do not have the hash.
async fn whole(bucket: &Bucket, path: &Path, entry: &Entry) -> Result<(), AssetsError> {
    let body = body(path, 0, entry.size).await?;
    let request = bucket.s3.put_object().bucket(&bucket.name).key(&entry.url).expected_bucket_owner(&bucket.owner);
    let request = request.content_type(content_type(&entry.url)).cache_control(IMMUTABLE);
    let request = request.checksum_sha256(checksum::of_hex(&entry.sha256)).if_none_match("*").body(body);
    match request.customize().config_override(patient()).send().await.map_err(CallError::from) {
        Ok(_) => Ok(()),
        // Contents have their hash for a name: what is there is the same.
        Err(error) if is_there(&error) => Ok(()),
        Err(error) => Err(explained(path, entry, error).await),
    }
}

/// The bytes of a file from `offset` on, read when they are sent.
pub(super) async fn body(path: &Path, offset: u64, length: u64) -> Result<ByteStream, AssetsError> {
    let stream = ByteStream::read_from().path(path).offset(offset).length(Length::Exact(length)).build().await;
    stream.map_err(|error| file(path, std::io::Error::other(error)))
}

/// A failed upload of a file that is not any more what it was has that for its cause.
pub(super) async fn explained(path: &Path, entry: &Entry, source: CallError) -> AssetsError {
    let (read, sha256) = (path.to_owned(), entry.sha256.clone());
    let same = tokio::task::spawn_blocking(move || scan::hash(&read).is_ok_and(|(now, _)| now == sha256)).await;
    if same.unwrap_or(false) {
        AssetsError::call(format!("upload {}", path.display()))(source)
    } else {
        AssetsError::Changed(path.to_owned())
    }
}

/// Requests that carry contents over whatever line there is.
pub(super) fn patient() -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(PATIENCE).build();
    aws_sdk_s3::Config::builder().timeout_config(timeouts)
}

/// What clients are told that it is, by the extension of its key.
pub(super) fn content_type(key: &str) -> &'static str {
    let name = key.strip_prefix(OBJECTS).unwrap_or(key);
    mime_guess::from_path(name).first_raw().unwrap_or("application/octet-stream")
}

fn file(path: &Path, source: std::io::Error) -> AssetsError {
    AssetsError::File { path: PathBuf::from(path), source }
}

#[cfg(test)]
mod tests {
    use super::content_type;

    #[test]
    fn types_follow_from_extensions() {
        let hash = "ab".repeat(32);
        let types = [
            ("png", "image/png"),
            ("ogg", "audio/ogg"),
            ("json", "application/json"),
            ("wasm", "application/wasm"),
            ("bundle", "application/octet-stream"),
        ];
        for (extension, expected) in types {
            assert_eq!(content_type(&format!("objects/{hash}.{extension}")), expected);
        }
        assert_eq!(content_type(&format!("objects/{hash}")), "application/octet-stream");
    }
}
