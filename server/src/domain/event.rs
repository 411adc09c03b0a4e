//! Events for the log: those of the server itself, and those that clients send.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::{
    DomainError,
    clock::{World, derived_ulid},
    error::Checks,
};
use crate::store::{Event, PlayerId};

/// Names with this prefix are the server's.
pub const RESERVED_PREFIX: &str = "game.";
/// Events in one request.
pub const MAX_BATCH: usize = 100;
/// Bytes of JSON that an event's properties may take.
pub const MAX_PROPERTIES: usize = 4096;
const OLDEST: SignedDuration = SignedDuration::from_hours(30 * 24);
const NEWEST: SignedDuration = SignedDuration::from_mins(10);

/// An event as a client sends it.
#[derive(Debug, Clone)]
pub struct ClientEvent {
    /// What happened.
    pub name: String,
    /// When, by the client's clock.
    pub at: Timestamp,
    /// Anything.
    pub properties: Map<String, Value>,
}

/// An event of the server's own.
#[must_use]
pub fn own(world: &World, player: &PlayerId, name: &'static str, at: Timestamp, properties: Value) -> Event {
    Event { id: world.ulid(), player: player.clone(), name: format!("{RESERVED_PREFIX}{name}"), at, properties }
}

/// Checks a batch and makes events of it. With a key, a repeat of the batch makes the same events.
///
/// # Errors
/// When there are none or too many, or one has wrong values.
pub fn accept(
    world: &World,
    player: &PlayerId,
    key: Option<&str>,
    batch: Vec<ClientEvent>,
) -> Result<Vec<Event>, DomainError> {
    let now = world.now();
    let mut checks = Checks::default();
    checks.require((1..=MAX_BATCH).contains(&batch.len()), "events", format!("must hold 1 to {MAX_BATCH} events"));
    for (index, event) in batch.iter().enumerate() {
        check(&mut checks, index, event, now);
    }
    checks.finish()?;
    let events = batch.into_iter().enumerate().map(|(index, event)| {
        let at = Timestamp::from_microsecond(event.at.as_microsecond()).unwrap_or(event.at);
        let id = match key {
            Some(key) => derived_ulid(at, &[player.as_str().as_bytes(), key.as_bytes(), &(index as u64).to_be_bytes()]),
            None => world.ulid(),
        };
        Event { id, player: player.clone(), name: event.name, at, properties: Value::Object(event.properties) }
    });
    Ok(events.collect())
}

fn check(checks: &mut Checks, index: usize, event: &ClientEvent, now: Timestamp) {
    let fits = (1..=64).contains(&event.name.len())
        && event.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        && !event.name.starts_with(RESERVED_PREFIX);
    let message = format!("{index}: must be 1 to 64 letters, digits, '.', '_' or '-', not beginning with 'game.'");
    checks.require(fits, "events.name", message);
    let age = now.duration_since(event.at);
    let message = format!("{index}: must be at most 30 days ago and 10 minutes ahead");
    checks.require((-NEWEST..=OLDEST).contains(&age), "events.at", message);
    let size = serde_json::to_string(&event.properties).map_or(usize::MAX, |text| text.len());
    let message = format!("{index}: must take at most {MAX_PROPERTIES} bytes");
    checks.require(size <= MAX_PROPERTIES, "events.properties", message);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(name: &str, at: Timestamp) -> ClientEvent {
        ClientEvent { name: name.to_owned(), at, properties: Map::new() }
    }

    fn player() -> PlayerId {
        PlayerId::parse("01JD").expect("an id")
    }

    #[test]
    fn equal_events_of_one_second_stay_apart() {
        let world = World::default();
        let now = world.now();
        let batch = vec![event("tap", now); 44];
        let events = accept(&world, &player(), None, batch).expect("valid");
        let keys: std::collections::HashSet<_> = events.iter().map(Event::sort_key).collect();
        assert_eq!(keys.len(), 44);
    }

    #[test]
    fn a_repeat_with_a_key_makes_the_same_events() {
        let world = World::default();
        let batch = vec![event("tap", world.now()); 3];
        let first = accept(&world, &player(), Some("k"), batch.clone()).expect("valid");
        assert_eq!(first, accept(&world, &player(), Some("k"), batch.clone()).expect("valid"));
        assert_ne!(first[0].id, first[1].id);
        assert_ne!(first[0].id, accept(&world, &player(), Some("l"), batch).expect("valid")[0].id);
    }

    #[test]
    fn every_wrong_value_is_named() {
        let world = World::default();
        let old = world.now() - SignedDuration::from_hours(31 * 24);
        let error = accept(&world, &player(), None, vec![event("game.fake", old)]).expect_err("two are wrong");
        let DomainError::Invalid(violations) = error else { panic!("{error}") };
        assert_eq!(violations.iter().map(|v| v.field).collect::<Vec<_>>(), ["events.name", "events.at"]);
    }
}
