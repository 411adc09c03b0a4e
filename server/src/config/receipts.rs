//! The app stores whose receipts are taken, and what they sell.

use std::path::PathBuf;

use reqwest::Url;

use super::reader::Reader;
use crate::{
    domain::receipts::{
        Product, Products,
        apple::{APPLE_ROOT, Apple},
    },
    play,
};

/// No product is worth more.
const MOST_COINS: i64 = 1 << 40;

/// The app stores.
#[derive(Debug)]
pub struct ReceiptsConfig {
    /// Apple's, if the game is sold there.
    pub apple: Option<Apple>,
    /// Google's, if the game is sold there.
    pub google: Option<GoogleConfig>,
    /// What is sold.
    pub products: Products,
    /// Whether test purchases are worth as much as real ones.
    pub sandbox: bool,
}

/// Google Play, before its key is read.
#[derive(Debug)]
pub struct GoogleConfig {
    /// The app.
    pub package: String,
    /// The service account's key.
    pub key: GoogleKey,
    /// The API.
    pub endpoint: Url,
}

/// Where a service account's key is.
#[derive(Debug)]
pub enum GoogleKey {
    /// In Secrets Manager.
    Secret(String),
    /// In a file.
    File(PathBuf),
}

pub(super) fn receipts(reader: &mut Reader<'_>, products: Option<Vec<Product>>) -> ReceiptsConfig {
    let products = reader.json("GAME_PRODUCTS").or(products).unwrap_or_default();
    let products = Products::new(products, MOST_COINS).unwrap_or_else(|wrong| {
        reader.wrong("GAME_PRODUCTS", wrong);
        Products::default()
    });
    let sandbox = match reader.text("GAME_RECEIPTS_SANDBOX").as_deref() {
        None | Some("refuse") => false,
        Some("accept") => true,
        Some(other) => {
            reader.wrong("GAME_RECEIPTS_SANDBOX", format_args!("{other:?} is neither `refuse` nor `accept`"));
            false
        }
    };
    ReceiptsConfig { apple: apple(reader, sandbox), google: google(reader), products, sandbox }
}

fn apple(reader: &mut Reader<'_>, sandbox: bool) -> Option<Apple> {
    let bundle_id = reader.text("GAME_APPLE_BUNDLE_ID")?;
    let root = match reader.text("GAME_APPLE_ROOT") {
        None => APPLE_ROOT.as_bytes().to_vec(),
        Some(path) => match std::fs::read(&path) {
            Ok(root) => root,
            Err(error) => {
                reader.wrong("GAME_APPLE_ROOT", format_args!("{path:?} cannot be read: {error}"));
                return None;
            }
        },
    };
    match Apple::new(&root, bundle_id, sandbox) {
        Ok(apple) => Some(apple),
        Err(fault) => {
            reader.wrong("GAME_APPLE_ROOT", format_args!("{fault} (PEM or DER)"));
            None
        }
    }
}

fn google(reader: &mut Reader<'_>) -> Option<GoogleConfig> {
    let package = reader.text("GAME_GOOGLE_PACKAGE")?;
    let endpoint = reader.parsed("GAME_GOOGLE_URL", "a URL");
    let endpoint = endpoint.unwrap_or_else(|| play::ENDPOINT.parse().expect("a URL"));
    let key = match (reader.text("GAME_GOOGLE_SECRET"), reader.text("GAME_GOOGLE_KEY_FILE")) {
        (Some(id), None) => GoogleKey::Secret(id),
        (None, Some(path)) => GoogleKey::File(PathBuf::from(path)),
        _ => {
            reader.wrong("GAME_GOOGLE_PACKAGE", "needs GAME_GOOGLE_SECRET or GAME_GOOGLE_KEY_FILE, one of the two");
            return None;
        }
    };
    Some(GoogleConfig { package, key, endpoint })
}
