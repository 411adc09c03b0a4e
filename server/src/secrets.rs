//! The server's secrets: in Secrets Manager on AWS, in a file of the data directory elsewhere.

use std::{fs, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use aws_config::SdkConfig;
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    config::{AwsConfig, GoogleKey},
    domain::{
        clock::World,
        keys::{SigningKeys, WeakKey},
    },
    play::ServiceAccount,
    store::{AwsSettings, BoxError, CacheSettings, DatabaseSettings},
};

/// What the server signs with, and what opens `/admin/v1`.
pub struct Keys {
    /// For tokens and cursors.
    pub signing: SigningKeys,
    /// For the operator.
    pub operator: SecretString,
}

/// A secret that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// Secrets Manager does not give it.
    #[error("secret {id} cannot be read from Secrets Manager")]
    Read {
        /// Which one.
        id: String,
        /// The SDK's error.
        #[source]
        source: BoxError,
    },
    /// It is not what it should be. Says nothing about the content.
    #[error("secret {id} is not a JSON object with {fields}")]
    Shape {
        /// Which one.
        id: String,
        /// What it should hold.
        fields: &'static str,
    },
    /// Its key is too short.
    #[error("secret {id} holds a bad key")]
    Weak {
        /// Which one.
        id: String,
        /// What is wrong with it.
        #[source]
        source: WeakKey,
    },
    /// The file of a laptop's server.
    #[error("the keys in {path} cannot be read or written")]
    File {
        /// Which one.
        path: String,
        /// Why.
        #[source]
        source: BoxError,
    },
}

#[derive(Deserialize)]
struct SigningSecret {
    current: SecretString,
    previous: Option<SecretString>,
    operator: SecretString,
}

#[derive(Deserialize)]
struct DatabaseSecret {
    username: String,
    password: SecretString,
}

#[derive(Deserialize)]
struct CacheSecret {
    auth_token: SecretString,
}

impl SigningSecret {
    fn keys(&self, id: &str) -> Result<Keys, SecretError> {
        let shape =
            || SecretError::Shape { id: id.to_owned(), fields: "current, previous?, operator (16 or more characters)" };
        if self.operator.expose_secret().len() < 16 {
            return Err(shape());
        }
        let previous = self.previous.as_ref().map(|key| key.expose_secret()).filter(|key| !key.is_empty());
        let signing = SigningKeys::from_base64(self.current.expose_secret(), previous)
            .map_err(|source| SecretError::Weak { id: id.to_owned(), source })?;
        Ok(Keys { signing, operator: self.operator.clone() })
    }
}

async fn fetch<T: DeserializeOwned>(
    client: &aws_sdk_secretsmanager::Client,
    id: &str,
    fields: &'static str,
) -> Result<T, SecretError> {
    let answer = client
        .get_secret_value()
        .secret_id(id)
        .send()
        .await
        .map_err(|source| SecretError::Read { id: id.to_owned(), source: source.into() })?;
    let text = answer.secret_string().unwrap_or_default();
    // The parser's own error could quote the secret.
    serde_json::from_str(text).map_err(|_| SecretError::Shape { id: id.to_owned(), fields })
}

/// Reads all secrets of a server on AWS.
///
/// # Errors
/// When one cannot be read or is not what it should be.
pub async fn from_aws(config: &AwsConfig, sdk: &SdkConfig) -> Result<(AwsSettings, Keys), SecretError> {
    let client = aws_sdk_secretsmanager::Client::new(sdk);
    let signing: SigningSecret = fetch(&client, &config.signing_secret, "current, previous?, operator").await?;
    let keys = signing.keys(&config.signing_secret)?;
    let database: DatabaseSecret = fetch(&client, &config.database_secret, "username, password").await?;
    let auth_token = match &config.cache_secret {
        Some(id) => Some(fetch::<CacheSecret>(&client, id, "auth_token").await?.auth_token),
        None => None,
    };
    let settings = AwsSettings {
        database: DatabaseSettings {
            host: config.database_host.clone(),
            port: config.database_port,
            name: config.database_name.clone(),
            username: database.username,
            password: database.password,
            replicas: config.database_replicas.clone(),
            tls: config.database_tls,
            max_connections: config.database_connections,
        },
        cache: CacheSettings {
            host: config.cache_host.clone(),
            port: config.cache_port,
            reader_host: config.cache_reader_host.clone(),
            auth_token,
            tls: config.cache_tls,
        },
        log: config.log.clone(),
        ca_file: config.ca_file.clone(),
    };
    Ok((settings, keys))
}

