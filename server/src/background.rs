//! What runs beside requests: the relay, the reconciler, the seasons, the app stores' upkeep, old rows, and the metrics'
//! port.

use std::time::Duration;

use jiff::SignedDuration;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{Game, receipts::upkeep::Upkeep, reconcile::Reconciler, relay::Relay, season::SeasonKeeper},
    lifecycle::start_up,
    router,
    serve::FLUSH,
    state::Shared,
    store::{StoreError, chain},
};

const RUNS_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What runs beside requests.
pub(crate) struct Background {
    stop: CancellationToken,
    relay: JoinHandle<Relay>,
    others: Vec<JoinHandle<()>>,
}

impl Background {
    /// Starts it; what must not outlive `stop` is told so.
    pub(crate) fn start(
        app: &Shared,
        metrics: PrometheusHandle,
        metrics_port: TcpListener,
        stop: &CancellationToken,
    ) -> Self {
        // It goes on while requests drain.
        let own_stop = CancellationToken::new();
        let (game, health) = (&app.game, &app.health);
        let relay = tokio::spawn(Relay::new(game.clone()).run(own_stop.clone()));
        let others = vec![
            tokio::spawn(start_up(game.clone(), health.clone(), stop.clone())),
            tokio::spawn(Reconciler::new(game.clone()).run(own_stop.clone())),
            tokio::spawn(SeasonKeeper::new(game.clone()).run(own_stop.clone())),
            tokio::spawn(Upkeep::new(game.clone(), app.app_stores.clone()).run(own_stop.clone())),
            tokio::spawn(housekeeping(app.clone(), metrics.clone(), own_stop.clone())),
            tokio::spawn(async move {
                let _ = axum::serve(metrics_port, router::metrics_router(metrics)).await;
            }),
        ];
        Self { stop: own_stop, relay, others }
    }

    /// Ends it, with the events that are on their way to the log.
    pub(crate) async fn finish(self) {
        self.stop.cancel();
        match self.relay.await {
            Ok(relay) => relay.flush(FLUSH).await,
            Err(error) => tracing::error!(error = %chain(&error), "the relay failed"),
        }
        for task in self.others {
            task.abort();
        }
    }
}

/// Removes what is past its time, and keeps the metrics' histograms small.
async fn housekeeping(app: Shared, metrics: PrometheusHandle, stop: CancellationToken) {
    while !stop.is_cancelled() {
        metrics.run_upkeep();
        app.rates.forget_idle();
        if let Err(error) = purge(&app.game, &stop).await {
            tracing::warn!(error = %chain(&error), "old rows could not be removed");
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(10)) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Removes old rows, in steps that hold their locks for a short time only, and more of them in ten seconds than are written.
async fn purge(game: &Game, stop: &CancellationToken) -> Result<(), StoreError> {
    const BATCH: u32 = 1000;
    const STEPS: usize = 50;
    let now = game.world.now();
    let before = now.saturating_sub(RUNS_KEPT).unwrap_or(jiff::Timestamp::MIN);
    for _ in 0..STEPS {
        let removed = game.stores.ledger.purge(before, now, BATCH).await?;
        if removed < u64::from(BATCH) || stop.is_cancelled() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
