//! Large files in parts. Each part has a checksum that S3 checks, and all of them together the hash of the file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use futures::{TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::bucket::{Bucket, IMMUTABLE};
use super::error::AssetsError;
use super::manifest::{Entry, OBJECTS};
use super::meter::Meter;
use super::scan::CHUNK;
use super::upload::{body, content_type, explained, patient};
use crate::aws::checksum;
use crate::aws::error::{CallError, GoneOk};

/// The smallest part, in bytes.
const PART: u64 = 16 << 20;
/// S3 takes no more parts than this.
const PARTS: u64 = 10_000;
/// Parts of one file on their way at once.
const AT_ONCE: usize = 4;

/// A part of a file.
#[derive(Debug, Clone)]
struct Part {
    number: i32,
    offset: u64,
    length: u64,
    sha256: String,
}

/// Uploads a file in parts; where anything fails, what has arrived of it is given up.
pub async fn upload(bucket: &Bucket, path: &Path, entry: &Entry, meter: &Meter) -> Result<(), AssetsError> {
    let doing = || format!("upload {}", path.display());
    let request = bucket.s3.create_multipart_upload().bucket(&bucket.name).key(&entry.url);
    let request = request.expected_bucket_owner(&bucket.owner).checksum_algorithm(ChecksumAlgorithm::Sha256);
    let request = request.content_type(content_type(&entry.url)).cache_control(IMMUTABLE);
    let begun = request.send().await.map_err(AssetsError::call(doing()))?;
    let id = begun.upload_id.unwrap_or_default();
    let result = match parts(bucket, path, entry, &id, meter).await {
        Ok(parts) => complete(bucket, entry, &id, parts).await.map_err(AssetsError::call(doing())),
        Err(error) => Err(error),
    };
    if result.is_err() {
        // Best effort: the next push, and the bucket's lifecycle, give it up too.
        let _ = abort(bucket, &entry.url, &id).await;
    }
    result.map(|()| meter.arrived(0, true))
}

async fn parts(
    bucket: &Bucket,
    path: &Path,
    entry: &Entry,
    id: &str,
    meter: &Meter,
) -> Result<Vec<CompletedPart>, AssetsError> {
    let reader = Reader::new(path.to_owned(), entry);
    let hashed = stream::try_unfold(reader, |reader| async move {
        let next = tokio::task::spawn_blocking(move || reader.next()).await;
        next.map_err(|error| AssetsError::Request(error.into()))?
    });
    let mut done: Vec<CompletedPart> = hashed
        .map_ok(|part| async move {
            let checksum = checksum::of_hex(&part.sha256);
            let request = bucket.s3.upload_part().bucket(&bucket.name).key(&entry.url).upload_id(id);
            let request = request.part_number(part.number).expected_bucket_owner(&bucket.owner);
            let request = request.checksum_sha256(&checksum).body(body(path, part.offset, part.length).await?);
            let answer = request.customize().config_override(patient()).send().await;
            let answer = match answer.map_err(CallError::from) {
                Ok(answer) => answer,
                Err(error) => return Err(explained(path, entry, error).await),
            };
            meter.arrived(part.length, false);
            let done = CompletedPart::builder().part_number(part.number).checksum_sha256(checksum);
            Ok(done.set_e_tag(answer.e_tag).build())
        })
        .try_buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    done.sort_by_key(CompletedPart::part_number);
    Ok(done)
}

async fn complete(bucket: &Bucket, entry: &Entry, id: &str, parts: Vec<CompletedPart>) -> Result<(), CallError> {
    let all = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
    let request = bucket.s3.complete_multipart_upload().bucket(&bucket.name).key(&entry.url).upload_id(id);
    request.expected_bucket_owner(&bucket.owner).multipart_upload(all).send().await?;
    Ok(())
}

async fn abort(bucket: &Bucket, key: &str, id: &str) -> Result<(), CallError> {
    let request = bucket.s3.abort_multipart_upload().bucket(&bucket.name).key(key).upload_id(id);
    request.expected_bucket_owner(&bucket.owner).send().await.gone_ok()?;
    Ok(())
}

