//! An event as an item of the table.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

use super::STORE;
use crate::store::{Event, PlayerId, StoreError};

/// An item of the table, by attribute.
pub(super) type Item = HashMap<String, AttributeValue>;

/// DynamoDB takes items of up to 400 KB: names and values.
pub(super) const MOST_BYTES: usize = 400 * 1024;

/// The item of an event. `properties` are JSON text: a number in a DynamoDB map would lose what it does not keep.
pub(super) fn of_event(event: &Event, retention_days: u32) -> Item {
    let text = |value: String| AttributeValue::S(value);
    let expires = event.at.as_second() + i64::from(retention_days) * 24 * 60 * 60;
    HashMap::from([
        ("pk".to_owned(), text(event.partition_key())),
        ("sk".to_owned(), text(event.sort_key())),
        ("id".to_owned(), text(event.id.clone())),
        ("player".to_owned(), text(event.player.to_string())),
        ("name".to_owned(), text(event.name.clone())),
        ("at".to_owned(), text(event.at.to_string())),
        ("properties".to_owned(), text(event.properties.to_string())),
        ("expires_at".to_owned(), AttributeValue::N(expires.to_string())),
    ])
}

/// The item's size as DynamoDB counts it.
pub(super) fn size(item: &Item) -> usize {
    let value = |value: &AttributeValue| match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
        _ => 0,
    };
    item.iter().map(|(name, v)| name.len() + value(v)).sum()
}

/// The event of an item.
pub(super) fn to_event(item: &Item) -> Result<Event, StoreError> {
    let at: Timestamp = parse(item, "at", |text| text.parse().ok())?;
    Ok(Event {
        id: parse(item, "id", |text| Some(text.to_owned()))?,
        player: parse(item, "player", PlayerId::parse)?,
        name: parse(item, "name", |text| Some(text.to_owned()))?,
        at,
        properties: parse(item, "properties", |text| serde_json::from_str(text).ok())?,
    })
}

/// An attribute that is text.
pub(super) fn parse<T>(item: &Item, name: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
    let text = item.get(name).and_then(|value| value.as_s().ok());
    text.and_then(|text| read(text)).ok_or_else(|| {
        let key = item.get("sk").and_then(|value| value.as_s().ok()).map_or("", String::as_str);
        StoreError::Corrupt { store: STORE, what: format!("attribute {name} of item {key}") }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event() -> Event {
        Event {
            id: "01JD0000000000000000000000".to_owned(),
            player: PlayerId::parse("p1").expect("an id"),
            name: "purchase".to_owned(),
            at: "2026-02-03T04:05:06.000007Z".parse().expect("a time"),
            properties: json!({"price": 9_007_199_254_740_993_i64, "ratio": 1e300, "text": "ü", "none": null}),
        }
    }

    #[test]
    fn an_item_holds_the_whole_event() {
        let item = of_event(&event(), 90);
        assert_eq!(to_event(&item).expect("readable"), event());
        assert_eq!(item["pk"], AttributeValue::S(event().partition_key()));
        assert_eq!(item["sk"], AttributeValue::S("p1#01JD0000000000000000000000".to_owned()));
        assert_eq!(item["expires_at"], AttributeValue::N((event().at.as_second() + 90 * 86_400).to_string()));
    }

    #[test]
    fn a_missing_attribute_is_named() {
        let mut item = of_event(&event(), 1);
        item.remove("at");
        let error = to_event(&item).expect_err("at is missing").to_string();
        assert!(error.contains("at of item p1#01JD"), "{error}");
    }
}
