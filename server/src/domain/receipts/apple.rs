//! Apple's signed transactions (StoreKit 2) and notifications (version 2), verified without asking Apple.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous::insecure_decode_claims, decode, decode_header};
use serde::{Deserialize, de::DeserializeOwned};
use x509_parser::{certificate::X509Certificate, der_parser::oid, prelude::FromDer as _, time::ASN1Time};

use super::{Fault, MAX_TRANSACTION_ID, Statement};
use crate::store::AppStore;

/// The public certificate that Apple's transactions lead to (Apple Root CA - G3).
pub const APPLE_ROOT: &str = include_str!("../../../certs/apple-root-ca-g3.pem");
/// Apple's clock and ours.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);
const MAX_QUANTITY: i64 = 1000;

/// Verifies what Apple signed for one app.
#[derive(Debug, Clone)]
pub struct Apple {
    root: Vec<u8>,
    bundle_id: String,
    sandbox: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Signed {
    signed_date: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Transaction {
    transaction_id: String,
    bundle_id: String,
    product_id: String,
    environment: String,
    signed_date: i64,
    quantity: Option<i64>,
    r#type: String,
    in_app_ownership_type: Option<String>,
    revocation_date: Option<i64>,
    app_account_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Notification {
    notification_type: String,
    data: Option<NotificationData>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NotificationData {
    signed_transaction_info: Option<String>,
}

impl Apple {
    /// For one app. `root` is a certificate in PEM or DER; `sandbox`: test purchases are worth as much as real ones.
    ///
    /// # Errors
    /// When `root` is no certificate.
    pub fn new(root: &[u8], bundle_id: String, sandbox: bool) -> Result<Self, Fault> {
        let root = match x509_parser::pem::parse_x509_pem(root) {
            Ok((_, pem)) => pem.contents,
            Err(_) => root.to_vec(),
        };
        parse(&root)?;
        Ok(Self { root, bundle_id, sandbox })
    }

    /// What a signed transaction says.
    pub(super) fn transaction(&self, jws: &str, now: Timestamp) -> Result<Statement, Fault> {
        let transaction: Transaction = self.verified(jws, now)?;
        if transaction.bundle_id != self.bundle_id {
            return Err(Fault("the transaction is of another app"));
        }
        match transaction.environment.as_str() {
            "Production" => {}
            "Sandbox" if self.sandbox => {}
            _ => return Err(Fault("the transaction is of an environment that is not accepted")),
        }
        // What can be restored would come again under another transaction's id.
        if transaction.r#type != "Consumable" {
            return Err(Fault("the product is not a consumable"));
        }
        if transaction.in_app_ownership_type.is_some_and(|kind| kind != "PURCHASED") {
            return Err(Fault("the product was not bought by its user"));
        }
        let quantity = transaction.quantity.unwrap_or(1);
        if !(1..=MAX_QUANTITY).contains(&quantity)
            || !(1..=MAX_TRANSACTION_ID).contains(&transaction.transaction_id.len())
            || transaction.product_id.len() > 255
        {
            return Err(Fault("the transaction has impossible values"));
        }
        Ok(Statement {
            store: AppStore::Apple,
            transaction_id: transaction.transaction_id,
            order_id: None,
            product_id: transaction.product_id,
            quantity,
            revoked: transaction.revocation_date.is_some(),
            stated_at: at(transaction.signed_date)?,
            account_token: transaction.app_account_token,
            acknowledge: false,
        })
    }

    /// What a notification says of a transaction, if it does.
    pub(super) fn notification(&self, jws: &str, now: Timestamp) -> Result<Option<Statement>, Fault> {
        let notification: Notification = self.verified(jws, now)?;
        let Some(signed) = notification.data.and_then(|data| data.signed_transaction_info) else { return Ok(None) };
        let revoked = match notification.notification_type.as_str() {
            "REFUND" | "REVOKE" => true,
            "REFUND_REVERSED" => false,
            _ => return Ok(None),
        };
        let statement = self.transaction(&signed, now)?;
        Ok(Some(Statement { revoked, ..statement }))
    }

    /// What was signed, once the signature, its certificate and that one's chain up to the root are found good.
    fn verified<T: DeserializeOwned>(&self, jws: &str, now: Timestamp) -> Result<T, Fault> {
        let header = decode_header(jws).map_err(|_| Fault("it is not a signed transaction (JWS)"))?;
        if header.alg != Algorithm::ES256 {
            return Err(Fault("it is not signed with ES256"));
        }
        let chain = header.x5c.ok_or(Fault("its header has no certificates (x5c)"))?;
        let chain: Result<Vec<_>, _> = chain.iter().map(|text| STANDARD.decode(text)).collect();
        let chain = chain.map_err(|_| Fault("its certificates cannot be read"))?;
        // Read before it is verified, to know for when to verify: who signs a lie about the time has the key all the same.
        let signed: Signed = insecure_decode_claims(jws).map_err(|_| Fault("it has no signedDate"))?;
        let signed_at = at(signed.signed_date)?;
        if now.duration_since(signed_at) < -CLOCK_SKEW {
            return Err(Fault("it was signed in the future"));
        }
        let key = self.leaf_key(&chain, signed_at)?;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let token = decode(jws, &DecodingKey::from_ec_der(&key), &validation);
        token.map(|token| token.claims).map_err(|_| Fault("its signature or content is wrong"))
    }

    /// The public key of the certificate that signs, if Apple let it sign this and all was valid then.
    fn leaf_key(&self, chain: &[Vec<u8>], at: Timestamp) -> Result<Vec<u8>, Fault> {
        let [leaf, intermediate, root] = chain else { return Err(Fault("its chain has not three certificates")) };
        if *root != self.root {
            return Err(Fault("its certificates do not lead to Apple's root"));
        }
        let (leaf, intermediate, root) = (parse(leaf)?, parse(intermediate)?, parse(root)?);
        for (child, parent) in [(&leaf, &intermediate), (&intermediate, &root)] {
            let authority = parent.basic_constraints().ok().flatten().is_some_and(|constraints| constraints.value.ca);
            if !authority || child.issuer() != parent.subject() {
                return Err(Fault("its certificates are not a chain"));
            }
            child.verify_signature(Some(parent.public_key())).map_err(|_| Fault("its certificates are not genuine"))?;
        }
        let (signs, issues) = (oid!(1.2.840.113635.100.6.11.1), oid!(1.2.840.113635.100.6.2.1));
        for (certificate, marker) in [(&leaf, signs), (&intermediate, issues)] {
            if !matches!(certificate.get_extension_unique(&marker), Ok(Some(_))) {
                return Err(Fault("its certificates are not for receipts"));
            }
        }
        let time = ASN1Time::from_timestamp(at.as_second()).map_err(|_| Fault("its signedDate is impossible"))?;
        if ![&leaf, &intermediate, &root].iter().all(|certificate| certificate.validity().is_valid_at(time)) {
            return Err(Fault("its certificates were not valid when it was signed"));
        }
        Ok(leaf.public_key().subject_public_key.data.to_vec())
    }
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, Fault> {
    match X509Certificate::from_der(der) {
        Ok(([], certificate)) => Ok(certificate),
        _ => Err(Fault("a certificate cannot be read")),
    }
}

fn at(millis: i64) -> Result<Timestamp, Fault> {
    Timestamp::from_millisecond(millis).map_err(|_| Fault("a time in it is impossible"))
}
