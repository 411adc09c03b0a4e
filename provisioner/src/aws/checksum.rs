//! Checksums as S3 takes them: it refuses contents that do not have the one named.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// A SHA-256 in hexadecimal, as a `x-amz-checksum-sha256`. What is no hash gives a checksum that S3 refuses.
pub fn of_hex(sha256: &str) -> String {
    BASE64_STANDARD.encode(hex::decode(sha256).unwrap_or_default())
}
