//! What a blueprint says, fully resolved: every default is filled in, every rule has been checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::network::Network;

/// A checked blueprint. A section that is `None` is not created.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Blueprint {
    /// `[stack]`: whose stack this is, and where.
    pub stack: StackSection,
    /// `[network]`
    pub network: Option<Network>,
    /// `[database]`
    pub database: Option<Database>,
    /// `[cache]`
    pub cache: Option<Cache>,
    /// `[log]`
    pub log: Option<Log>,
    /// `[servers]`
    pub servers: Option<Servers>,
    /// `[assets]`
    pub assets: Option<Assets>,
    /// `[domain]`
    pub domain: Option<Domain>,
    /// `[alarms]`
    pub alarms: Option<Alarms>,
    /// `[tags]`: free tags, put on every resource.
    pub tags: BTreeMap<String, String>,
}

/// `[stack]`: the stack's identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackSection {
    /// The game.
    pub name: String,
    /// Which of its stacks this is: `dev`, `production`, ...
    pub environment: String,
    /// The home region.
    pub region: String,
    /// The only account (twelve digits) in which this blueprint may be applied.
    pub account: Option<String>,
    /// Whether `provision drill` may break something of it on purpose.
    pub drills: bool,
}

/// When changes of database and cache that interrupt take effect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Apply {
    /// When `up` makes them.
    #[default]
    Now,
    /// In the next weekly maintenance window.
    MaintenanceWindow,
}

/// `[database]`: RDS for MySQL. Storage is gp3 and always encrypted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Database {
    /// MySQL version: `8.4`, or with a minor one, `8.4.5`.
    pub engine_version: String,
    /// Class of the primary and of each replica.
    pub instance_class: String,
    /// Storage in GiB.
    pub storage_gb: u32,
    /// A standby in a second zone.
    pub multi_az: bool,
    /// How many read replicas.
    pub read_replicas: u8,
    /// Days for which automated backups are kept; 0 switches them off.
    pub backup_days: u8,
    /// RDS refuses to delete it while this is on.
    pub deletion_protection: bool,
    /// Connections must be encrypted.
    pub tls: bool,
    /// When changes that interrupt take effect.
    pub apply: Apply,
}

impl Database {
    /// The family of its parameter group: `mysql8.4`.
    pub fn family(&self) -> String {
        let mut parts = self.engine_version.split('.');
        let major = parts.next().unwrap_or_default();
        let minor = parts.next().unwrap_or_default();
        format!("mysql{major}.{minor}")
    }
}

/// The engines of `[cache]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheEngine {
    /// Redis OSS.
    Redis,
    /// Valkey.
    Valkey,
}

impl CacheEngine {
    /// ElastiCache's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Valkey => "valkey",
        }
    }
}

/// `[cache]`: an ElastiCache replication group of one shard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cache {
    /// The engine.
    pub engine: CacheEngine,
    /// The engine's version, for example `7.1`.
    pub engine_version: String,
    /// Type of each node.
    pub node_type: String,
    /// Replicas beside the primary.
    pub replicas: u8,
    /// Connections are encrypted and need the AUTH token.
    pub tls: bool,
    /// When changes that interrupt take effect.
    pub apply: Apply,
}

impl Cache {
    /// The family of its parameter group: `redis7`, `valkey8`.
    pub fn family(&self) -> String {
        let major = self.engine_version.split('.').next().unwrap_or_default();
        format!("{}{major}", self.engine.as_str())
    }

    /// Whether a replica takes over by itself (and the nodes are spread over zones): wherever there is a replica.
    pub fn automatic_failover(&self) -> bool {
        self.replicas > 0
    }

    /// Primary and replicas together.
    pub fn nodes(&self) -> u8 {
        self.replicas + 1
    }
}

/// `[log]`: the DynamoDB table of the players' log, and how long logs are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Log {
    /// Days after which a log entry expires; also the retention of the CloudWatch log groups.
    pub retention_days: u16,
    /// The table can be restored to any second of the last 35 days.
    pub point_in_time_recovery: bool,
}