/// Gives up what a push that was killed left half uploaded. Nobody else pushes now.
pub async fn abort_leftovers(bucket: &Bucket) -> Result<usize, AssetsError> {
    let doing = "give up what an earlier push left half uploaded";
    let (mut count, mut key_marker, mut id_marker) = (0, None, None);
    loop {
        let request = bucket.s3.list_multipart_uploads().bucket(&bucket.name).prefix(OBJECTS);
        let request = request.set_key_marker(key_marker).set_upload_id_marker(id_marker);
        let page = request.expected_bucket_owner(&bucket.owner).send().await.map_err(AssetsError::call(doing))?;
        let left: Vec<_> = page.uploads().iter().filter_map(|upload| upload.key().zip(upload.upload_id())).collect();
        for (key, id) in &left {
            abort(bucket, key, id).await.map_err(AssetsError::call(doing))?;
        }
        count += left.len();
        if page.is_truncated() != Some(true) {
            return Ok(count);
        }
        (key_marker, id_marker) = (page.next_key_marker, page.next_upload_id_marker);
    }
}

/// Hashes one part after the other, and with them the whole.
struct Reader {
    path: PathBuf,
    expected: String,
    size: u64,
    part: u64,
    number: i32,
    offset: u64,
    whole: Sha256,
}

impl Reader {
    fn new(path: PathBuf, entry: &Entry) -> Self {
        Self {
            path,
            expected: entry.sha256.clone(),
            size: entry.size,
            part: part_size(entry.size),
            number: 0,
            offset: 0,
            whole: Sha256::new(),
        }
    }

    /// The next part; none behind the last one, where the whole has the hash that it had.
    fn next(mut self) -> Result<Option<(Part, Self)>, AssetsError> {
        if self.offset == self.size {
            let same = hex::encode(self.whole.finalize()) == self.expected;
            return if same { Ok(None) } else { Err(AssetsError::Changed(self.path)) };
        }
        let wrong = |source| AssetsError::File { path: self.path.clone(), source };
        let mut file = File::open(&self.path).map_err(wrong)?;
        file.seek(SeekFrom::Start(self.offset)).map_err(wrong)?;
        let length = self.part.min(self.size - self.offset);
        let (mut own, mut left, mut buffer) = (Sha256::new(), length, vec![0; CHUNK]);
        while left > 0 {
            let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let read = file.read(&mut buffer[..most]).map_err(wrong)?;
            if read == 0 {
                return Err(AssetsError::Changed(self.path));
            }
            own.update(&buffer[..read]);
            self.whole.update(&buffer[..read]);
            left -= read as u64;
        }
        self.number += 1;
        let part = Part { number: self.number, offset: self.offset, length, sha256: hex::encode(own.finalize()) };
        self.offset += length;
        Ok(Some((part, self)))
    }
}

/// Large enough that the file has no more parts than S3 takes.
fn part_size(size: u64) -> u64 {
    PART.max(size.div_ceil(PARTS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_has_too_many_parts() {
        for size in [65_u64 << 20, 5 << 30, 5 << 40] {
            assert!(size.div_ceil(part_size(size)) <= PARTS, "{size}");
        }
        assert_eq!(part_size(100 << 20), PART);
    }

    #[test]
    fn parts_follow_each_other_and_a_change_is_noticed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("large");
        let text: Vec<u8> = (0..40 << 20).map(|i: u32| (i % 251) as u8).collect();
        std::fs::write(&path, &text).expect("written");
        let entry = Entry::new("large".into(), hex::encode(Sha256::digest(&text)), text.len() as u64);
        let read = |entry: &Entry| {
            let (mut reader, mut parts) = (Reader::new(path.clone(), entry), Vec::new());
            while let Some((part, next)) = reader.next()? {
                parts.push((part.number, part.offset, part.length));
                reader = next;
            }
            Ok::<_, AssetsError>(parts)
        };
        assert_eq!(read(&entry).expect("whole"), [(1, 0, PART), (2, PART, PART), (3, 2 * PART, 8 << 20)]);
        let other = Entry { sha256: "00".repeat(32), ..entry };
        assert!(matches!(read(&other), Err(AssetsError::Changed(_))));
    }
}
