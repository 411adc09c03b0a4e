//! `provision validate`

use std::path::PathBuf;

use super::{Exit, Outcome, Run};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision validate blueprints/production.toml")]
pub struct Args {
    /// The blueprint
    #[arg(default_value = "provision.toml")]
    blueprint: PathBuf,
}

/// Checks the blueprint alone: nothing is called on AWS. With `--json` the answer is the blueprint with its defaults.
pub fn run(run: &Run, args: &Args) -> Outcome {
    let blueprint = run.blueprint(&args.blueprint)?;
    if run.ui.json {
        run.ui.document(&serde_json::json!({"event": "valid", "blueprint": blueprint}));
    } else {
        run.ui.say(&format!("{} is right: stack {}", args.blueprint.display(), blueprint.stack_name()));
    }
    Ok(Exit::Done)
}
