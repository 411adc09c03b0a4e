//! `[assets]`

use crate::blueprint::model::{Assets, PriceClass};
use crate::blueprint::reader::Section;
use crate::blueprint::schema::{Key, Takes};

const DIRECTORY: Key =
    Key::optional("directory", Takes::Text("a directory"), "named when it is pushed", "\"./assets\"");
const PRICE_CLASS: Key = Key::new(
    "price_class",
    Takes::OneOf(&["PriceClass_100", "PriceClass_200", "PriceClass_All"]),
    "\"PriceClass_100\"",
);

const KEEP: Key = Key::new("keep", Takes::Integer(1, 1000), "10");

pub const KEYS: &[&Key] = &[&DIRECTORY, &KEEP, &PRICE_CLASS];

/// Reads it; a value that is wrong is noted, and its default stands in.
pub fn read(section: &mut Section<'_, '_>) -> Assets {
    let default = Assets::default();
    Assets {
        directory: section.text(&DIRECTORY, |text| super::path("directory", text)),
        keep: section.integer(&KEEP).unwrap_or(default.keep),
        price_class: section
            .choice(&PRICE_CLASS, &[PriceClass::Class100, PriceClass::Class200, PriceClass::All])
            .unwrap_or(default.price_class),
    }
}
