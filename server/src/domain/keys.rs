//! Keys derived from the signing secret, and MACs made with them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret as _, SecretSlice};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

/// HMAC-SHA-256.
#[must_use]
pub fn mac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Compares without telling by the time taken where the first difference is.
#[must_use]
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// The key that signs now and the one that did before: what either signed is still good.
#[derive(Debug, Clone)]
pub struct SigningKeys {
    current: SecretSlice<u8>,
    previous: Option<SecretSlice<u8>>,
}

/// A key in text that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("a signing key must be base64 of at least 32 bytes")]
pub struct WeakKey;

impl SigningKeys {
    /// Reads keys from base64.
    ///
    /// # Errors
    /// When one is not base64 or is shorter than 32 bytes.
    pub fn from_base64(current: &str, previous: Option<&str>) -> Result<Self, WeakKey> {
        Ok(Self { current: decode(current)?, previous: previous.map(decode).transpose()? })
    }

    /// A key for one purpose, current first: what is signed for one purpose is nothing for another.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Vec<[u8; 32]> {
        std::iter::once(&self.current)
            .chain(&self.previous)
            .map(|key| mac(key.expose_secret(), purpose.as_bytes()))
            .collect()
    }
}

fn decode(text: &str) -> Result<SecretSlice<u8>, WeakKey> {
    let bytes = STANDARD.decode(text.trim()).map_err(|_| WeakKey)?;
    if bytes.len() < 32 {
        return Err(WeakKey);
    }
    Ok(SecretSlice::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_or_garbled_keys_are_refused() {
        assert!(SigningKeys::from_base64(&STANDARD.encode([7; 31]), None).is_err());
        assert!(SigningKeys::from_base64("not base64!", None).is_err());
        assert!(SigningKeys::from_base64(&STANDARD.encode([7; 32]), Some("x")).is_err());
    }

    #[test]
    fn purposes_have_keys_of_their_own_and_no_key_is_shown() {
        let keys = SigningKeys::from_base64(&STANDARD.encode([7; 32]), None).expect("long enough");
        assert_ne!(keys.derive("a"), keys.derive("b"));
        assert!(!format!("{keys:?}").contains('7'));
    }
}
