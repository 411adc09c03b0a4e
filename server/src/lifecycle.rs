//! Whether the server may get traffic, from its start to its end.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU8, Ordering},
    time::{Duration, Instant},
};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use crate::{
    domain::{DomainError, Game, account, reconcile::Reconciler, score, wallet},
    store::{PlayerId, StoreError, Stores, chain},
};

/// Deep checks are answered from memory for this long, so that asking often costs the stores nothing.
const FRESH: Duration = Duration::from_secs(1);
const CHECK_DEADLINE: Duration = Duration::from_secs(3);

/// Where in its life the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The start-up check has not passed yet.
    Starting = 0,
    /// Traffic is welcome.
    Live = 1,
    /// It is being stopped.
    Draining = 2,
}

impl Phase {
    /// As in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Live => "live",
            Self::Draining => "draining",
        }
    }
}

/// What the server says of itself.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// SHA-256 of the release.
    pub release: Option<String>,
    /// The EC2 instance.
    pub instance: Option<String>,
    /// The stack.
    pub stack: Option<String>,
    /// Where the assets are.
    pub assets_url: Option<String>,
}

type Checks = BTreeMap<&'static str, String>;

/// The server's health.
pub struct Health {
    phase: AtomicU8,
    about: About,
    last: Mutex<Option<(Instant, Checks)>>,
}

impl Health {
    /// Of a server that starts.
    #[must_use]
    pub fn new(about: About) -> Self {
        Self { phase: AtomicU8::new(Phase::Starting as u8), about, last: Mutex::new(None) }
    }

    /// Where it is now.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Live,
            _ => Phase::Draining,
        }
    }

    /// Who it is.
    #[must_use]
    pub fn about(&self) -> &About {
        &self.about
    }

    /// The start-up check has passed. A server that is being stopped stays so.
    pub fn set_live(&self) {
        let (from, to) = (Phase::Starting as u8, Phase::Live as u8);
        let _ = self.phase.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
    }

    /// It is being stopped.
    pub fn set_draining(&self) {
        self.phase.store(Phase::Draining as u8, Ordering::Release);
    }

    /// Each store's state: `ok`, or what is wrong.
    pub async fn checks(&self, stores: &Stores) -> Checks {
        // Those who ask meanwhile wait for the one check.
        let mut last = self.last.lock().await;
        if let Some((at, checks)) = last.as_ref()
            && at.elapsed() < FRESH
        {
            return checks.clone();
        }
        let (database, cache, log) = tokio::join!(
            check(stores.ledger.check_write()),
            check(stores.ranking.check()),
            check(stores.events.check()),
        );
        let checks = Checks::from([("database", database), ("cache", cache), ("log", log)]);
        *last = Some((Instant::now(), checks.clone()));
        checks
    }
}

async fn check(attempt: impl Future<Output = Result<(), StoreError>>) -> String {
    match tokio::time::timeout(CHECK_DEADLINE, attempt).await {
        Ok(Ok(())) => "ok".to_owned(),
        Ok(Err(error)) => {
            tracing::warn!(error = %chain(&error), "a store failed its check");
            error.to_string()
        }
        Err(_) => "no answer in time".to_owned(),
    }
}

/// Proves that what players need works: a write rolled back, the cache, a ranking that is built, each read once.
///
/// # Errors
/// With the first thing that does not work.
pub async fn start_up_check(game: &std::sync::Arc<Game>) -> Result<(), DomainError> {
    let stores = &game.stores;
    stores.ledger.check_write().await?;
    stores.ranking.check().await?;
    Reconciler::new(game.clone()).build_missing().await?;
    let nobody = PlayerId::parse("nobody").expect("it can be an id");
    expect_nobody(account::profile(game, &nobody).await)?;
    expect_nobody(score::rank(game, &nobody, None, None).await)?;
    expect_nobody(wallet::ledger(game, &nobody, 1, None).await)?;
    score::page(game, None, None, 1, None).await?;
    let definition = game.definition();
    let board = &definition.boards.default_board().name;
    expect_nobody(score::around(game, board, None, &nobody, 1).await)?;
    score::among(game, board, None, 1, &[nobody]).await?;
    Ok(())
}

fn expect_nobody<T>(result: Result<T, DomainError>) -> Result<(), DomainError> {
    match result {
        Ok(_) | Err(DomainError::UnknownPlayer | DomainError::NotRanked) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Repeats the start-up check until it passes, then lets traffic in.
pub async fn start_up(game: std::sync::Arc<Game>, health: std::sync::Arc<Health>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match start_up_check(&game).await {
            Ok(()) => {
                health.set_live();
                tracing::info!("ready for traffic");
                return;
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "the start-up check failed; trying again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = stop.cancelled() => {}
        }
    }
}
