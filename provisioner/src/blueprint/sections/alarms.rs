//! `[alarms]` and `[alarms.thresholds]`

use super::domain::is_domain_name;
use crate::blueprint::model::{Alarms, Thresholds};
use crate::blueprint::problem::Problem;
use crate::blueprint::reader::Section;
use crate::blueprint::schema::{Key, Takes};

const EMAIL: Key = Key::required("email", Takes::Text("an address"), "\"ops@example.com\"");

pub const KEYS: &[&Key] = &[&EMAIL];

const MANY: i64 = 1_000_000_000;
const UNHEALTHY_HOSTS: Key = Key::new("unhealthy_hosts", Takes::Integer(1, 1000), "1");
const SERVER_ERRORS: Key = Key::new("server_errors", Takes::Integer(1, MANY), "10");
const LATENCY_MS: Key = Key::new("latency_ms", Takes::Integer(1, 60_000), "1000");
const DATABASE_CPU: Key = Key::new("database_cpu", Takes::Integer(1, 100), "80");
const DATABASE_FREE_GB: Key = Key::new("database_free_gb", Takes::Integer(1, 65_536), "4");
const DATABASE_CONNECTIONS: Key = Key::new("database_connections", Takes::Integer(1, 16_000), "60");
const CACHE_MEMORY: Key = Key::new("cache_memory", Takes::Integer(1, 100), "80");
const CACHE_EVICTIONS: Key = Key::new("cache_evictions", Takes::Integer(1, MANY), "1");
const LOG_THROTTLES: Key = Key::new("log_throttles", Takes::Integer(1, MANY), "1");

pub const THRESHOLD_KEYS: &[&Key] = &[
    &UNHEALTHY_HOSTS,
    &SERVER_ERRORS,
    &LATENCY_MS,
    &DATABASE_CPU,
    &DATABASE_FREE_GB,
    &DATABASE_CONNECTIONS,
    &CACHE_MEMORY,
    &CACHE_EVICTIONS,
    &LOG_THROTTLES,
];

/// Reads it; a value that is wrong is noted, and its default stands in.
pub fn read(section: &mut Section<'_, '_>) -> Alarms {
    Alarms {
        email: section.text(&EMAIL, email).unwrap_or_default(),
        thresholds: section.inner("alarms.thresholds").as_mut().map_or_else(Thresholds::default, thresholds),
    }
}

fn thresholds(section: &mut Section<'_, '_>) -> Thresholds {
    let default = Thresholds::default();
    Thresholds {
        unhealthy_hosts: section.integer(&UNHEALTHY_HOSTS).unwrap_or(default.unhealthy_hosts),
        server_errors: section.integer(&SERVER_ERRORS).unwrap_or(default.server_errors),
        latency_ms: section.integer(&LATENCY_MS).unwrap_or(default.latency_ms),
        database_cpu: section.integer(&DATABASE_CPU).unwrap_or(default.database_cpu),
        database_free_gb: section.integer(&DATABASE_FREE_GB).unwrap_or(default.database_free_gb),
        database_connections: section.integer(&DATABASE_CONNECTIONS).unwrap_or(default.database_connections),
        cache_memory: section.integer(&CACHE_MEMORY).unwrap_or(default.cache_memory),
        cache_evictions: section.integer(&CACHE_EVICTIONS).unwrap_or(default.cache_evictions),
        log_throttles: section.integer(&LOG_THROTTLES).unwrap_or(default.log_throttles),
    }
}

fn email(text: &str) -> Result<String, Problem> {
    let local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let sound = text.len() <= 254
        && text.split_once('@').is_some_and(|(name, host)| {
            (1..=64).contains(&name.len()) && name.chars().all(local) && is_domain_name(&host.to_ascii_lowercase())
        });
    if sound {
        return Ok(text.to_owned());
    }
    let help = "write one address, for example `email = \"ops@example.com\"`";
    Err(Problem::malformed(format!("`email` cannot be {text:?}"), help))
}
