//! `provision deploy`

use std::path::PathBuf;

use super::plan::directory;
use super::rolled::{self, Asked, Options};
use super::{Ended, Exit, Outcome, Run, Which};
use crate::blueprint::Blueprint;
use crate::engine::place::{PlaceError, artifact, checked};
use crate::kinds::context::Artifact;
use crate::release::order::{Order, What};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision deploy blueprints/starter.toml --artifact dist/game-server")]
pub struct Args {
    /// The blueprint
    #[arg(default_value = "provision.toml")]
    blueprint: PathBuf,
    /// The server binary [default: `[servers] artifact`, else `game-server` beside this program]
    #[arg(long, value_name = "FILE")]
    artifact: Option<PathBuf>,
    /// Boot the newest Amazon Linux 2023 image too
    #[arg(long)]
    refresh_ami: bool,
    /// Deploy although an alarm of the servers is on; those that are on do not watch then
    #[arg(long)]
    ignore_alarms: bool,
    /// How long the servers' alarms are watched after the last instance was exchanged; one that goes off turns it back
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(i32).range(0..=172_800))]
    bake: i32,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, thiserror::Error)]
#[error("the blueprint has no [servers]")]
struct NoServers;

pub async fn run(run: &Run, args: &Args) -> Outcome {
    let blueprint = run.blueprint(&args.blueprint)?;
    let Some(servers) = &blueprint.servers else {
        return Err(run.fail(Exit::Usage, &NoServers, Some("there is nothing to deploy to; nothing was changed")));
    };
    let artifact = the_artifact(args, &blueprint)
        .map_err(|error| run.fail(Exit::Failed, &error, Some("nothing was changed")))?
        .ok_or(Ended(Exit::Usage))?;
    let (session, stack) = run.stack(&Which { blueprint: args.blueprint.clone(), stack: None }).await?;
    let order = Order {
        what: What::Deploy(artifact),
        newest_image_of: args.refresh_ami.then(|| servers.architecture.as_str().to_owned()),
        bake: args.bake,
        ignore_alarms: args.ignore_alarms,
    };
    rolled::run(run, &session, &stack, &Asked { verb: "deploy", order, options: &args.options }).await
}

fn the_artifact(args: &Args, blueprint: &Blueprint) -> Result<Option<Artifact>, PlaceError> {
    match (&args.artifact, &blueprint.servers) {
        (Some(path), Some(servers)) => checked(path.clone(), servers.architecture).map(Some),
        _ => artifact(blueprint, directory(&args.blueprint)),
    }
}
