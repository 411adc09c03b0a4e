//! MariaDB, in place of RDS MySQL.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use secrecy::SecretString;
use server::store::{DatabaseSettings, ReplicaSettings};
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, MySqlConnection};

use super::process::{Address, Process, with_daemons};

/// Options of a server that replicas follow, and of one of these.
pub const PRIMARY: [&str; 3] = ["--server-id=1", "--log-bin=binlog", "--binlog-format=ROW"];
pub const REPLICA: [&str; 2] = ["--server-id=2", "--read-only=ON"];

/// A server with its own data directory.
pub struct MariaDb {
    pub address: Address,
    directory: PathBuf,
    options: Vec<String>,
    process: Process,
}

impl MariaDb {
    /// The one that most tests share, each with a database of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<MariaDb> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// A new one.
    pub fn start(options: &[&str]) -> Self {
        Self::start_at(Address::free(), options)
    }

    pub fn start_at(address: Address, options: &[&str]) -> Self {
        let scratch = tempfile::Builder::new().prefix("game-mariadb-").tempdir().expect("a directory");
        let directory = scratch.path();
        let installed = Command::new("mariadb-install-db")
            .env("PATH", with_daemons())
            .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg(format!("--datadir={}", directory.join("data").display()))
            .arg(format!("--tmpdir={}", directory.display()))
            .output()
            .expect("mariadb-install-db starts (Debian package mariadb-server)");
        assert!(installed.status.success(), "mariadb-install-db: {}", String::from_utf8_lossy(&installed.stderr));
        let options: Vec<_> = options.iter().map(|&option| option.to_owned()).collect();
        let process = launch(directory, address, &options);
        Self { address, directory: scratch.keep(), options, process }
    }

    /// Kills it and starts it again on the same data and address, with these options more.
    pub fn restart(&mut self, down_for: std::time::Duration, more: &[&str]) {
        self.process.kill_and_keep();
        std::thread::sleep(down_for);
        let mut options = self.options.clone();
        options.extend(more.iter().map(|&option| option.to_owned()));
        self.process = launch(&self.directory, self.address, &options);
    }

    pub fn kill(&mut self) {
        self.process.kill_and_keep();
    }

    /// Starts it again on the same data and address.
    pub fn revive(&mut self) {
        self.process = launch(&self.directory, self.address, &self.options);
    }

    /// Makes it a replica of a primary that was started with [`PRIMARY`]; it takes over all that was written there.
    pub async fn follow(&self, primary: &Self) {
        primary.execute("GRANT REPLICATION SLAVE ON *.* TO 'copier'@'%' IDENTIFIED BY 'throw-away'").await;
        let source = format!(
            "CHANGE MASTER TO MASTER_HOST = '{}', MASTER_PORT = {}, MASTER_USER = 'copier', \
             MASTER_PASSWORD = 'throw-away', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1",
            primary.address.host, primary.address.port
        );
        self.execute(&source).await;
        self.execute("START SLAVE").await;
    }

    fn admin(&self) -> MySqlConnectOptions {
        MySqlConnectOptions::new()
            .host(&self.address.host.to_string())
            .port(self.address.port)
            .username("root")
            .ssl_mode(MySqlSslMode::Preferred)
    }

    /// Runs statements as the administrator.
    pub async fn execute(&self, sql: &str) {
        let mut connection = self.admin().connect().await.expect("connects");
        connection.execute(AssertSqlSafe(sql)).await.expect("runs");
    }

    /// A connection to a database, to look behind the ledger's back.
    pub async fn connect(&self, database: &str) -> MySqlConnection {
        self.admin().database(database).connect().await.expect("connects")
    }

    /// A new database and how the server under test reaches it.
    pub async fn database(&self) -> DatabaseSettings {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        self.database_named(&format!("game{}", NEXT.fetch_add(1, Ordering::Relaxed))).await
    }

    /// A new database of this name. Its user may do there what RDS's master user may, and nothing to the server: it
    /// is bound by read_only.
    pub async fn database_named(&self, name: &str) -> DatabaseSettings {
        self.execute(&format!("CREATE DATABASE {name}")).await;
        self.execute(&format!("GRANT ALL ON {name}.* TO 'game'@'%' IDENTIFIED BY 'throw-away'")).await;
        DatabaseSettings {
            host: self.address.host.to_string(),
            port: self.address.port,
            name: name.to_owned(),
            username: "game".to_owned(),
            password: SecretString::from("throw-away"),
            replicas: ReplicaSettings::At(Vec::new()),
            tls: false,
            max_connections: 16,
        }
    }
}

fn launch(directory: &Path, address: Address, options: &[String]) -> Process {
    let data = format!("--datadir={}", directory.join("data").display());
    let socket = format!("--socket={}", directory.join("socket").display());
    let pid = format!("--pid-file={}", directory.join("pid").display());
    let bind = format!("--bind-address={}", address.host);
    let port = format!("--port={}", address.port);
    let temporary = format!("--tmpdir={}", directory.display());
    let mut command = vec!["mariadbd", "--no-defaults", &data, &temporary, &socket, &pid, &bind, &port];
    command.extend(["--skip-name-resolve", "--max-connections=400", "--innodb-buffer-pool-size=64M", "--user=root"]);
    command.extend(options.iter().map(String::as_str));
    let log = directory.join("log");
    let process = Process::start(&command, directory, &log);
    process.wait("mariadbd (Debian package mariadb-server)", &log, || address.answers());
    process
}
