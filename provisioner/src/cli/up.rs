//! `provision up`

use std::path::PathBuf;
use std::time::Duration;

use super::plan::{directory, up_failed};
use super::{Exit, Outcome, Run};
use crate::blueprint::Blueprint;
use crate::engine::observed::Inventory;
use crate::engine::outputs::{Outputs, outputs};
use crate::engine::plan::Plan;
use crate::engine::playable::Until;
use crate::engine::session::Session;
use crate::engine::up::{Upped, up};
use crate::kinds::Options;
use crate::release::health::await_instances;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision up blueprints/starter.toml --yes")]
pub struct Args {
    /// The blueprint
    #[arg(default_value = "provision.toml")]
    blueprint: PathBuf,
    /// Allow changes that destroy data
    #[arg(long)]
    allow_data_loss: bool,
    /// When to return: when all is ready, or as soon as the API can serve (read replicas, CDN and alarms go on by
    /// themselves)
    #[arg(long, value_enum, default_value_t = Wanted::Done, value_name = "WHEN")]
    until: Wanted,
    /// Overwrite what was changed outside provision
    #[arg(long)]
    overwrite_drift: bool,
    /// Do not check quotas, offers and permissions beforehand
    #[arg(long)]
    skip_preflight: bool,
    /// Do not ask the API at the end (for an endpoint that runs no servers)
    #[arg(long)]
    control_plane_only: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Wanted {
    Done,
    Playable,
}

#[derive(Debug, thiserror::Error)]
#[error("--until playable needs [servers], which the blueprint does not have")]
struct NothingToPlay;

pub async fn run(run: &Run, args: &Args) -> Outcome {
    let blueprint = run.blueprint(&args.blueprint)?;
    if args.until == Wanted::Playable && blueprint.servers.is_none() {
        return Err(run.fail(Exit::Usage, &NothingToPlay, Some("leave --until out; nothing was changed")));
    }
    let mut session = run.session(Some(&blueprint.stack.region)).await?;
    session.until = match args.until {
        Wanted::Done => Until::Done,
        Wanted::Playable => Until::Playable,
    };
    let options = Options { allow_data_loss: args.allow_data_loss, skip_preflight: args.skip_preflight };
    let mut refused = None;
    let confirm = async |plan: &Plan| {
        run.ui.plan(plan, false);
        refused = refusal(run, args, plan);
        refused.is_none() && run.confirm("Apply this plan?")
    };
    let upped = up(&session, &blueprint, directory(&args.blueprint), options, confirm).await;
    match upped.map_err(|error| up_failed(run, &error))? {
        Upped::Unchanged(inventory) => {
            run.ui.note("no changes");
            show_outputs(run, &outputs_of(&session, &blueprint.stack_name(), &inventory).await);
            Ok(Exit::Done)
        }
        Upped::Declined => {
            run.ui.note(refused.unwrap_or("nothing was changed"));
            Ok(Exit::Failed)
        }
        Upped::Converged(planned, outcome) => {
            run.ui.outcome(&outcome);
            serves(run, args, &session, &blueprint, &planned.inventory).await
        }
        Upped::Playable(planned, outcome) => {
            run.ui.outcome(&outcome);
            let exit = serves(run, args, &session, &blueprint, &planned.inventory).await?;
            run.ui.note("playable; `provision status` says when the rest is ready, `provision up` finishes it");
            Ok(exit)
        }
        Upped::Incomplete(planned, outcome) => {
            run.ui.outcome(&outcome);
            if outcome.failed.is_empty() && !outcome.interrupted {
                run.ui.plan(&planned.plan, false);
                run.ui.note("a second look found more to do (above)");
            }
            let lost = if session.lease_lost() { "the lease is no longer held by this run; " } else { "" };
            run.ui.note(&format!("{lost}run `provision up` again: it goes on where this run ended"));
            Ok(if outcome.interrupted { Exit::Interrupted } else { Exit::Failed })
        }
    }
}

/// Asks the API, where there is one that can be asked from here, and shows the outputs.
async fn serves(run: &Run, args: &Args, session: &Session, blueprint: &Blueprint, inventory: &Inventory) -> Outcome {
    let min = blueprint.servers.as_ref().map_or(0, |servers| usize::from(servers.min));
    let outputs = outputs_of(session, &blueprint.stack_name(), inventory).await;
    // Where nobody can ask from here, the load balancer's own health checks, which the group has awaited, must do.
    if let Some(api) = outputs.askable().filter(|_| min > 0 && !args.control_plane_only) {
        session.phase("asking the API");
        let heard = await_instances(api, min, None, Duration::from_secs(300), &session.listener).await;
        let heard = heard.map_err(|error| {
            let help = "see what the instances say with `provision status`, then run `provision up` again";
            run.fail(Exit::Failed, &error, Some(help))
        })?;
        run.ui.note(&format!("{} instances answer", heard.len()));
    }
    show_outputs(run, &outputs);
    Ok(Exit::Done)
}

/// Why the plan must not be applied, whatever the user says to the plan itself.
fn refusal(run: &Run, args: &Args, plan: &Plan) -> Option<&'static str> {
    if !plan.findings.is_empty() {
        return Some("refused: the plan above has findings. Nothing was changed. Mend what is found");
    }
    if !args.allow_data_loss && plan.data_losses().next().is_some() {
        return Some("refused: the plan above destroys data. Nothing was changed. To lose it pass --allow-data-loss");
    }
    let overwrite = || !run.yes && run.confirm("Overwrite what was changed outside provision?");
    if plan.overwrites_drift() && !args.overwrite_drift && !overwrite() {
        return Some(
            "refused: the plan above overwrites what was changed outside provision. Nothing was changed. \
             Take the change over into the blueprint, or pass --overwrite-drift",
        );
    }
    None
}

async fn outputs_of(session: &Session, stack: &str, inventory: &Inventory) -> Outputs {
    outputs(stack, inventory, session.aws.endpoint_url.as_deref()).await
}

fn show_outputs(run: &Run, outputs: &Outputs) {
    if run.ui.json {
        return run.ui.named("outputs", outputs);
    }
    super::outputs::show(run, outputs);
    if let Some(api) = &outputs.api_url {
        run.ui.note(&format!("try: curl {api}/readyz    then: {api}/docs in a browser"));
    }
}
