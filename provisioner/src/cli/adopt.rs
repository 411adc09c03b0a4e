//! `provision adopt`

use std::path::PathBuf;

use super::plan::{directory, up_failed};
use super::{Exit, Outcome, Run};
use crate::engine::adopt::{AdoptError, adopt};
use crate::engine::plan::Plan;
use crate::engine::up::UpError;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision adopt elastic-ip/nat-1 eipalloc-0a1b2c3d blueprints/production.toml")]
pub struct Args {
    /// Where it belongs in the blueprint's topology, as `provision plan` writes it
    address: String,
    /// The id that AWS knows it by: an id, a name or an ARN, as `provision status` shows them
    id: String,
    /// The blueprint
    #[arg(default_value = "provision.toml")]
    blueprint: PathBuf,
}

pub async fn run(run: &Run, args: &Args) -> Outcome {
    let blueprint = run.blueprint(&args.blueprint)?;
    let session = run.session(Some(&blueprint.stack.region)).await?;
    let confirm = async |plan: &Plan| {
        run.ui.plan(plan, false);
        run.ui.note(
            "adopting it puts the stack's tags on it; the changes above are what `provision up` then makes of it",
        );
        run.confirm("Adopt it?")
    };
    let adopted = adopt(&session, &blueprint, directory(&args.blueprint), &args.address, &args.id, confirm).await;
    match adopted {
        Ok(true) => {
            run.ui.note(&format!("{} is the stack's {} now; go on with `provision up`", args.id, args.address));
            Ok(Exit::Done)
        }
        Ok(false) => {
            run.ui.note("nothing was changed");
            Ok(Exit::Failed)
        }
        Err(AdoptError::Up(error)) => Err(up_failed(run, &error)),
        Err(AdoptError::Lease(error)) => Err(up_failed(run, &UpError::Lease(error))),
        Err(error) => Err(run.fail(Exit::Failed, &error, Some("nothing was changed"))),
    }
}