/// What the plain-HTTP listener does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpMode {
    /// It sends clients to HTTPS.
    Redirect,
    /// It serves the API.
    Serve,
}

/// Processor architecture of the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// Intel and AMD.
    #[serde(rename = "x86_64")]
    X86_64,
    /// Graviton.
    Arm64,
}

impl Architecture {
    /// EC2's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

/// `[servers]`: the load balancer and the Auto Scaling group behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Servers {
    /// EC2 instance type.
    pub instance_type: String,
    /// Its architecture.
    pub architecture: Architecture,
    /// Fewest instances.
    pub min: u16,
    /// Most instances.
    pub max: u16,
    /// Average CPU use, in percent, that the group is scaled towards.
    pub target: u8,
    /// Path of the load balancer's health check.
    pub health: String,
    /// Port on which an instance serves the API.
    pub port: u16,
    /// Port of the plain-HTTP listener.
    pub http_port: u16,
    /// Port of the HTTPS listener. There is one only where [`Blueprint::https_port`] says so.
    pub https_port: u16,
    /// What the plain-HTTP listener does.
    pub http: HttpMode,
    /// The server binary that a new stack starts with, relative to the blueprint's directory; `None`: the one beside
    /// `provision`.
    pub artifact: Option<PathBuf>,
    /// The game file (boards, seasons, catalogue), relative to the blueprint's directory; `None`: the server's own defaults.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub game_file: Option<PathBuf>,
}

/// Where CloudFront serves from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum PriceClass {
    /// North America and Europe.
    #[serde(rename = "PriceClass_100")]
    Class100,
    /// Most places.
    #[serde(rename = "PriceClass_200")]
    Class200,
    /// All edge locations.
    #[serde(rename = "PriceClass_All")]
    All,
}

impl PriceClass {
    /// CloudFront's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Class100 => "PriceClass_100",
            Self::Class200 => "PriceClass_200",
            Self::All => "PriceClass_All",
        }
    }
}

/// `[assets]`: the game's resources, in a bucket behind CloudFront.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Assets {
    /// The directory that is published; relative to the blueprint's own.
    pub directory: Option<PathBuf>,
    /// How many versions `provision assets push` keeps.
    pub keep: u16,
    /// Where CloudFront serves from.
    pub price_class: PriceClass,
}

/// `[domain]`: names in Route 53 with certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// The hosted zone's name, without a dot at its end.
    pub zone: String,
    /// The stack makes (and deletes) the zone; otherwise it exists already.
    pub create_zone: bool,
    /// An existing zone that gets the NS records of the created one. `None` with `create_zone`: somebody else delegates.
    pub parent_zone: Option<String>,
    /// The API's full name; `None` where there are no servers.
    pub api: Option<String>,
    /// The assets' full name; `None` where there are no assets.
    pub assets: Option<String>,
}

/// `[alarms]`: CloudWatch alarms that mail somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarms {
    /// Who is told.
    pub email: String,
    /// `[alarms.thresholds]`
    pub thresholds: Thresholds,
}

/// `[alarms.thresholds]`: an alarm goes off at the value (for free storage: at or below it).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Thresholds {
    /// Instances that fail the health check.
    pub unhealthy_hosts: u32,
    /// Answers of 5xx in five minutes, of the servers and of the load balancer itself.
    pub server_errors: u32,
    /// Response time of the slowest 5 % (p95), in milliseconds.
    pub latency_ms: u32,
    /// CPU use of a database instance, in percent.
    pub database_cpu: u8,
    /// Free storage of a database instance, in GiB.
    pub database_free_gb: u32,
    /// Open connections to a database instance.
    pub database_connections: u32,
    /// Memory use of a cache node, in percent.
    pub cache_memory: u8,
    /// Keys evicted by a cache node in five minutes.
    pub cache_evictions: u32,
    /// Throttled requests to the log table in five minutes.
    pub log_throttles: u32,
}
