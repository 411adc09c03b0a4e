//! What several values must meet together.

use super::model::{Blueprint, HttpMode, Servers};
use super::problem::Problem;
use super::reader::Notes;
use super::sections::{architecture_of, domain, family};

/// The port of the server's metrics.
const METRICS_PORT: u16 = 9100;

/// Checks everything that holds between keys and between sections.
pub(super) fn check(blueprint: &Blueprint, notes: &mut Notes) {
    needed_sections(blueprint, notes);
    zones(blueprint, notes);
    data(blueprint, notes);
    if let Some(servers) = &blueprint.servers {
        self::servers(blueprint, servers, notes);
    }
    names(blueprint, notes);
    alarms(blueprint, notes);
}

fn conflict(message: impl Into<String>, help: impl Into<String>) -> Problem {
    Problem::new("conflict", message, help)
}

fn needed_sections(blueprint: &Blueprint, notes: &mut Notes) {
    let there = |section: &str| match section {
        "network" => blueprint.network.is_some(),
        "database" => blueprint.database.is_some(),
        "cache" => blueprint.cache.is_some(),
        "log" => blueprint.log.is_some(),
        "servers" => blueprint.servers.is_some(),
        _ => false,
    };
    let needs: [(&str, &[&str], &str); 3] = [
        ("database", &["network"], "it lives in the network's private subnets"),
        ("cache", &["network"], "it lives in the network's private subnets"),
        ("servers", &["network", "database", "cache", "log"], "the servers keep nothing themselves"),
    ];
    for (section, needed, why) in needs {
        let missing: Vec<String> = needed.iter().filter(|name| !there(name)).map(|name| format!("[{name}]")).collect();
        notes.rule(&[section], !there(section) || missing.is_empty(), || {
            let list = missing.join(" and ");
            Problem::new(
                "needs_section",
                format!("[{section}] needs {list}"),
                format!("{why}: add {list} (defaults will do), or take [{section}] away"),
            )
        });
    }
}

fn zones(blueprint: &Blueprint, notes: &mut Notes) {
    let Some(network) = &blueprint.network else { return };
    let spread = [
        ("database", blueprint.database.is_some(), "a database's subnet group spans two zones"),
        ("servers", blueprint.servers.is_some(), "a load balancer spans two zones"),
        (
            "cache",
            blueprint.cache.as_ref().is_some_and(|c| c.replicas > 0),
            "replicas of the cache live in other zones",
        ),
    ];
    if let Some((section, _, why)) = spread.iter().find(|(_, there, _)| *there) {
        notes.rule(&["network.zones"], network.zones.count() >= 2, || {
            conflict(format!("[{section}] needs two zones or more"), format!("{why}: write `zones = 2`"))
        });
    }
}

fn data(blueprint: &Blueprint, notes: &mut Notes) {
    if let Some(database) = &blueprint.database {
        let met = database.read_replicas == 0 || database.backup_days > 0;
        notes.rule(&["database.backup_days", "database.read_replicas"], met, || {
            conflict("read replicas need automated backups", "write `backup_days = 1` or more, or `read_replicas = 0`")
        });
    }
    if let Some(cache) = &blueprint.cache {
        let met = cache.replicas == 0 || family(&cache.node_type) != "t2";
        notes.rule(&["cache.node_type", "cache.replicas"], met, || {
            conflict(
                format!("{:?} has no automatic failover, which replicas are for", cache.node_type),
                "use a newer type, for example \"cache.t4g.small\", or `replicas = 0`",
            )
        });
    }
}

