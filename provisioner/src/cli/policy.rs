//! `provision policy`

use serde_json::json;

use super::{Exit, Outcome, Run};
use crate::aws::actions;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision policy > policy.json")]
pub struct Args {}

/// Prints the IAM policy; nothing is called on AWS.
pub fn run(run: &Run, _args: &Args) -> Outcome {
    run.ui.document(&json!({
        "Version": "2012-10-17",
        "Statement": [{ "Sid": "Provision", "Effect": "Allow", "Action": actions::all(), "Resource": "*" }],
    }));
    Ok(Exit::Done)
}
