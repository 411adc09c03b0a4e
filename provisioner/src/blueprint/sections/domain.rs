//! `[domain]`

use crate::blueprint::model::Domain;
use crate::blueprint::problem::Problem;
use crate::blueprint::reader::Section;
use crate::blueprint::schema::{Key, Takes};

const NAME: Takes = Takes::Text("a domain name");
const ZONE: Key = Key::required("zone", NAME, "\"game.example.com\"");
const CREATE_ZONE: Key = Key::new("create_zone", Takes::Boolean, "false");
const PARENT_ZONE: Key = Key::optional("parent_zone", NAME, "you delegate a created zone yourself", "\"example.com\"");
const API: Key = Key::optional("api", NAME, "`api.` and the zone, with `[servers]`", "\"api.game.example.com\"");
const ASSETS: Key =
    Key::optional("assets", NAME, "`assets.` and the zone, with `[assets]`", "\"assets.game.example.com\"");

pub const KEYS: &[&Key] = &[&ZONE, &CREATE_ZONE, &PARENT_ZONE, &API, &ASSETS];

/// A certificate's first name can be no longer.
pub(in crate::blueprint) const LONGEST_CERTIFIED: usize = 64;

/// Reads it; a value that is wrong is noted. `servers`, `assets`: whether the blueprint has these sections.
pub fn read(section: &mut Section<'_, '_>, servers: bool, assets: bool) -> Domain {
    let zone = section.text(&ZONE, |text| domain_name("zone", text)).unwrap_or_default();
    let below = |label: &str| (!zone.is_empty()).then(|| format!("{label}.{zone}"));
    let api = section.text(&API, |text| domain_name("api", text)).or_else(|| below("api").filter(|_| servers));
    let assets_name =
        section.text(&ASSETS, |text| domain_name("assets", text)).or_else(|| below("assets").filter(|_| assets));
    Domain {
        create_zone: section.boolean(&CREATE_ZONE).unwrap_or(false),
        parent_zone: section.text(&PARENT_ZONE, |text| domain_name("parent_zone", text)),
        api,
        assets: assets_name,
        zone,
    }
}

/// `text` as a host name of at least two labels, lower case, without a dot at its end.
pub(in crate::blueprint) fn domain_name(key: &str, text: &str) -> Result<String, Problem> {
    if is_domain_name(text) {
        return Ok(text.to_owned());
    }
    let lower = text.trim().to_ascii_lowercase();
    let bare = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://")).unwrap_or(&lower);
    let bare = bare.split('/').next().unwrap_or_default().trim_end_matches('.');
    let help = if is_domain_name(bare) {
        format!("write `{key} = \"{bare}\"`")
    } else if !text.contains('.') {
        format!("write the whole name, for example `{key} = \"{key}.game.example.com\"`")
    } else {
        "labels of letters, digits and hyphens, joined by dots, for example \"game.example.com\"".to_owned()
    };
    Err(Problem::malformed(format!("`{key}` cannot be {text:?}"), help))
}

/// Whether it is a host name of at least two labels.
pub(super) fn is_domain_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    // 253 is DNS's limit; room is left for the ownership records below the name.
    text.len() <= 230
        && text.contains('.')
        && text.split('.').all(label)
        && !text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()))
}
