//! The command line: one verb a file, thin.

mod adopt;
mod assets;
mod completions;
mod cost;
mod deploy;
mod down;
mod drift;
mod drill;
mod graph;
mod init;
mod logs;
mod man;
mod outputs;
mod plan;
mod policy;
mod releases;
mod rollback;
mod rolled;
mod status;
#[cfg(test)]
mod tests;
mod up;
mod validate;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Parser, Subcommand};
use tokio::sync::watch;

use crate::aws::Connection;
use crate::aws::error::CallError;
use crate::aws::stack::Stack;
use crate::blueprint::{self, Blueprint};
use crate::engine::session::Session;
use crate::ui::Ui;

/// Turns a blueprint into a running mobile-game backend on AWS, and takes it down again without a trace.
#[derive(Debug, Parser)]
#[command(name = "provision", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Args)]
struct Global {
    /// One JSON document (plan, status, outputs), or one JSON event a line
    #[arg(long, global = true)]
    json: bool,
    /// Endpoint of a local AWS, instead of AWS itself
    #[arg(long, global = true, env = "AWS_ENDPOINT_URL", value_name = "URL", hide_env_values = true)]
    endpoint_url: Option<String>,
    /// The stack's home region
    #[arg(long, global = true, value_name = "REGION")]
    region: Option<String>,
    /// Profile of the shared AWS configuration
    #[arg(long, global = true, value_name = "NAME")]
    profile: Option<String>,
    /// Do not ask
    #[arg(long, short = 'y', global = true)]
    yes: bool,
    /// Say more (twice: everything)
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// No colours and no live display (also: NO_COLOR)
    #[arg(long, global = true)]
    no_color: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a blueprint to begin with
    Init(init::Args),
    /// Check a blueprint, without calling AWS
    Validate(validate::Args),
    /// Show what `up` would change, its impact and how long it takes
    Plan(plan::Args),
    /// Bring the stack to what the blueprint says
    Up(up::Args),
    /// List what the stack has, how its servers, database and cache are, and who works on it
    Status(status::Args),
    /// Print the stack's addresses
    #[command(after_help = "Example: provision outputs --json | jq -r .api_url")]
    Outputs(Which),
    /// Show the servers' log, across instances
    Logs(logs::Args),
    /// Take the stack down and prove that nothing is left
    Down(down::Args),
    /// Roll out a release of the server without losing a request
    Deploy(deploy::Args),
    /// Go back to the release before
    Rollback(rollback::Args),
    /// List the releases: when, which, who, and what became of them
    #[command(after_help = "Example: provision releases --stack mygame-dev --region eu-central-1")]
    Releases(Which),
    /// Show what was changed outside provision since the last run
    Drift(drift::Args),
    /// Take an existing resource into the stack
    Adopt(adopt::Args),
    /// Break something on purpose under load, and audit what was acknowledged
    Drill(drill::Args),
    /// Publish the game's assets, in part: only what changed is uploaded and downloaded
    Assets(assets::Args),
    /// Print the IAM policy that the caller needs
    Policy(policy::Args),
    /// Draw the stack, or what `up` would change of it
    Graph(graph::Args),
    /// Count what the stack costs in a month
    Cost(cost::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Write the man pages of provision and of every verb
    Man(man::Args),
}

impl Verb {
    /// Whether it answers with one document instead of events.
    fn is_document(&self) -> bool {
        match self {
            Self::Status(args) => !args.streams(),
            Self::Assets(args) => !args.streams(),
            verb => matches!(
                verb,
                Self::Plan(_)
                    | Self::Drift(_)
                    | Self::Outputs(_)
                    | Self::Policy(_)
                    | Self::Releases(_)
                    | Self::Graph(_)
                    | Self::Cost(_)
            ),
        }
    }
}

/// Which stack: by blueprint or by name.
#[derive(Debug, Args)]
struct Which {
    /// The blueprint
    #[arg(default_value = "provision.toml")]
    blueprint: PathBuf,
    /// The stack's name (`<game>-<environment>`), without a blueprint; give the region too
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
}

/// How a run ended: the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// The command or the blueprint is wrong.
    Usage = 2,
    /// `plan --check` found changes.
    Changes = 3,
    /// `down` left something.
    Left = 4,
    /// The lease is held by somebody else.
    Held = 5,
    /// Stopped by a signal.
    Interrupted = 130,
}

/// What every verb is given.
struct Run {
    ui: Ui,
    connection: Connection,
    yes: bool,
    /// A terminal may be drawn on.
    live: bool,
    stop: watch::Receiver<bool>,
    /// A signal came while a question was open.
    unanswered: AtomicBool,
}

/// An error at the edge: already worded, with its exit code.
struct Ended(Exit);

type Outcome = Result<Exit, Ended>;

