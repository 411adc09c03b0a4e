//! Two servers on one database, one cache and one log.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret as _;
use serde_json::json;
use server::store::aws::DynamoLog;
use server::store::{DatabaseSettings, LogSettings};
use tempfile::TempDir;

use crate::client::Doors;
use crate::harness::process::Process;
use crate::harness::{Address, Dynamo, MariaDb, Redis};

pub const OPERATOR: &str = "the operator key of the chaos";

pub struct Cluster {
    pub database: DatabaseSettings,
    pub mariadb: MariaDb,
    redis: Redis,
    dynamo: Dynamo,
    log: LogSettings,
    servers: Vec<(Address, Option<Process>)>,
    /// More of their environment.
    more: Vec<String>,
    /// What the servers say.
    said: TempDir,
}

impl Cluster {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With more in the servers' environment.
    pub async fn start_with(more: &[(&str, &str)]) -> Self {
        let mariadb = MariaDb::start(&[]);
        let database = mariadb.database().await;
        let dynamo = Dynamo::start();
        let log = dynamo.table().await;
        let secrets = aws_sdk_secretsmanager::Client::new(&dynamo.sdk());
        let key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
        let password = database.password.expose_secret();
        for (name, secret) in [
            ("database", json!({ "username": database.username, "password": password })),
            ("signing", json!({ "current": key, "operator": OPERATOR })),
        ] {
            secrets.create_secret().name(name).secret_string(secret.to_string()).send().await.expect("a secret");
        }
        let servers = (0..2).map(|_| (Address::free(), None)).collect();
        let mut cluster = Self {
            database,
            mariadb,
            redis: Redis::start(&[]),
            dynamo,
            log,
            servers,
            more: more.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            said: tempfile::tempdir().expect("a directory"),
        };
        for n in 0..2 {
            cluster.start_server(n).await;
        }
        cluster
    }

    /// Changes the servers' signing keys; they are read at start.
    pub async fn set_keys(&self, current: &str, previous: &str) {
        let secrets = aws_sdk_secretsmanager::Client::new(&self.dynamo.sdk());
        let secret = json!({ "current": current, "previous": previous, "operator": OPERATOR });
        let call = secrets.put_secret_value().secret_id("signing").secret_string(secret.to_string());
        call.send().await.expect("a new version");
    }

    pub fn doors(&self) -> Doors {
        self.servers.iter().map(|(address, _)| *address).collect()
    }

    pub fn log(&self) -> DynamoLog {
        DynamoLog::new(&self.log, &self.dynamo.sdk())
    }

    pub fn kill_server(&mut self, n: usize) {
        self.servers[n].1.take().expect("running").kill();
    }

    pub fn kill_database(&mut self) {
        self.mariadb.restart(Duration::from_millis(300), &[]);
    }

    /// Empties the cache, as a failover to a new node does.
    pub fn flush_cache(&self) {
        let _: String = self.redis.command(&["FLUSHALL"]);
    }

    /// Until it wants traffic.
    pub async fn start_server(&mut self, n: usize) {
        let address = self.servers[n].0;
        let scratch = tempfile::Builder::new().prefix("game-server-").tempdir().expect("a directory").keep();
        let log = self.said.path().join(format!("{n}.log"));
        let settings = self.environment(address);
        let mut command = vec!["env"];
        command.extend(settings.iter().map(String::as_str));
        command.push(env!("CARGO_BIN_EXE_game-server"));
        self.servers[n].1 = Some(Process::start(&command, &scratch, &log));
        let client = crate::client::http_client();
        let uri: axum::http::Uri = format!("http://{}:{}/livez", address.host, address.port).parse().expect("a URI");
        let deadline = Instant::now() + Duration::from_secs(60);
        while !client.get(uri.clone()).await.is_ok_and(|answer| answer.status().is_success()) {
            let said = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(Instant::now() < deadline, "a server does not become live:\n{}", said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn environment(&self, address: Address) -> Vec<String> {
        let settings = [
            ("GAME_STORE", "aws".to_owned()),
            ("GAME_HOST", address.host.to_string()),
            ("GAME_PORT", address.port.to_string()),
            ("GAME_METRICS_PORT", "0".to_owned()),
            ("GAME_LOG", "warn".to_owned()),
            ("GAME_DATABASE_HOST", self.database.host.clone()),
            ("GAME_DATABASE_PORT", self.database.port.to_string()),
            ("GAME_DATABASE_NAME", self.database.name.clone()),
            ("GAME_DATABASE_SECRET", "database".to_owned()),
            ("GAME_DATABASE_TLS", "off".to_owned()),
            ("GAME_CACHE_HOST", self.redis.address.host.to_string()),
            ("GAME_CACHE_PORT", self.redis.address.port.to_string()),
            ("GAME_CACHE_TLS", "off".to_owned()),
            ("GAME_LOG_TABLE", self.log.table.clone()),
            ("GAME_SIGNING_SECRET", "signing".to_owned()),
            ("GAME_BOARDS", r#"[{"name":"main"},{"name":"total","rule":"sum"}]"#.to_owned()),
            ("GAME_RATE_PLAYER", "0".to_owned()),
            ("GAME_RATE_ADDRESS", "0".to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://{}:{}", self.dynamo.address.host, self.dynamo.address.port)),
            ("AWS_REGION", "eu-central-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ];
        settings.into_iter().map(|(name, value)| format!("{name}={value}")).chain(self.more.iter().cloned()).collect()
    }
}
