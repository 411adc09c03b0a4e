//! `[cache]`

use super::types::{Service, instance_type};
use crate::blueprint::model::{Apply, Cache, CacheEngine};
use crate::blueprint::problem::{Problem, not_one_of};
use crate::blueprint::reader::Section;
use crate::blueprint::schema::{Key, Takes};

const ENGINE: Key = Key::new("engine", Takes::OneOf(&["redis", "valkey"]), "\"redis\"");
const ENGINE_VERSION: Key =
    Key::optional("engine_version", Takes::Text("a version"), "`\"7.1\"` of Redis, `\"8.0\"` of Valkey", "\"7.1\"");
const NODE_TYPE: Key = Key::new("node_type", Takes::Text("an ElastiCache node type"), "\"cache.t4g.micro\"");
const REPLICAS: Key = Key::new("replicas", Takes::Integer(0, 5), "0");
const TLS: Key = Key::new("tls", Takes::Boolean, "true");
const APPLY: Key = Key::new("apply", Takes::OneOf(&["now", "maintenance-window"]), "\"now\"");

pub const KEYS: &[&Key] = &[&ENGINE, &ENGINE_VERSION, &NODE_TYPE, &REPLICAS, &TLS, &APPLY];

const REDIS: &[&str] = &["7.1", "7.0"];
const VALKEY: &[&str] = &["8.0", "7.2", "8.1", "8.2"];

/// Families that encrypt nothing in transit.
const TOO_OLD: &[&str] = &["t1", "m1", "m2", "c1", "m3", "r3"];

/// Reads it; a value that is wrong is noted, and its default stands in.
pub fn read(section: &mut Section<'_, '_>) -> Cache {
    let default = Cache::default();
    let engine = section.choice(&ENGINE, &[CacheEngine::Redis, CacheEngine::Valkey]).unwrap_or(default.engine);
    let versions = match engine {
        CacheEngine::Redis => REDIS,
        CacheEngine::Valkey => VALKEY,
    };
    Cache {
        engine,
        engine_version: section
            .text(&ENGINE_VERSION, |text| version(engine, text, versions))
            .unwrap_or_else(|| versions.first().map_or_else(String::new, |version| (*version).to_owned())),
        node_type: section
            .text(&NODE_TYPE, |text| {
                instance_type(Service::ElastiCache, text, TOO_OLD, "it cannot encrypt connections")
            })
            .unwrap_or(default.node_type),
        replicas: section.integer(&REPLICAS).unwrap_or(default.replicas),
        tls: section.boolean(&TLS).unwrap_or(default.tls),
        apply: section.choice(&APPLY, &[Apply::Now, Apply::MaintenanceWindow]).unwrap_or(default.apply),
    }
}

fn version(engine: CacheEngine, text: &str, versions: &[&str]) -> Result<String, Problem> {
    if versions.contains(&text) {
        return Ok(text.to_owned());
    }
    let mut problem = not_one_of("engine_version", text, versions);
    problem.help = format!("for {}: {}", engine.as_str(), problem.help);
    let other = if engine == CacheEngine::Redis { (CacheEngine::Valkey, VALKEY) } else { (CacheEngine::Redis, REDIS) };
    if other.1.contains(&text) {
        problem.help = format!(
            "this is a version of {0}: write `engine = \"{0}\"`, or `engine_version = \"{1}\"`",
            other.0.as_str(),
            versions[0]
        );
    }
    Err(problem)
}
