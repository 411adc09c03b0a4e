//! What the stores on AWS need to know. Secrets are resolved before they come here.

use std::path::PathBuf;

use secrecy::SecretString;

/// Where the three stores are.
#[derive(Debug, Clone)]
pub struct AwsSettings {
    /// MySQL.
    pub database: DatabaseSettings,
    /// Redis.
    pub cache: CacheSettings,
    /// DynamoDB. Unset: events are discarded.
    pub log: Option<LogSettings>,
    /// More certificates (PEM) to trust for database and cache.
    pub ca_file: Option<PathBuf>,
}

/// The database.
#[derive(Debug, Clone)]
pub struct DatabaseSettings {
    /// The primary.
    pub host: String,
    /// Of the primary and of the replicas.
    pub port: u16,
    /// The schema.
    pub name: String,
    /// The user.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// For reading what may lag.
    pub replicas: ReplicaSettings,
    /// Whether connections are verified TLS.
    pub tls: bool,
    /// Connections at most, to each host.
    pub max_connections: u32,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// How the database's replicas are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplicaSettings {
    /// By their addresses; may be none.
    At(Vec<Endpoint>),
    /// RDS is asked for those of this DB instance.
    OfInstance(String),
}

/// The cache.
#[derive(Debug, Clone)]
pub struct CacheSettings {
    /// The primary.
    pub host: String,
    /// Of both endpoints.
    pub port: u16,
    /// Replicas, for reading; may be unset.
    pub reader_host: Option<String>,
    /// For AUTH; unset: none.
    pub auth_token: Option<SecretString>,
    /// Whether connections are verified TLS.
    pub tls: bool,
}

/// The log.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// The table.
    pub table: String,
    /// Items expire after this.
    pub retention_days: u32,
}
