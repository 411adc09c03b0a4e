//! The app stores of the configuration, ready to be asked.

use std::sync::Arc;

use aws_config::SdkConfig;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{GoogleKey, ReceiptsConfig},
    domain::{
        clock::World,
        receipts::{AppStores, google::Google},
    },
    play::Play,
    secrets,
    serve::{ServeError, start_error, until_it_works},
};

/// Makes what asks the app stores. A key in Secrets Manager is waited for, as the other secrets are. Unset: the server was
/// told to stop meanwhile.
///
/// # Errors
/// When a key's file cannot be read, or no client can be made.
pub async fn app_stores(
    config: ReceiptsConfig,
    sdk: Option<&SdkConfig>,
    stop: &CancellationToken,
) -> Result<Option<AppStores>, ServeError> {
    let google = match config.google {
        Some(google) => {
            let account = || secrets::service_account(&google.key, sdk);
            let account = match &google.key {
                GoogleKey::File(_) => account().await.map_err(|error| start_error("Google's key")(error.into()))?,
                GoogleKey::Secret(_) => match until_it_works("Google's key", stop, account).await {
                    Some(account) => account,
                    None => return Ok(None),
                },
            };
            let play = Play::new(google.endpoint, google.package.clone(), account, World::default());
            let api = Arc::new(play.map_err(start_error("the client of Google Play"))?);
            Some(Google { package: google.package, api, sandbox: config.sandbox })
        }
        None => None,
    };
    let (apple, products) = (config.apple, config.products);
    Ok(Some(AppStores { apple, google, products, ..AppStores::default() }))
}
