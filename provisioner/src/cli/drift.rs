//! `provision drift`

use std::path::PathBuf;

use serde_json::json;

use super::plan::planned;
use super::{Exit, Outcome, Run};
use crate::ui::render_drift;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision drift blueprints/starter.toml --check")]
pub struct Args {
    /// The blueprint
    #[arg(default_value = "provision.toml")]
    blueprint: PathBuf,
    /// Exit with 3 where something was changed
    #[arg(long)]
    check: bool,
}

pub async fn run(run: &Run, args: &Args) -> Outcome {
    let planned = planned(run, &args.blueprint).await?;
    let (plan, applied) = (&planned.plan, &planned.applied);
    let in_doubt: Vec<&String> = applied.iter().flat_map(|applied| &applied.under_way).collect();
    let overwritten: Vec<&str> =
        plan.changes.iter().filter(|change| change.overwrites_drift).map(|change| change.address.as_str()).collect();
    if run.ui.json {
        run.ui.document(&json!({
            "stack": plan.stack,
            "since": applied.as_ref().and_then(|applied| applied.at),
            "drift": plan.drift,
            "overwritten_by_up": overwritten,
            "in_doubt": in_doubt,
        }));
    } else {
        run.ui.say(&text(&planned.plan, applied.is_some(), &overwritten, &in_doubt));
    }
    Ok(if args.check && !plan.drift.is_empty() { Exit::Changes } else { Exit::Done })
}

fn text(plan: &crate::engine::plan::Plan, is_known: bool, overwritten: &[&str], in_doubt: &[&String]) -> String {
    if !is_known {
        return "no run has been completed on this stack: there is nothing to compare it with".into();
    }
    let mut lines = Vec::new();
    if plan.drift.is_empty() {
        lines.push("nothing was changed outside provision".to_owned());
    } else {
        let mut text = String::new();
        render_drift(&mut text, plan);
        lines.push(text.trim_end().to_owned());
        lines.push(if overwritten.is_empty() {
            "`provision up` leaves all of it as it is".to_owned()
        } else {
            format!("`provision up --overwrite-drift` puts back: {}", overwritten.join(", "))
        });
    }
    if !in_doubt.is_empty() {
        let names: Vec<&str> = in_doubt.iter().map(|address| address.as_str()).collect();
        lines
            .push(format!("a run that did not end was changing these, so they are not compared: {}", names.join(", ")));
    }
    lines.join("\n")
}
