//! The environment that the servers boot with.

use std::collections::BTreeMap;

use crate::blueprint::{Blueprint, Servers};
use crate::kinds::{Place, Ref, distribution};
use crate::release::user_data::GAME_FILE;

/// The server's environment: where its stores are. Secrets go by name. Read replicas are left out, so that adding one
/// does not exchange the servers: these ask RDS for them.
pub(super) fn environment(blueprint: &Blueprint, servers: &Servers, place: &Place) -> BTreeMap<String, Ref> {
    let mut all: BTreeMap<String, Ref> = BTreeMap::new();
    let mut set = |name: &str, value: Ref| all.insert(name.to_owned(), value);
    let on_aws = blueprint.database.is_some() && blueprint.cache.is_some() && blueprint.log.is_some();
    set("AWS_REGION", place.stack.home.as_str().into());
    set("GAME_STORE", if on_aws { "aws" } else { "embedded" }.into());
    set("GAME_STACK", place.stack.name.as_str().into());
    set("GAME_PORT", servers.port.to_string().into());
    set("GAME_RELEASE", Ref::to("release", "sha256"));
    set("GAME_SIGNING_SECRET", Ref::to("secret/signing", "name"));
    set("GAME_LOG_GROUP", Ref::to("log-group/servers", "name"));
    if place.game_file.is_some() {
        set("GAME_FILE", GAME_FILE.into());
    }
    if blueprint.assets.is_some() {
        set("GAME_ASSETS_URL", assets_url(blueprint));
    }
    if !on_aws {
        set("GAME_DATA_DIR", "/var/lib/game-server".into());
    }
    let tls = |on: bool| Ref::from(if on { "required" } else { "off" });
    if let Some(database) = &blueprint.database {
        set("GAME_DATABASE_HOST", Ref::to("database", "endpoint"));
        set("GAME_DATABASE_PORT", Ref::to("database", "port"));
        set("GAME_DATABASE_INSTANCE", Ref::to("database", "name"));
        set("GAME_DATABASE_NAME", "game".into());
        set("GAME_DATABASE_SECRET", Ref::to("secret/database", "name"));
        set("GAME_DATABASE_TLS", tls(database.tls));
    }
    if let Some(cache) = &blueprint.cache {
        set("GAME_CACHE_HOST", Ref::to("cache", "endpoint"));
        set("GAME_CACHE_READER_HOST", Ref::to("cache", "reader_endpoint"));
        set("GAME_CACHE_PORT", Ref::to("cache", "port"));
        set("GAME_CACHE_TLS", tls(cache.tls));
        if cache.tls {
            set("GAME_CACHE_SECRET", Ref::to("secret/cache", "name"));
        }
    }
    if let Some(log) = &blueprint.log {
        set("GAME_LOG_TABLE", Ref::to("log-table", "name"));
        set("GAME_LOG_RETENTION_DAYS", log.retention_days.to_string().into());
    }
    all
}

/// Where the server finds the manifest. A name of the blueprint's own is known beforehand, so the servers need not wait for
/// the distribution.
fn assets_url(blueprint: &Blueprint) -> Ref {
    let alias = blueprint.domain.as_ref().and_then(|domain| domain.assets.as_ref());
    match alias {
        Some(name) => format!("https://{name}").into(),
        None => Ref::to(distribution::ADDRESS, "url"),
    }
}
