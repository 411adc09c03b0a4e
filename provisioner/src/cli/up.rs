//! `provision up`

use std::path::PathBuf;

use super::plan::{directory, up_failed};
use super::{Exit, Outcome, Run};
use crate::engine::observed::Inventory;
use crate::engine::outputs::outputs;
use crate::engine::plan::Plan;
use crate::engine::session::Session;
use crate::engine::up::{Upped, up};
use crate::kinds::Options;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision up blueprints/starter.toml --yes")]
pub struct Args {
    /// The blueprint
    #[arg(default_value = "provision.toml")]
    blueprint: PathBuf,
    /// Allow changes that destroy data
    #[arg(long)]
    allow_data_loss: bool,
}

pub async fn run(run: &Run, args: &Args) -> Outcome {
    let blueprint = run.blueprint(&args.blueprint)?;
    let session = run.session(Some(&blueprint.stack.region)).await?;
    let options = Options { allow_data_loss: args.allow_data_loss };
    let mut refused = false;
    let confirm = async |plan: &Plan| {
        run.ui.plan(plan, false);
        refused = !plan.findings.is_empty() || (!args.allow_data_loss && plan.data_losses().next().is_some());
        !refused && run.confirm("Apply this plan?")
    };
    let upped = up(&session, &blueprint, directory(&args.blueprint), options, confirm).await;
    match upped.map_err(|error| up_failed(run, &error))? {
        Upped::Unchanged(inventory) => {
            run.ui.note("no changes");
            show_outputs(run, &session, &blueprint.stack_name(), &inventory).await;
            Ok(Exit::Done)
        }
        Upped::Declined if refused => {
            run.ui.note(
                "refused: the plan above destroys data or has findings. Nothing was changed. \
                 Mend what is found; for the loss of data pass --allow-data-loss",
            );
            Ok(Exit::Failed)
        }
        Upped::Declined => {
            run.ui.note("nothing was changed");
            Ok(Exit::Failed)
        }
        Upped::Converged(planned, outcome) => {
            run.ui.outcome(&outcome);
            show_outputs(run, &session, &blueprint.stack_name(), &planned.inventory).await;
            Ok(Exit::Done)
        }
        Upped::Incomplete(planned, outcome) => {
            run.ui.outcome(&outcome);
            if outcome.failed.is_empty() && !outcome.interrupted {
                run.ui.plan(&planned.plan, false);
                run.ui.note("a second look found more to do (above)");
            }
            let lost = if session.lease_lost() { "the lease was lost; " } else { "" };
            run.ui.note(&format!("{lost}run `provision up` again: it goes on where this run ended"));
            Ok(if outcome.interrupted { Exit::Interrupted } else { Exit::Failed })
        }
    }
}

async fn show_outputs(run: &Run, session: &Session, stack: &str, inventory: &Inventory) {
    let outputs = outputs(stack, inventory, session.aws.endpoint_url.as_deref()).await;
    super::outputs::show(run, &outputs);
    if let Some(api) = &outputs.api_url
        && !run.ui.json
    {
        run.ui.note(&format!("try: curl {api}/readyz    then: {api}/docs in a browser"));
    }
}
