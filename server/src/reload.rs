//! Takes a changed game file (`GAME_FILE`) without a restart: boards, seasons, rewards and the catalogue.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::{config::Config, domain::Game, store::chain};

/// Looking at its content, not at its times, sees every way of changing it.
const EVERY: Duration = Duration::from_secs(5);

/// Reads the file when it has changed, or on SIGHUP, until told to stop. What is wrong is reported, and what was there
/// stays in force.
pub async fn run(game: Arc<Game>, path: PathBuf, stop: CancellationToken) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::error!(error = %chain(&error), "SIGHUP cannot be had: the game file is not read again");
            return;
        }
    };
    // The first look reads it once more: it may have changed since the start.
    let mut seen = None;
    loop {
        let told = tokio::select! {
            () = tokio::time::sleep(EVERY) => false,
            _ = hangup.recv() => true,
            () = stop.cancelled() => return,
        };
        let content = std::fs::read(&path).ok();
        if told || seen.as_ref() != Some(&content) {
            seen = Some(content);
            read(&game);
        }
    }
}

fn read(game: &Game) {
    match Config::definition(&|name| std::env::var(name).ok()) {
        Ok(definition) => {
            game.redefine(definition);
            metrics::counter!("game_file_reads_total", "result" => "taken").increment(1);
            tracing::info!("the game file was read");
        }
        Err(error) => {
            metrics::counter!("game_file_reads_total", "result" => "refused").increment(1);
            tracing::error!(error = %error, "the game file is wrong: what was read before stays in force");
        }
    }
}
