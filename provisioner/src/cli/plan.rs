//! `provision plan`

use std::path::{Path, PathBuf};

use super::{Ended, Exit, Outcome, Run};
use crate::engine::priced::look_priced;
use crate::engine::up::{Planned, look};
use crate::kinds::Options;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision plan blueprints/starter.toml --check")]
pub struct Args {
    /// The blueprint
    #[arg(default_value = "provision.toml")]
    blueprint: PathBuf,
    /// Exit with 3 where there are changes
    #[arg(long)]
    check: bool,
}

pub async fn run(run: &Run, args: &Args) -> Outcome {
    let blueprint = run.blueprint(&args.blueprint)?;
    let session = run.session(Some(&blueprint.stack.region)).await?;
    let planned = look_priced(&session, &blueprint, directory(&args.blueprint), Options::default()).await;
    let planned = planned.map_err(|error| up_failed(run, &error))?;
    run.ui.plan(&planned.plan, true);
    if !planned.plan.findings.is_empty() {
        return Ok(Exit::Failed);
    }
    Ok(if args.check && !planned.plan.is_empty() { Exit::Changes } else { Exit::Done })
}

/// Looks and plans. Changes nothing.
pub async fn planned(run: &Run, path: &Path) -> Result<Planned, Ended> {
    let blueprint = run.blueprint(path)?;
    let session = run.session(Some(&blueprint.stack.region)).await?;
    let planned = look(&session, &blueprint, directory(path), Options::default()).await;
    planned.map_err(|error| up_failed(run, &error))
}

/// Where relative paths in the blueprint start.
pub fn directory(blueprint: &Path) -> &Path {
    blueprint.parent().unwrap_or_else(|| Path::new(""))
}

/// Words an error of `plan` or `up`.
pub fn up_failed(run: &Run, error: &crate::engine::up::UpError) -> Ended {
    use crate::engine::lease::LeaseError;
    use crate::engine::up::UpError;
    match error {
        UpError::Lease(LeaseError::Held(_)) => run.fail(Exit::Held, error, None),
        UpError::Lacking { .. } => run.fail(
            Exit::Failed,
            error,
            Some("take these sections out of the blueprint, or use an endpoint that offers them; nothing was changed"),
        ),
        UpError::Place(_) => run.fail(Exit::Failed, error, Some("nothing was changed")),
        UpError::Journal(_) => run.fail(Exit::Failed, error, Some("nothing was changed")),
        UpError::Picture(_) => run.fail(Exit::Failed, error, Some("nothing was applied; run the command again")),
        UpError::SecondLook(_) => {
            run.fail(Exit::Failed, error, Some("all steps are done; run the command again to see whether that is all"))
        }
        _ => run.fail(Exit::Failed, error, Some("run the command again to go on")),
    }
}
