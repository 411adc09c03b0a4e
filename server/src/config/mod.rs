//! Configuration by environment. Every wrong value is reported, all at once, before anything is started.

mod boards;
mod file;
mod limits;
mod reader;
mod receipts;
#[cfg(test)]
mod tests;

use std::{fmt, net::IpAddr, path::PathBuf, time::Duration};

use reqwest::Url;

use self::reader::Reader;
pub use self::{
    limits::Limits,
    receipts::{GoogleConfig, GoogleKey, ReceiptsConfig},
};
use crate::{
    domain::{
        Definition, Rules,
        shop::{Catalogue, CatalogueItem},
    },
    rate::Rates,
    store::{Endpoint, LogSettings, ReplicaSettings},
};

/// Everything that can be set.
#[derive(Debug)]
pub struct Config {
    /// Which stores.
    pub store: StoreConfig,
    /// The stack's name, for people.
    pub stack: Option<String>,
    /// SHA-256 of the release, for people and deploys.
    pub release: Option<String>,
    /// Where the assets are.
    pub assets_url: Option<Url>,
    /// The address to bind; unset: the instance's own with the stores on AWS, else the loopback.
    pub host: Option<IpAddr>,
    /// The API's port.
    pub port: u16,
    /// The metrics' port.
    pub metrics_port: u16,
    /// Where logs go.
    pub logging: Logging,
    /// The numbers of the game.
    pub rules: Rules,
    /// What can change while the server runs.
    pub definition: Definition,
    /// The file that says so.
    pub game_file: Option<PathBuf>,
    /// Whose receipts are taken.
    pub receipts: ReceiptsConfig,
    /// What is served at once.
    pub limits: Limits,
    /// How often each may ask.
    pub rates: Rates,
    /// After SIGTERM: how long requests are still taken while the load balancer looks away.
    pub drain: Duration,
}

/// Which stores, and where they are.
#[derive(Debug)]
pub enum StoreConfig {
    /// In a directory of this machine.
    Embedded {
        /// The directory.
        data_dir: PathBuf,
    },
    /// MySQL, Redis and DynamoDB.
    Aws(Box<AwsConfig>),
}

/// The stores on AWS, before their secrets are resolved.
#[derive(Debug)]
#[expect(missing_docs, reason = "each is the variable of the same name")]
pub struct AwsConfig {
    pub database_host: String,
    pub database_port: u16,
    pub database_name: String,
    pub database_secret: String,
    pub database_replicas: ReplicaSettings,
    pub database_tls: bool,
    pub database_connections: u32,
    pub cache_host: String,
    pub cache_port: u16,
    pub cache_reader_host: Option<String>,
    pub cache_secret: Option<String>,
    pub cache_tls: bool,
    pub log: Option<LogSettings>,
    pub signing_secret: String,
    pub ca_file: Option<PathBuf>,
}

/// Where logs go.
#[derive(Debug)]
pub struct Logging {
    /// As `RUST_LOG`.
    pub filter: String,
    /// JSON lines instead of lines for people.
    pub json: bool,
    /// The CloudWatch Logs group to ship to.
    pub group: Option<String>,
    /// Whether traces are sent; the standard variables say where to.
    pub traces: bool,
}

/// Every wrong value.
#[derive(Debug)]
pub struct ConfigError {
    problems: Vec<String>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the configuration is wrong:")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the configuration through `get`, such as the process's environment.
    ///
    /// # Errors
    /// With every wrong value.
    pub fn read(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(get);
        let store = store(&mut reader);
        let on_aws = matches!(store, StoreConfig::Aws(_));
        let file = file::read(&mut reader);
        let config = Self {
            stack: reader.text("GAME_STACK"),
            release: reader.text("GAME_RELEASE"),
            assets_url: assets_url(&mut reader),
            host: reader.parsed("GAME_HOST", "an IP address"),
            port: reader.number("GAME_PORT", 8080, 0, u16::MAX),
            metrics_port: reader.number("GAME_METRICS_PORT", 9100, 0, u16::MAX),
            logging: logging(&mut reader, on_aws),
            rules: rules(&mut reader),
            definition: definition(&mut reader, file.season, file.boards, file.catalog),
            game_file: reader.text(file::NAME).map(PathBuf::from),
            receipts: receipts::receipts(&mut reader, file.products),
            limits: limits::limits(&mut reader),
            rates: limits::rates(&mut reader),
            drain: reader.seconds("GAME_DRAIN_SECONDS", if on_aws { 5 } else { 0 }, 300),
            store,
        };
        if config.port != 0 && config.port == config.metrics_port {
            reader.wrong("GAME_METRICS_PORT", "must not be the same as GAME_PORT");
        }
        let problems = reader.finish();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError { problems }) }
    }

    /// Reads anew what can change while the server runs.
    ///
    /// # Errors
    /// With every wrong value.
    pub fn definition(get: &dyn Fn(&str) -> Option<String>) -> Result<Definition, ConfigError> {
        let mut reader = Reader::new(get);
        let file = file::read(&mut reader);
        let definition = definition(&mut reader, file.season, file.boards, file.catalog);
        let problems = reader.finish();
        if problems.is_empty() { Ok(definition) } else { Err(ConfigError { problems }) }
    }
}

fn assets_url(reader: &mut Reader<'_>) -> Option<Url> {
    let url: Url = reader.parsed("GAME_ASSETS_URL", "an address such as https://assets.example.com")?;
    if !matches!(url.scheme(), "http" | "https") {
        reader.wrong("GAME_ASSETS_URL", format_args!("{url} is neither http nor https"));
    }
    Some(url)
}

