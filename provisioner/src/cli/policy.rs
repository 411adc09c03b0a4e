//! `provision policy`

use std::path::PathBuf;

use super::{Exit, Outcome, Run};
use crate::aws::policy::{Scope, parts, policy};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision policy blueprints/production.toml > policy.json")]
pub struct Args {
    /// The blueprint whose stack it is for; without it, and without --stack: for every stack
    blueprint: Option<PathBuf>,
    /// The stack's name (`<game>-<environment>`), without a blueprint
    #[arg(long, value_name = "NAME", conflicts_with = "blueprint")]
    stack: Option<String>,
    /// As a list of policies, none longer than a managed policy may be
    #[arg(long)]
    split: bool,
}

/// The longest managed policy that IAM takes, in characters without white space.
const MANAGED: usize = 6144;

/// Prints the IAM policy that the caller needs; nothing is called on AWS.
pub fn run(run: &Run, args: &Args) -> Outcome {
    let mut scope = Scope { stack: args.stack.clone(), region: run.connection.region.clone(), ..Scope::default() };
    if let Some(path) = &args.blueprint {
        let blueprint = run.blueprint(path)?;
        let zones = blueprint.domain.iter().flat_map(|domain| [Some(domain.zone.clone()), domain.parent_zone.clone()]);
        scope = Scope {
            stack: Some(blueprint.stack_name()),
            zones: zones.flatten().collect(),
            vpc: blueprint.network.as_ref().and_then(|network| network.vpc.clone()),
            region: Some(blueprint.stack.region),
            account: blueprint.stack.account,
        };
    }
    if args.split {
        run.ui.document(&parts(&scope, MANAGED));
    } else {
        run.ui.document(&policy(&scope));
    }
    Ok(Exit::Done)
}
