//! The defaults: safe and cheap.

use std::collections::BTreeMap;

use super::model::{
    Apply, Architecture, Assets, Blueprint, Cache, CacheEngine, Database, HttpMode, Log, PriceClass, Servers,
    StackSection, Thresholds,
};
use super::network::{Nat, Network, ZoneSpec};

/// Log retention where there is no `[log]`.
pub(super) const LOG_RETENTION_DAYS: u16 = 90;

impl Blueprint {
    /// A blueprint of nothing but the stack's own bucket.
    pub fn empty(name: &str, environment: &str, region: &str) -> Self {
        Self {
            stack: StackSection {
                name: name.to_owned(),
                environment: environment.to_owned(),
                region: region.to_owned(),
                account: None,
                drills: true,
            },
            network: None,
            database: None,
            cache: None,
            log: None,
            servers: None,
            assets: None,
            domain: None,
            alarms: None,
            tags: BTreeMap::new(),
        }
    }

    /// The stack's name: `<name>-<environment>`.
    pub fn stack_name(&self) -> String {
        format!("{}-{}", self.stack.name, self.stack.environment)
    }

    /// The port of the HTTPS listener; `None` where there is none, because the API has no name to certify.
    pub fn https_port(&self) -> Option<u16> {
        self.domain.as_ref()?.api.as_ref()?;
        self.servers.as_ref().map(|servers| servers.https_port)
    }

    /// Days for which CloudWatch log groups keep their events.
    pub fn log_retention_days(&self) -> u16 {
        self.log.as_ref().map_or(LOG_RETENTION_DAYS, |log| log.retention_days)
    }
}

impl Default for Network {
    fn default() -> Self {
        let cidr = ipnet::Ipv4Net::new_assert([10, 0, 0, 0].into(), 16);
        Self { vpc: None, cidr, zones: ZoneSpec::Count(2), nat: Nat::Single }
    }
}

impl Default for Database {
    fn default() -> Self {
        Self {
            engine_version: "8.4".into(),
            instance_class: "db.t4g.micro".into(),
            storage_gb: 20,
            multi_az: false,
            read_replicas: 0,
            backup_days: 7,
            deletion_protection: true,
            tls: true,
            apply: Apply::Now,
        }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            engine: CacheEngine::Redis,
            engine_version: "7.1".into(),
            node_type: "cache.t4g.micro".into(),
            replicas: 0,
            tls: true,
            apply: Apply::Now,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { retention_days: LOG_RETENTION_DAYS, point_in_time_recovery: true }
    }
}

impl Default for Servers {
    /// As in a blueprint without `[domain]`: with one, plain HTTP redirects unless told otherwise.
    fn default() -> Self {
        Self {
            instance_type: "t3.small".into(),
            architecture: Architecture::X86_64,
            min: 1,
            max: 3,
            target: 50,
            health: "/livez".into(),
            port: 8080,
            http_port: 80,
            https_port: 443,
            http: HttpMode::Serve,
            artifact: None,
            game_file: None,
        }
    }
}

impl Default for Assets {
    fn default() -> Self {
        Self { directory: None, keep: 10, price_class: PriceClass::Class100 }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            unhealthy_hosts: 1,
            server_errors: 10,
            latency_ms: 1000,
            database_cpu: 80,
            database_free_gb: 4,
            database_connections: 60,
            cache_memory: 80,
            cache_evictions: 1,
            log_throttles: 1,
        }
    }
}
