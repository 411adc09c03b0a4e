//! `game-server`: reads its environment and serves.

use std::{error::Error, process::ExitCode};

use mimalloc::MiMalloc;
use server::{config::Config, serve};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn report(error: &dyn Error) {
    use std::io::Write as _;
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    // There is nowhere left to say that this failed.
    let _ = writeln!(std::io::stderr(), "game-server: {text}");
}

fn main() -> ExitCode {
    let config = match Config::read(&|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(error) => {
            report(&error);
            return ExitCode::from(2);
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            report(&error);
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(serve::run(config)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}
