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
    /// Replicas; may be empty.
    pub read_hosts: Vec<String>,
    /// Whether connections are verified TLS.
    pub tls: bool,
    /// Connections at most, to each host.
    pub max_connections: u32,
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
