//! The game's own file: its boards and what can be bought. What the environment says goes before it.

use serde::Deserialize;

use super::{boards, reader::Reader};
use crate::domain::{receipts::Product, shop::CatalogueItem};

pub(super) const NAME: &str = "GAME_FILE";

/// What the file may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GameFile {
    /// As `GAME_SEASON`.
    pub(super) season: Option<String>,
    /// As `GAME_BOARDS`.
    pub(super) boards: Option<Vec<boards::Entry>>,
    /// As `GAME_CATALOG`.
    pub(super) catalog: Option<Vec<CatalogueItem>>,
    /// As `GAME_PRODUCTS`.
    pub(super) products: Option<Vec<Product>>,
}

/// Reads it, if one is named.
pub(super) fn read(reader: &mut Reader<'_>) -> GameFile {
    let Some(path) = reader.text(NAME) else { return GameFile::default() };
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            reader.wrong(NAME, format_args!("{path:?} cannot be read: {error}"));
            return GameFile::default();
        }
    };
    toml::from_str(&text).unwrap_or_else(|error| {
        reader.wrong(NAME, format_args!("{path:?} is not what it should be: {error}"));
        GameFile::default()
    })
}
