//! Cursors: where a listing goes on, opaque to clients and signed, so that nobody can make one up.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    DomainError,
    keys::{SigningKeys, mac, same},
};

const TAG: usize = 16;

/// Makes and reads cursors.
pub struct Cursors {
    keys: Vec<[u8; 32]>,
}

impl Cursors {
    /// Cursors signed by the current key.
    #[must_use]
    pub fn new(keys: &SigningKeys) -> Self {
        Self { keys: keys.derive("cursor") }
    }

    /// A cursor of a listing. `listing` says which (with its filters): it is good for that one alone.
    pub fn seal<T: Serialize>(&self, listing: &str, position: &T) -> String {
        let body = serde_json::to_vec(position).expect("positions are plain data");
        let tag = tag(&self.keys[0], listing, &body);
        let mut bytes = tag.to_vec();
        bytes.extend_from_slice(&body);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position in a cursor.
    ///
    /// # Errors
    /// When it was not made here for this listing.
    pub fn open<T: DeserializeOwned>(&self, listing: &str, cursor: &str) -> Result<T, DomainError> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| DomainError::WrongCursor)?;
        let (given, body) = bytes.split_at_checked(TAG).ok_or(DomainError::WrongCursor)?;
        let known = self.keys.iter().any(|key| same(given, &tag(key, listing, body)));
        if !known {
            return Err(DomainError::WrongCursor);
        }
        serde_json::from_slice(body).map_err(|_| DomainError::WrongCursor)
    }
}

fn tag(key: &[u8], listing: &str, body: &[u8]) -> [u8; TAG] {
    let mut message = (listing.len() as u64).to_be_bytes().to_vec();
    message.extend_from_slice(listing.as_bytes());
    message.extend_from_slice(body);
    let full = mac(key, &message);
    let mut short = [0; TAG];
    short.copy_from_slice(&full[..TAG]);
    short
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_cursor_is_good_for_its_listing_and_only_as_made() {
        let keys = SigningKeys::from_base64(&STANDARD.encode([7; 32]), None).expect("long enough");
        let cursors = Cursors::new(&keys);
        let cursor = cursors.seal("ledger/a", &7_i64);
        assert_eq!(cursors.open::<i64>("ledger/a", &cursor).expect("valid"), 7);
        assert!(cursors.open::<i64>("ledger/b", &cursor).is_err());
        let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).expect("base64");
        *bytes.last_mut().expect("not empty") ^= 1;
        assert!(cursors.open::<i64>("ledger/a", &URL_SAFE_NO_PAD.encode(bytes)).is_err());
        assert!(cursors.open::<i64>("ledger/a", "").is_err());
    }
}
