//! moto, in place of DynamoDB.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TimeToLiveSpecification,
};
use server::store::LogSettings;

use super::process::{Address, Process};

/// A server with tables in memory.
pub struct Dynamo {
    pub address: Address,
    process: Process,
}

impl Dynamo {
    /// The one that most tests share, each with a table of its own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Dynamo> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub fn start() -> Self {
        let python = python();
        let address = Address::free();
        let directory = tempfile::Builder::new().prefix("game-moto-").tempdir().expect("a directory").keep();
        let (host, port) = (address.host.to_string(), address.port.to_string());
        let command = [python.as_str(), "-m", "moto.server", "-H", &host, "-p", &port];
        let log = directory.join("log");
        let process = Process::start(&command, &directory, &log);
        process.wait("moto", &log, || address.answers());
        Self { address, process }
    }

    pub fn kill(&mut self) {
        self.process.kill();
    }

    pub fn sdk(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
            .endpoint_url(format!("http://{}:{}", self.address.host, self.address.port))
            .build()
    }

    /// A new table, as the provisioner makes it.
    pub async fn table(&self) -> LogSettings {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let table = format!("log-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let client = aws_sdk_dynamodb::Client::new(&self.sdk());
        let attribute = |name: &str| {
            AttributeDefinition::builder()
                .attribute_name(name)
                .attribute_type(ScalarAttributeType::S)
                .build()
                .expect("complete")
        };
        let key = |name: &str, kind: KeyType| {
            KeySchemaElement::builder().attribute_name(name).key_type(kind).build().expect("complete")
        };
        client
            .create_table()
            .table_name(&table)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute("pk"))
            .attribute_definitions(attribute("sk"))
            .key_schema(key("pk", KeyType::Hash))
            .key_schema(key("sk", KeyType::Range))
            .send()
            .await
            .expect("a table");
        let expiry = TimeToLiveSpecification::builder().enabled(true).attribute_name("expires_at").build();
        client
            .update_time_to_live()
            .table_name(&table)
            .time_to_live_specification(expiry.expect("complete"))
            .send()
            .await
            .expect("a time to live");
        LogSettings { table, retention_days: 90 }
    }
}

/// The Python that has moto: `LOCAL_AWS_PYTHON`, else what `tests/emulator/setup.sh` prints.
fn python() -> String {
    if let Ok(python) = std::env::var("LOCAL_AWS_PYTHON") {
        return python;
    }
    let setup = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/emulator/setup.sh");
    let printed = Command::new("sh").arg(&setup).output();
    let output = match printed {
        Ok(output) if output.status.success() => output,
        other => {
            panic!("no Python with moto: set LOCAL_AWS_PYTHON to one, or make {} work ({other:?})", setup.display())
        }
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let path = text.lines().last().map(str::trim).unwrap_or_default().to_owned();
    assert!(PathBuf::from(&path).exists(), "{} printed no Python, but: {text}", setup.display());
    path
}
