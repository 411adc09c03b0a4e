//! From configuration to a served port, and back to nothing on SIGTERM.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
    time::Duration,
};

use aws_config::SdkConfig;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::{
    app_stores::app_stores,
    assets::Assets,
    background::Background,
    cloud,
    config::{Config, GoogleKey, StoreConfig},
    domain::{Game, clock::World},
    http,
    lifecycle::{About, Health},
    rate::RateLimits,
    reload, router,
    secrets::{self, Keys},
    shipping::Shipper,
    state::App,
    store::{self, BoxError, Stores, chain},
    telemetry,
};

/// Requests in flight get this long after the port is closed.
const IN_FLIGHT: Duration = Duration::from_secs(20);
pub(crate) const FLUSH: Duration = Duration::from_secs(10);
const RETRY: Duration = Duration::from_secs(2);

/// Why the server did not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A port cannot be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which one.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Anything else, on the way up.
    #[error("cannot start: {step}")]
    Start {
        /// What was being done.
        step: &'static str,
        /// Why.
        #[source]
        source: BoxError,
    },
}

pub(crate) fn start_error(step: &'static str) -> impl FnOnce(BoxError) -> ServeError {
    move |source| ServeError::Start { step, source }
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// When it cannot start.
pub async fn run(config: Config) -> Result<(), ServeError> {
    let (lines, traces) = telemetry::start_logging(&config.logging).map_err(start_error("logging"))?;
    let metrics = telemetry::start_metrics().map_err(start_error("metrics"))?;
    let stop = CancellationToken::new();
    stop_on_signal(&stop).map_err(|error| start_error("signals")(error.into()))?;
    let on_aws = matches!(config.store, StoreConfig::Aws(_));
    let in_secrets = config.receipts.google.as_ref().is_some_and(|google| matches!(google.key, GoogleKey::Secret(_)));
    let sdk = if on_aws || lines.is_some() || in_secrets { Some(cloud::sdk_config().await) } else { None };
    let instance = match config.host {
        None if on_aws => until_it_works("instance id", &stop, cloud::instance_id).await,
        // With an address given this need not be an EC2 instance.
        Some(_) if on_aws => cloud::instance_id().await.ok(),
        _ => None,
    };
    let shipper = match (lines, &sdk, &config.logging.group) {
        (Some(lines), Some(sdk), Some(group)) => {
            let stream = instance.clone().unwrap_or_else(|| World::default().ulid());
            Some(Shipper::start(sdk, group.clone(), stream, lines))
        }
        _ => None,
    };
    let result = serve(config, sdk.as_ref(), instance, metrics, &stop).await;
    if let Err(error) = &result {
        tracing::error!(error = %chain(error), "the server stops");
    }
    if let Some(traces) = traces {
        traces.finish(FLUSH).await;
    }
    if let Some(shipper) = shipper {
        shipper.finish(FLUSH).await;
    }
    result
}

async fn serve(
    config: Config,
    sdk: Option<&SdkConfig>,
    instance: Option<String>,
    metrics: PrometheusHandle,
    stop: &CancellationToken,
) -> Result<(), ServeError> {
    let Some((stores, keys)) = open(&config, sdk, stop).await? else { return Ok(()) };
    let Some(host) = address(&config, stop).await else { return Ok(()) };
    let Some(app_stores) = app_stores(config.receipts, sdk, stop).await? else { return Ok(()) };
    let game = Arc::new(Game::new(stores, World::default(), config.definition, config.rules, &keys.signing));
    let assets =
        config.assets_url.as_ref().map(Assets::new).transpose().map_err(start_error("the client of the assets"))?;
    let assets_url = config.assets_url.map(|url| url.as_str().trim_end_matches('/').to_owned());
    let about = About { release: config.release, instance, stack: config.stack, assets_url };
    let health = Arc::new(Health::new(about));
    let app = Arc::new(App {
        game: game.clone(),
        health: health.clone(),
        app_stores: Arc::new(app_stores),
        assets,
        rates: RateLimits::new(config.rates),
        operator_key: keys.operator,
    });
    let api = listen(SocketAddr::new(host, config.port)).await?;
    let metrics_port = listen(SocketAddr::new(host, config.metrics_port)).await?;
    if let Some(path) = config.game_file {
        tokio::spawn(reload::run(game.clone(), path, stop.clone()));
    }
    let background = Background::start(&app, metrics, metrics_port, stop);
    serve_until_stopped(api, router::router(app.clone(), &config.limits), &health, config.drain, stop).await;
    background.finish().await;
    game.stores.ranking.close().await;
    game.stores.ledger.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Opens the stores. On AWS, what is not there yet is waited for: the database may be failing over.
async fn open(
    config: &Config,
    sdk: Option<&SdkConfig>,
    stop: &CancellationToken,
) -> Result<Option<(Stores, Keys)>, ServeError> {
    match (&config.store, sdk) {
        (StoreConfig::Aws(aws), Some(sdk)) => {
            let secrets = || secrets::from_aws(aws, sdk);
            let Some((settings, keys)) = until_it_works("secrets", stop, secrets).await else { return Ok(None) };
            let open = || store::aws::open(&settings, sdk);
            Ok(until_it_works("stores", stop, open).await.map(|stores| (stores, keys)))
        }
        (StoreConfig::Embedded { data_dir }, _) => embedded(data_dir).await.map(Some),
        (StoreConfig::Aws(_), None) => Ok(None),
    }
}

async fn embedded(directory: &Path) -> Result<(Stores, Keys), ServeError> {
    std::fs::create_dir_all(directory).map_err(|error| start_error("data directory")(error.into()))?;
    let keys =
        secrets::from_directory(directory, &World::default()).map_err(|error| start_error("keys")(error.into()))?;
    let stores = store::embedded::open(directory).await.map_err(|error| start_error("stores")(error.into()))?;
    tracing::info!(directory = %directory.display(), "embedded stores; the operator key is in keys.json there");
    Ok((stores, keys))
}

async fn address(config: &Config, stop: &CancellationToken) -> Option<IpAddr> {
    match (config.host, &config.store) {
        (Some(host), _) => Some(host),
        (None, StoreConfig::Aws(_)) => until_it_works("own address", stop, cloud::local_address).await,
        (None, StoreConfig::Embedded { .. }) => Some(Ipv4Addr::LOCALHOST.into()),
    }
}

/// Tries until it works or the server is told to stop.
pub(crate) async fn until_it_works<T, E, F>(
    what: &'static str,
    stop: &CancellationToken,
    attempt: impl Fn() -> F,
) -> Option<T>
where
    E: std::error::Error + 'static,
    F: Future<Output = Result<T, E>>,
{
    loop {
        let error = tokio::select! {
            result = attempt() => match result {
                Ok(value) => return Some(value),
                Err(error) => error,
            },
            () = stop.cancelled() => return None,
        };
        tracing::warn!(error = %chain(&error), what, "not available yet; trying again");
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = stop.cancelled() => return None,
        }
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, ServeError> {
    TcpListener::bind(address).await.map_err(|source| ServeError::Listen { address, source })
}

fn stop_on_signal(stop: &CancellationToken) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.cancel();
    });
    Ok(())
}

/// Not ready, still serving while the load balancer looks away; then no new connections; then what is in flight.
async fn serve_until_stopped(
    listener: TcpListener,
    router: axum::Router,
    health: &Arc<Health>,
    drain: Duration,
    stop: &CancellationToken,
) {
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "listening; the API is described at /docs");
    }
    let closing = CancellationToken::new();
    let close = {
        let (stop, closing, health) = (stop.clone(), closing.clone(), health.clone());
        async move {
            stop.cancelled().await;
            health.set_draining();
            tracing::info!("draining");
            tokio::time::sleep(drain).await;
            closing.cancel();
        }
    };
    let late = async {
        closing.cancelled().await;
        tokio::time::sleep(IN_FLIGHT).await;
    };
    tokio::select! {
        () = async { tokio::join!(http::serve(listener, router, closing.clone()), close); } => {}
        () = late => tracing::warn!("requests were still in flight"),
    }
}
