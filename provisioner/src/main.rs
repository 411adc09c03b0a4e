//! Parse, run, exit code.

use std::process::ExitCode;

use clap::Parser;
use provisioner::cli::{Cli, Exit, run};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        // The first signal lets what is in flight finish; the second ends at once.
        for _ in 0..2 {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if stop.send_replace(true) {
                std::process::exit(Exit::Interrupted as i32);
            }
        }
    });
    ExitCode::from(run(cli, stopped).await as u8)
}
