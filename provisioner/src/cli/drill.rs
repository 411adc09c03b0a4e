//! `provision drill`

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Exit, Outcome, Run, Which};
use crate::drill::{self, DrillError, Drilled, Fault, Options, Report, Target};
use crate::engine::lease::LeaseError;
use crate::kinds;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: provision drill database-failover --stack game-dev --region eu-central-1 --out failover.svg"
)]
pub struct Args {
    /// What to break
    #[arg(value_enum)]
    fault: Fault,
    #[command(flatten)]
    which: Which,
    /// Operations a second: purchases, scores and reads of ranks by turns
    #[arg(long, default_value_t = 30.0, value_name = "NUMBER", value_parser = rate)]
    rate: f64,
    /// Test players
    #[arg(long, default_value_t = 60, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=5000))]
    players: u16,
    /// Seconds to measure before the fault
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    before: u32,
    /// Seconds to measure after AWS says that it is over
    #[arg(long, default_value_t = 20, value_name = "SECONDS")]
    after: u32,
    /// Seconds after which a player gives an operation up
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    patience: u32,
    /// Instances to lose (instance-loss)
    #[arg(long, default_value_t = 1, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..))]
    instances: u16,
    /// The picture (SVG); the report is written beside it as JSON [default: drill-<FAULT>.svg]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The load's own log: a line of JSON for each operation
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Break it even where nothing takes over
    #[arg(long)]
    allow_outage: bool,
    /// Leave the test players; the next drill deletes them
    #[arg(long)]
    keep_players: bool,
}

/// The most that one machine is asked to play.
const MOST: f64 = 300.0;
/// Each player's share of it: the servers limit what one player may do.
const MOST_OF_A_PLAYER: f64 = 3.0;

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.5..=MOST).contains(&rate) { Ok(rate) } else { Err(format!("must be 0.5 to {MOST}")) }
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}")]
struct Unwritten {
    path: String,
    source: std::io::Error,
}

pub async fn run(run: &Run, args: &Args) -> Outcome {
    let options = options(args);
    if options.rate / options.players as f64 > MOST_OF_A_PLAYER {
        let error = DrillError::TooFast { rate: options.rate, players: options.players };
        return Err(run.fail(Exit::Usage, &error, Some("pass a smaller --rate or more --players")));
    }
    if args.which.stack.is_none() {
        let blueprint = run.blueprint(&args.which.blueprint)?;
        if !blueprint.stack.drills {
            let (stack, by) = (blueprint.stack_name(), "the blueprint says [stack] drills = false");
            return Err(failed(run, &DrillError::Forbidden { stack, by }));
        }
    }
    let (session, stack) = run.stack(&args.which).await?;
    let cx = session.context(stack.clone(), std::collections::BTreeMap::new(), kinds::Options::default());
    let target = drill::find(&cx, &options).await.map_err(|error| failed(run, &error))?;
    let free = session.free(&stack).await.map_err(|error| failed(run, &error.into()))?;
    explain(run, &target, &options);
    if !run.confirm("Break it?") {
        run.ui.note("nothing was broken");
        return Ok(Exit::Failed);
    }
    let lease = session.lease(&stack, free).await.and_then(|lease| lease.ok_or(LeaseError::NoBucket));
    let lease = lease.map_err(|error| failed(run, &error.into()))?;
    let drilled = drill::drill(&session, &cx, &target, &options).await;
    lease.release().await;
    let drilled = match drilled {
        Err(DrillError::Interrupted) => {
            run.ui.note("stopped before anything was broken; the test players are deleted");
            return Ok(Exit::Interrupted);
        }
        drilled => drilled.map_err(|error| failed(run, &error))?,
    };
    let picture = args.out.clone().unwrap_or_else(|| format!("drill-{}.svg", args.fault.name()).into());
    write(run, &drilled, &picture, args.log.as_deref())?;
    run.ui.drill(&drilled.report, &picture);
    finish(run, &drilled)
}

fn options(args: &Args) -> Options {
    let seconds = |seconds: u32| Duration::from_secs(seconds.into());
    Options {
        fault: args.fault,
        rate: args.rate,
        players: usize::from(args.players),
        before: seconds(args.before),
        after: seconds(args.after),
        patience: seconds(args.patience),
        instances: usize::from(args.instances),
        allow_outage: args.allow_outage,
        keep_players: args.keep_players,
    }
}

/// What is about to happen, and to whom.
fn explain(run: &Run, target: &Target, options: &Options) {
    let Options { players, rate, before, .. } = options;
    run.ui.note(&format!(
        "stack {} in {}, at {}\n  {players} test players buy, score and read ranks, {rate} operations a second; they are on the \
         default leaderboard until they are deleted, with scores below 0, and their events stay in the log\n  after {} s: {}\n  \
         real players: {}",
        target.stack,
        target.region,
        target.api_url,
        before.as_secs(),
        target.deed(),
        target.consequences(),
    ));
}

fn failed(run: &Run, error: &DrillError) -> super::Ended {
    let (exit, help) = match error {
        DrillError::Forbidden { .. } => {
            (Exit::Failed, "nothing was broken; to allow it set [stack] drills = true and run `provision up`")
        }
        DrillError::Unfit(_) | DrillError::TooFast { .. } => (Exit::Failed, "nothing was broken"),
        DrillError::Outage(_) => (Exit::Failed, "nothing was broken; to do it all the same pass --allow-outage"),
        DrillError::Lease(LeaseError::Held(_)) => (Exit::Held, "nothing was broken"),
        DrillError::CannotClean(_) => (Exit::Failed, "nothing was broken; deploy a release of game-server that can"),
        DrillError::Left { .. } => {
            (Exit::Failed, "the next drill deletes them; they are named in the stack's bucket, drills/")
        }
        _ => (Exit::Failed, "see `provision status`; test players that are left are deleted by the next drill"),
    };
    run.fail(exit, error, Some(help))
}

fn write(run: &Run, drilled: &Drilled, picture: &Path, log: Option<&Path>) -> Result<(), super::Ended> {
    let report = serde_json::to_string_pretty(&drilled.report).unwrap_or_default() + "\n";
    let mut files = vec![(picture.to_owned(), drill::draw(&drilled.report)), (picture.with_extension("json"), report)];
    files.extend(log.map(|path| (path.to_owned(), drilled.log.clone())));
    for (path, text) in files {
        std::fs::write(&path, text).map_err(|source| {
            let error = Unwritten { path: path.display().to_string(), source };
            run.fail(Exit::Failed, &error, Some("the drill itself is done; name another file with --out or --log"))
        })?;
    }
    Ok(())
}

fn finish(run: &Run, drilled: &Drilled) -> Outcome {
    if let Some(left) = &drilled.left {
        return Err(failed(run, left));
    }
    Ok(exit_of(&drilled.report))
}

fn exit_of(report: &Report) -> Exit {
    match (report.interrupted, report.audit.is_clean()) {
        (_, false) => Exit::Failed,
        (true, true) => Exit::Interrupted,
        (false, true) => Exit::Done,
    }
}