/// Runs the command line. `stop` turns true at the first signal.
pub async fn run(cli: Cli, stop: watch::Receiver<bool>) -> Exit {
    let color = !cli.global.no_color && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    trace(cli.global.verbose);
    let streams = !cli.verb.is_document();
    let connection = Connection {
        endpoint_url: cli.global.endpoint_url.filter(|url| !url.is_empty()),
        region: cli.global.region,
        profile: cli.global.profile,
    };
    let run = Run {
        ui: Ui::new(cli.global.json, streams, color),
        connection,
        yes: cli.global.yes,
        live: color,
        stop,
        unanswered: AtomicBool::new(false),
    };
    let outcome = match cli.verb {
        Verb::Init(args) => init::run(&run, &args),
        Verb::Validate(args) => validate::run(&run, &args),
        Verb::Plan(args) => plan::run(&run, &args).await,
        Verb::Up(args) => up::run(&run, &args).await,
        Verb::Status(args) => status::run(&run, &args).await,
        Verb::Outputs(which) => outputs::run(&run, &which).await,
        Verb::Logs(args) => logs::run(&run, &args).await,
        Verb::Down(args) => down::run(&run, &args).await,
        Verb::Deploy(args) => deploy::run(&run, &args).await,
        Verb::Rollback(args) => rollback::run(&run, &args).await,
        Verb::Releases(which) => releases::run(&run, &which).await,
        Verb::Drift(args) => drift::run(&run, &args).await,
        Verb::Adopt(args) => adopt::run(&run, &args).await,
        Verb::Drill(args) => drill::run(&run, &args).await,
        Verb::Assets(args) => assets::run(&run, &args).await,
        Verb::Policy(args) => policy::run(&run, &args),
        Verb::Graph(args) => graph::run(&run, &args).await,
        Verb::Cost(args) => cost::run(&run, &args).await,
        Verb::Completions(args) => completions::run(&run, &args),
        Verb::Man(args) => man::run(&run, &args),
    };
    run.ui.quiet();
    match outcome {
        _ if run.unanswered.load(Ordering::Relaxed) => Exit::Interrupted,
        Ok(exit) | Err(Ended(exit)) => exit,
    }
}

fn trace(verbose: u8) {
    let level = match verbose {
        0 => "off",
        1 => "provisioner=debug",
        _ => "debug",
    };
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(level))
        .with_writer(std::io::stderr)
        .try_init();
}

/// What the failed call behind an error suggests.
fn advice(error: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    let call = |error: &(dyn std::error::Error + 'static)| match error.downcast_ref::<crate::kinds::Error>() {
        Some(crate::kinds::Error::Call(call)) => call.advice(),
        _ => error.downcast_ref::<CallError>().and_then(CallError::advice),
    };
    std::iter::successors(Some(error), |error| error.source()).find_map(call)
}

impl Run {
    /// Says what went wrong and what to do next: what the failed call itself suggests, else `help`.
    fn fail(&self, exit: Exit, error: &(dyn std::error::Error + 'static), help: Option<&str>) -> Ended {
        self.ui.error(error, advice(error).or(help));
        Ended(exit)
    }

    fn blueprint(&self, path: &Path) -> Result<Blueprint, Ended> {
        blueprint::load(path).map_err(|errors| {
            self.ui.blueprint_errors(&errors);
            Ended(Exit::Usage)
        })
    }

    async fn session(&self, region: Option<&str>) -> Result<Session, Ended> {
        let mut connection = self.connection.clone();
        connection.region = connection.region.or_else(|| region.map(str::to_owned));
        Session::begin(&connection, self.ui.listener(), self.stop.clone()).await.map_err(|error| {
            let help = "check the credentials (AWS_PROFILE, AWS_ACCESS_KEY_ID) and the endpoint";
            let ended = self.fail(Exit::Failed, &error, Some(help));
            self.ui.note("nothing was changed");
            ended
        })
    }

    /// The stack that `which` names, and a session in its home region.
    async fn stack(&self, which: &Which) -> Result<(Session, Stack), Ended> {
        if let Some(name) = &which.stack {
            let session = self.session(None).await?;
            let stack = session.stack(name);
            return Ok((session, stack));
        }
        let blueprint = self.blueprint(&which.blueprint)?;
        let session = self.session(Some(&blueprint.stack.region)).await?;
        if let Some(pinned) = blueprint.stack.account.as_ref().filter(|pinned| **pinned != session.account) {
            let error = crate::engine::place::PlaceError::WrongAccount {
                pinned: pinned.clone(),
                actual: session.account.clone(),
            };
            return Err(self.fail(Exit::Failed, &error, Some("nothing was changed")));
        }
        if blueprint.stack.region != session.aws.home {
            let error = crate::engine::place::PlaceError::WrongRegion {
                pinned: blueprint.stack.region.clone(),
                actual: session.aws.home.clone(),
            };
            return Err(self.fail(Exit::Failed, &error, Some("nothing was changed")));
        }
        let stack = session.stack(&blueprint.stack_name());
        Ok((session, stack))
    }

    /// Asks, unless `--yes`. Without a terminal and without `--yes` the answer is no, and says why; Ctrl-C is a no.
    fn confirm(&self, question: &str) -> bool {
        let stopped = || *self.stop.borrow();
        self.yes
            || self.ui.ask(question, stopped).unwrap_or_else(|| {
                if stopped() {
                    self.unanswered.store(true, Ordering::Relaxed);
                } else {
                    self.ui.note("nobody can be asked here: pass --yes to go on without asking");
                }
                false
            })
    }
}
