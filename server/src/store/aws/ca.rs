//! The certificate authorities that database and cache are verified against.

use std::path::Path;

use crate::store::StoreError;

/// Certificate authorities of RDS; `server/certs/README.md` says where they come from.
const RDS: &str = include_str!("../../../certs/rds-global-bundle.pem");
/// Amazon Trust Services: what ElastiCache's certificates are signed by.
const AMAZON_TRUST: &str = include_str!("../../../certs/amazon-trust-services.pem");

/// PEM bundles, each with the extra authorities of the settings.
pub(super) struct Authorities {
    /// For the database.
    pub database: Vec<u8>,
    /// For the cache.
    pub cache: Vec<u8>,
}

impl Authorities {
    /// Reads `extra`, if set.
    pub async fn load(extra: Option<&Path>) -> Result<Self, StoreError> {
        let extra = match extra {
            None => Vec::new(),
            Some(path) => tokio::fs::read(path)
                .await
                .map_err(|e| StoreError::failed("database", "reading the file of certificate authorities", e))?,
        };
        let joined = |bundle: &str| [bundle.as_bytes(), b"\n", &extra].concat();
        Ok(Self { database: joined(RDS), cache: joined(AMAZON_TRUST) })
    }
}

#[cfg(test)]
mod tests {
    use rustls::RootCertStore;
    use rustls::pki_types::{CertificateDer, pem::PemObject};

    use super::*;

    fn accepted(pem: &[u8]) -> usize {
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            store.add(certificate.expect("PEM")).expect("a certificate authority");
        }
        store.len()
    }

    #[tokio::test]
    async fn every_certificate_is_a_trust_anchor() {
        let authorities = Authorities::load(None).await.expect("compiled in");
        assert_eq!(accepted(&authorities.database), 81);
        assert_eq!(accepted(&authorities.cache), 5);
    }

    #[tokio::test]
    async fn the_extra_file_is_added_to_both() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(file.path(), AMAZON_TRUST).expect("written");
        let authorities = Authorities::load(Some(file.path())).await.expect("readable");
        assert_eq!(accepted(&authorities.database), 86);
        assert_eq!(accepted(&authorities.cache), 10);
    }

    #[tokio::test]
    async fn a_missing_file_is_an_error() {
        let missing = Authorities::load(Some(Path::new("/nonexistent/ca.pem"))).await;
        assert!(missing.is_err_and(|e| !e.is_transient()));
    }
}
