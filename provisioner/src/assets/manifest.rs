//! The manifest: which file has which contents, and where they are.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The key of the manifest that counts.
pub const MANIFEST: &str = "manifest.json";
/// What the keys of contents begin with.
pub const OBJECTS: &str = "objects/";
/// What the keys of manifests begin with.
pub const MANIFESTS: &str = "manifests/";
/// The manifest's format that is written and read.
const FORMAT: u32 = 1;

/// A version of the assets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of the manifest itself.
    pub format: u32,
    /// Higher with each push.
    pub version: u64,
    /// When it was made.
    pub created_at: jiff::Timestamp,
    /// Every file, by path.
    pub files: Vec<Entry>,
}

/// A file of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its path below the directory, with slashes.
    pub path: String,
    /// Of its contents, in hex.
    pub sha256: String,
    /// In bytes.
    pub size: u64,
    /// Where its contents are, relative to the manifest.
    pub url: String,
}

impl Entry {
    /// Of a file at `path` (with slashes).
    pub fn new(path: String, sha256: String, size: u64) -> Self {
        let url = key(&path, &sha256);
        Self { path, sha256, size, url }
    }
}

/// The key of the contents. The extension stays, because the type that they are served with follows from it.
fn key(path: &str, sha256: &str) -> String {
    let name = path.rsplit('/').next().unwrap_or(path);
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let plain = |text: &String| (1..=16).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
    match extension.filter(plain) {
        Some(extension) => format!("{OBJECTS}{sha256}.{extension}"),
        None => format!("{OBJECTS}{sha256}"),
    }
}

impl Manifest {
    /// The next one after `version`.
    pub fn new(version: u64, created_at: jiff::Timestamp, files: Vec<Entry>) -> Self {
        Self { format: FORMAT, version, created_at, files }
    }

    /// As it is stored, and the hash of that in hex.
    pub fn encode(&self) -> (Vec<u8>, String) {
        let bytes = serde_json::to_vec(self).expect("a manifest is plain data with string keys");
        let sha256 = sha256(&bytes);
        (bytes, sha256)
    }

    /// Reads a stored one.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let manifest: Self = serde_json::from_slice(bytes)?;
        if manifest.format != FORMAT {
            let text = format!("it has the format {}, which a newer provision wrote", manifest.format);
            return Err(serde::de::Error::custom(text));
        }
        Ok(manifest)
    }

    /// The bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|entry| entry.size).sum()
    }
}

/// SHA-256 in hex.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_keep_their_extension_where_it_is_a_plain_one() {
        let hash = "ab".repeat(32);
        let url = |path: &str| Entry::new(path.to_owned(), hash.clone(), 1).url.replace(&hash, "H");
        assert_eq!(url("sounds/Jump.OGG"), "objects/H.ogg");
        assert_eq!(url("data/a.tar.gz"), "objects/H.gz");
        assert_eq!(url("README"), "objects/H");
        assert_eq!(url("v1.2/plain"), "objects/H");
        assert_eq!(url("odd.na me"), "objects/H");
    }

    #[test]
    fn what_is_written_is_read_back_and_a_newer_format_is_not_guessed_at() {
        let entry = Entry::new("a/b.png".to_owned(), "cd".repeat(32), 7);
        let manifest = Manifest::new(3, jiff::Timestamp::UNIX_EPOCH, vec![entry]);
        let (bytes, hash) = manifest.encode();
        assert_eq!(Manifest::decode(&bytes).expect("it is one"), manifest);
        assert_eq!(hash, sha256(&bytes));
        let newer = Manifest { format: 2, ..manifest };
        assert!(Manifest::decode(&newer.encode().0).is_err());
    }
}
