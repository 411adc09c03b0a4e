//! `provision down`

use super::{Exit, Outcome, Run, Which};
use crate::engine::down::{DownError, Downed, down};
use crate::engine::lease::LeaseError;
use crate::engine::plan::Plan;
use crate::engine::sweep::Leftover;
use crate::kinds::Options;
use crate::kinds::context::Kept;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision down --stack game-dev --region eu-central-1")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Destroy data too: lift deletion protection, keep no final snapshot, empty the assets bucket
    #[arg(long)]
    allow_data_loss: bool,
}

pub async fn run(run: &Run, args: &Args) -> Outcome {
    let (session, stack) = run.stack(&args.which).await?;
    let name = stack.name.clone();
    let options = Options { allow_data_loss: args.allow_data_loss, ..Options::default() };
    let confirm = async |plan: &Plan| {
        run.ui.plan(plan, false);
        run.confirm("Destroy all of this?")
    };
    let downed = down(&session, stack, options, confirm).await.map_err(|error| match &error {
        DownError::Lease(LeaseError::Held(_)) | DownError::SomebodyCame => run.fail(Exit::Held, &error, None),
        _ => run.fail(Exit::Failed, &error, Some("run `provision down` again: it goes on where this run ended")),
    })?;
    match downed {
        Downed::Nothing { left: leftovers, kept } => {
            let (region, account) = (&session.aws.home, &session.account);
            run.ui.note(&format!("there is no stack {name} in {region} of account {account}"));
            show_rest(run, &leftovers, &kept);
            Ok(if leftovers.is_empty() { Exit::Done } else { Exit::Left })
        }
        Downed::Declined => {
            run.ui.note("nothing was changed");
            Ok(Exit::Failed)
        }
        Downed::Refused(refusal) => {
            for (address, reason) in refusal.untagged.iter().chain(&refusal.guarded) {
                run.ui.note(&format!("{address}: {reason}"));
            }
            let lifts = "; --allow-data-loss lifts deletion protection and keeps nothing";
            let help = if refusal.guarded.is_empty() { "" } else { lifts };
            run.ui.note(&format!("refused, and nothing was deleted{help}"));
            Ok(Exit::Failed)
        }
        Downed::Done { outcome, left: leftovers, kept } => {
            run.ui.outcome(&outcome);
            show_rest(run, &leftovers, &kept);
            if outcome.interrupted {
                run.ui.note("run `provision down` again: it goes on where this run ended");
                return Ok(Exit::Interrupted);
            }
            Ok(if leftovers.is_empty() { Exit::Done } else { Exit::Left })
        }
    }
}

fn show_rest(run: &Run, leftovers: &[Leftover], kept: &[Kept]) {
    for kept in kept {
        run.ui.note(&format!("kept: {}    remove it with: {}", kept.what, kept.remove));
    }
    for leftover in leftovers {
        run.ui.note(&format!("left: {} {} {}", leftover.kind, leftover.address, leftover.id));
    }
    left(run, leftovers.len());
}

fn left(run: &Run, count: usize) {
    if run.ui.json {
        run.ui.named("left", &count);
    } else {
        run.ui.say(&format!("{count} left"));
    }
}