/// Reads the key of the service account that asks Google Play. `sdk` is needed where it is in Secrets Manager.
///
/// # Errors
/// When it cannot be read or is no such key.
pub async fn service_account(key: &GoogleKey, sdk: Option<&SdkConfig>) -> Result<ServiceAccount, SecretError> {
    let (id, text) = match key {
        GoogleKey::File(path) => {
            let id = path.display().to_string();
            let text = fs::read_to_string(path);
            let text = text.map_err(|source| SecretError::File { path: id.clone(), source: source.into() })?;
            (id, SecretString::from(text))
        }
        GoogleKey::Secret(id) => {
            let sdk = sdk.ok_or_else(|| SecretError::Read { id: id.clone(), source: "no AWS configuration".into() })?;
            let call = aws_sdk_secretsmanager::Client::new(sdk).get_secret_value().secret_id(id).send().await;
            let answer = call.map_err(|source| SecretError::Read { id: id.clone(), source: source.into() })?;
            (id.clone(), SecretString::from(answer.secret_string().unwrap_or_default()))
        }
    };
    let fields = "client_email, private_key, token_uri (a Google service account's key)";
    ServiceAccount::from_json(&text).map_err(|_| SecretError::Shape { id, fields })
}

/// Reads the keys of a server on a laptop, or makes them at the first start. The file is its owner's alone.
///
/// # Errors
/// When the file cannot be read or written.
pub fn from_directory(directory: &Path, world: &World) -> Result<Keys, SecretError> {
    let path = directory.join("keys.json");
    let id = path.display().to_string();
    let wrong = |source: BoxError| SecretError::File { path: id.clone(), source };
    let text = match fs::read_to_string(&path) {
        Ok(text) => SecretString::from(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let text = new_keys(world);
            write_new(directory, &path, &text).map_err(|source| wrong(source.into()))?;
            tracing::info!(file = %id, "made signing keys and an operator key");
            text
        }
        Err(error) => return Err(wrong(error.into())),
    };
    let secret: SigningSecret = serde_json::from_str(text.expose_secret())
        .map_err(|_| SecretError::Shape { id: id.clone(), fields: "current, previous?, operator" })?;
    secret.keys(&id)
}

fn new_keys(world: &World) -> SecretString {
    let current = STANDARD.encode(world.bytes::<48>());
    let operator = URL_SAFE_NO_PAD.encode(world.bytes::<32>());
    SecretString::from(format!("{}\n", serde_json::json!({ "current": current, "operator": operator })))
}

fn write_new(directory: &Path, path: &Path, text: &SecretString) -> std::io::Result<()> {
    // Under a name of its own first: a crash must not leave half a file behind.
    let draft = directory.join("keys.json.new");
    let _ = fs::remove_file(&draft);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(text.expose_secret().as_bytes())?;
    file.sync_all()?;
    fs::rename(draft, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_are_made_once_and_are_the_owners_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let first = from_directory(directory.path(), &World::default()).expect("made");
        let again = from_directory(directory.path(), &World::default()).expect("read");
        assert_eq!(first.operator.expose_secret(), again.operator.expose_secret());
        assert_eq!(first.signing.derive("x"), again.signing.derive("x"));
        let mode = fs::metadata(directory.path().join("keys.json")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_bad_secret_is_refused_without_being_shown() {
        let secret = r#"{"current": "c2hvcnQ=", "operator": "an operator key of some length"}"#;
        let secret: SigningSecret = serde_json::from_str(secret).expect("valid");
        let error = secret.keys("game/signing").err().expect("too short");
        assert!(!format!("{error:?}").contains("c2hvcnQ"));
    }
}