fn definition(
    reader: &mut Reader<'_>,
    season: Option<String>,
    boards: Option<Vec<boards::Entry>>,
    catalogue: Option<Vec<CatalogueItem>>,
) -> Definition {
    Definition { boards: boards::boards(reader, season, boards), catalogue: self::catalogue(reader, catalogue) }
}

fn store(reader: &mut Reader<'_>) -> StoreConfig {
    match reader.text("GAME_STORE").as_deref() {
        Some("aws") => StoreConfig::Aws(Box::new(aws(reader))),
        other => {
            if let Some(other) = other.filter(|other| *other != "embedded") {
                reader.wrong("GAME_STORE", format_args!("{other:?} is neither `embedded` nor `aws`"));
            }
            let data_dir = reader.text("GAME_DATA_DIR").unwrap_or_else(|| "./game-data".to_owned());
            StoreConfig::Embedded { data_dir: PathBuf::from(data_dir) }
        }
    }
}

fn aws(reader: &mut Reader<'_>) -> AwsConfig {
    let database_port = reader.number("GAME_DATABASE_PORT", 3306, 1, u16::MAX);
    AwsConfig {
        database_host: reader.required("GAME_DATABASE_HOST"),
        database_port,
        database_name: reader.text("GAME_DATABASE_NAME").unwrap_or_else(|| "game".to_owned()),
        database_secret: reader.required("GAME_DATABASE_SECRET"),
        database_replicas: replicas(reader, database_port),
        database_tls: reader.tls("GAME_DATABASE_TLS"),
        database_connections: reader.number("GAME_DATABASE_CONNECTIONS", 20, 2, 1000),
        cache_host: reader.required("GAME_CACHE_HOST"),
        cache_port: reader.number("GAME_CACHE_PORT", 6379, 1, u16::MAX),
        cache_reader_host: reader.text("GAME_CACHE_READER_HOST"),
        cache_secret: reader.text("GAME_CACHE_SECRET"),
        cache_tls: reader.tls("GAME_CACHE_TLS"),
        log: event_log(reader),
        signing_secret: reader.required("GAME_SIGNING_SECRET"),
        ca_file: reader.text("GAME_CA_FILE").map(PathBuf::from),
    }
}

/// The database's replicas: named, or asked for.
fn replicas(reader: &mut Reader<'_>, port: u16) -> ReplicaSettings {
    let (hosts, instance) = (reader.text("GAME_DATABASE_READ_HOSTS"), reader.text("GAME_DATABASE_INSTANCE"));
    if hosts.is_some() && instance.is_some() {
        reader.wrong(
            "GAME_DATABASE_READ_HOSTS",
            "cannot be set beside GAME_DATABASE_INSTANCE, whose replicas are asked for",
        );
    }
    if let Some(instance) = instance {
        return ReplicaSettings::OfInstance(instance);
    }
    let hosts = hosts.unwrap_or_default();
    let hosts = hosts.split(',').map(str::trim).filter(|host| !host.is_empty());
    ReplicaSettings::At(hosts.map(|host| Endpoint { host: host.to_owned(), port }).collect())
}

/// Where events go. Unset: nowhere.
fn event_log(reader: &mut Reader<'_>) -> Option<LogSettings> {
    match reader.text("GAME_EVENT_LOG").as_deref() {
        Some("discard") => return None,
        None | Some("dynamodb") => {}
        Some(other) => reader.wrong("GAME_EVENT_LOG", format_args!("{other:?} is neither `dynamodb` nor `discard`")),
    }
    Some(LogSettings {
        table: reader.required("GAME_LOG_TABLE"),
        retention_days: reader.number("GAME_LOG_RETENTION_DAYS", 90, 1, 3650),
    })
}

fn logging(reader: &mut Reader<'_>, on_aws: bool) -> Logging {
    let filter = reader.text("GAME_LOG").unwrap_or_else(|| "info".to_owned());
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&filter) {
        reader.wrong("GAME_LOG", error);
    }
    let json = match reader.text("GAME_LOG_FORMAT").as_deref() {
        None => on_aws,
        Some("json") => true,
        Some("text") => false,
        Some(other) => {
            reader.wrong("GAME_LOG_FORMAT", format_args!("{other:?} is neither `json` nor `text`"));
            on_aws
        }
    };
    let collector =
        reader.text("OTEL_EXPORTER_OTLP_ENDPOINT").or_else(|| reader.text("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"));
    Logging { filter, json, group: reader.text("GAME_LOG_GROUP"), traces: collector.is_some() }
}

fn rules(reader: &mut Reader<'_>) -> Rules {
    const MOST: i64 = 1 << 53;
    let start_coins = reader.number("GAME_START_COINS", 1000, 0, MOST);
    let max_balance = reader.number("GAME_MAX_COINS", MOST, 1, MOST);
    if start_coins > max_balance {
        reader.wrong("GAME_START_COINS", format_args!("{start_coins} is above GAME_MAX_COINS ({max_balance})"));
    }
    Rules {
        start_coins,
        max_balance,
        slots: reader.number("GAME_SLOTS", 3, 1, 200),
        access_lifetime: Duration::from_secs(reader.number("GAME_ACCESS_TOKEN_SECONDS", 3600, 60, 86_400)),
        refresh_lifetime: Duration::from_secs(86_400 * reader.number("GAME_REFRESH_TOKEN_DAYS", 90, 1, 3650)),
    }
}

fn catalogue(reader: &mut Reader<'_>, items: Option<Vec<CatalogueItem>>) -> Catalogue {
    let items: Vec<CatalogueItem> = reader.json("GAME_CATALOG").or(items).unwrap_or_else(Catalogue::starter);
    match Catalogue::new(items) {
        Ok(catalogue) => catalogue,
        Err(error) => {
            reader.wrong("GAME_CATALOG", error);
            Catalogue::new(Vec::new()).expect("an empty catalogue has nothing wrong")
        }
    }
}
