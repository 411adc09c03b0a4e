//! `provision rollback`

use super::rolled::{self, Asked, Options};
use super::{Outcome, Run, Which};
use crate::release::order::{Order, What};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision rollback --stack mygame-dev --region eu-central-1 --yes")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// The (beginning of the) hash of the release to go back to [default: the last one before that served well]
    #[arg(long, value_name = "HASH")]
    to: Option<String>,
    #[command(flatten)]
    options: Options,
}

pub async fn run(run: &Run, args: &Args) -> Outcome {
    let (session, stack) = run.stack(&args.which).await?;
    let order = Order { what: What::Back(args.to.clone()), newest_image_of: None, bake: 0, ignore_alarms: true };
    rolled::run(run, &session, &stack, &Asked { verb: "rollback", order, options: &args.options }).await
}
