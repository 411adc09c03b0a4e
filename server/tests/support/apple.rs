//! An App Store of our own: a chain of certificates as Apple's, and transactions signed with it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DistinguishedName, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use serde_json::{Value, json};

const SIGNS: &[u64] = &[1, 2, 840, 113_635, 100, 6, 11, 1];
const ISSUES: &[u64] = &[1, 2, 840, 113_635, 100, 6, 2, 1];

/// What is wrong with a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    None,
    UnmarkedLeaf,
    UnmarkedIntermediate,
    /// The certificates expired long ago.
    Expired,
    /// The intermediate may sign no certificates.
    NoAuthority,
}

/// A root, and what it let sign.
pub struct Apple {
    pub root: Vec<u8>,
    chain: Vec<String>,
    key: EncodingKey,
}

fn params(name: &str, authority: bool, marker: Option<&[u64]>, flaw: Flaw) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = if authority { IsCa::Ca(BasicConstraints::Unconstrained) } else { IsCa::ExplicitNoCa };
    params.not_before = date_time_ymd(2015, 1, 1);
    params.not_after = date_time_ymd(if flaw == Flaw::Expired { 2020 } else { 2100 }, 1, 1);
    // NULL, as Apple has it.
    params.custom_extensions.extend(marker.map(|oid| CustomExtension::from_oid_content(oid, vec![5, 0])));
    params
}

impl Apple {
    pub fn new() -> Self {
        Self::with(Flaw::None)
    }

    pub fn with(flaw: Flaw) -> Self {
        let key = || KeyPair::generate().expect("a key");
        let root = CertifiedIssuer::self_signed(params("Root", true, None, Flaw::None), key()).expect("a root");
        let issues = (flaw != Flaw::UnmarkedIntermediate).then_some(ISSUES);
        let intermediate = params("Intermediate", flaw != Flaw::NoAuthority, issues, flaw);
        let intermediate = CertifiedIssuer::signed_by(intermediate, key(), &root).expect("signed");
        let leaf_key = key();
        let signs = (flaw != Flaw::UnmarkedLeaf).then_some(SIGNS);
        let leaf = params("Leaf", false, signs, flaw).signed_by(&leaf_key, &intermediate).expect("signed");
        let chain = [leaf.der().to_vec(), intermediate.der().to_vec(), root.der().to_vec()];
        Self {
            root: root.der().to_vec(),
            chain: chain.iter().map(|der| STANDARD.encode(der)).collect(),
            key: EncodingKey::from_ec_der(&leaf_key.serialize_der()),
        }
    }

    /// Anything, signed.
    pub fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.x5c = Some(self.chain.clone());
        encode(&header, claims, &self.key).expect("signs")
    }

    /// The same with other certificates in its header.
    pub fn sign_as(&self, other: &Self, claims: &Value) -> String {
        let mut header = Header::new(Algorithm::ES256);
        header.x5c = Some(other.chain.clone());
        encode(&header, claims, &self.key).expect("signs")
    }
}

/// A transaction's content: one piece of `coins_500`, signed at this time (milliseconds).
pub fn transaction(id: &str, signed_at: i64) -> Value {
    json!({
        "transactionId": id,
        "originalTransactionId": id,
        "bundleId": "com.example.game",
        "productId": "coins_500",
        "purchaseDate": signed_at,
        "quantity": 1,
        "type": "Consumable",
        "inAppOwnershipType": "PURCHASED",
        "signedDate": signed_at,
        "environment": "Production",
        "storefront": "DEU",
    })
}