fn servers(blueprint: &Blueprint, servers: &Servers, notes: &mut Notes) {
    notes.rule(&["servers.min", "servers.max"], servers.min <= servers.max, || {
        let (min, max) = (servers.min, servers.max);
        conflict(
            format!("`min` {min} is more than `max` {max}"),
            format!("write `max = {min}` or more, or a smaller `min`"),
        )
    });
    let of_type = architecture_of(&servers.instance_type);
    notes.rule(&["servers.architecture", "servers.instance_type"], servers.architecture == of_type, || {
        conflict(
            format!("{:?} is not {}", servers.instance_type, servers.architecture.as_str()),
            format!("write `architecture = \"{}\"`, or leave it out", of_type.as_str()),
        )
    });
    notes.rule(&["servers.port"], servers.port != METRICS_PORT, || {
        conflict(
            format!("`port` {METRICS_PORT} is where the server shows its metrics"),
            "choose another one, for example 8080",
        )
    });
    let api = blueprint.domain.as_ref().is_some_and(|domain| domain.api.is_some());
    let distinct = !api || servers.http_port != servers.https_port;
    notes.rule(&["servers.https_port", "servers.http_port"], distinct, || {
        conflict(
            format!("`http_port` and `https_port` are both {}", servers.http_port),
            "each listener needs a port of its own, for example 80 and 443",
        )
    });
    if blueprint.domain.is_none() {
        let redirect = servers.http == HttpMode::Redirect;
        notes.rule(&["servers.http", "domain"], !redirect, || {
            conflict(
                "`http = \"redirect\"` needs HTTPS, and HTTPS needs a name to certify",
                "add [domain] with `zone`, or write `http = \"serve\"`",
            )
        });
        let given = notes.given("servers.https_port");
        notes.rule(&["servers.https_port", "domain"], !given, || {
            conflict("`https_port` needs a name to certify", "add [domain] with `zone`, or take `https_port` away")
        });
    }
}

fn names(blueprint: &Blueprint, notes: &mut Notes) {
    let Some(domain) = &blueprint.domain else { return };
    for (path, section, there, name) in [
        ("domain.api", "servers", blueprint.servers.is_some(), &domain.api),
        ("domain.assets", "assets", blueprint.assets.is_some(), &domain.assets),
    ] {
        let Some(name) = name else { continue };
        let key = path.trim_start_matches("domain.");
        notes.rule(&[path, section], there, || {
            Problem::new(
                "needs_section",
                format!("`{key}` names what is not there: the blueprint has no [{section}]"),
                format!("add [{section}], or take `{key}` away"),
            )
        });
        let inside = within(name, &domain.zone);
        notes.rule(&[path, "domain.zone"], inside, || {
            let last = name.split('.').next().unwrap_or_default();
            conflict(
                format!("{name:?} is not in the zone {:?}", domain.zone),
                format!("write `{key} = \"{last}.{}\"`", domain.zone),
            )
        });
        notes.rule(&[path, "domain.zone"], name.len() <= domain::LONGEST_CERTIFIED, || {
            let most = domain::LONGEST_CERTIFIED;
            Problem::new(
                "too_long",
                format!("{name:?} is too long for a certificate"),
                format!("use at most {most} characters"),
            )
        });
    }
    notes.rule(&["domain.assets", "domain.api"], domain.api.is_none() || domain.api != domain.assets, || {
        conflict("`api` and `assets` are the same name", "give each a name of its own")
    });
    let Some(parent) = &domain.parent_zone else { return };
    notes.rule(&["domain.parent_zone", "domain.create_zone"], domain.create_zone, || {
        conflict(
            "`parent_zone` delegates a zone that the stack creates",
            "write `create_zone = true`, or take `parent_zone` away",
        )
    });
    let below = domain.zone != *parent && within(&domain.zone, parent);
    notes.rule(&["domain.parent_zone", "domain.zone"], below, || {
        let above = domain.zone.split_once('.').map_or("", |(_, above)| above);
        conflict(format!("{:?} is not below {parent:?}", domain.zone), format!("its parent is for example {above:?}"))
    });
}

fn alarms(blueprint: &Blueprint, notes: &mut Notes) {
    let (Some(alarms), Some(database)) = (&blueprint.alarms, &blueprint.database) else { return };
    let free = alarms.thresholds.database_free_gb;
    notes.rule(&["alarms.thresholds.database_free_gb", "database.storage_gb"], free < database.storage_gb, || {
        conflict(
            format!("`database_free_gb` {free} is not less than `storage_gb` {}", database.storage_gb),
            "the alarm would always ring: choose a smaller number",
        )
    });
}

fn within(name: &str, zone: &str) -> bool {
    name.strip_suffix(zone).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
