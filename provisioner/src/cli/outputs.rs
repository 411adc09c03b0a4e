//! `provision outputs`

use super::{Exit, Outcome, Run, Which};
use crate::engine::observed::observe;
use crate::engine::outputs::{Outputs, outputs};
use crate::kinds::Options;

pub async fn run(run: &Run, which: &Which) -> Outcome {
    let (session, stack) = run.stack(which).await?;
    let name = stack.name.clone();
    let cx = session.context(stack, std::collections::BTreeMap::new(), Options::default());
    let inventory = observe(&cx).await.map_err(|error| run.fail(Exit::Failed, &error, None))?;
    show(run, &outputs(&name, &inventory, session.aws.endpoint_url.as_deref()).await);
    Ok(Exit::Done)
}

/// The outputs as a document or as lines.
pub fn show(run: &Run, outputs: &Outputs) {
    if run.ui.json {
        return run.ui.document(outputs);
    }
    let lines = [
        ("api", &outputs.api_url),
        ("domain", &outputs.domain_url),
        ("assets", &outputs.assets_url),
        ("release", &outputs.release),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            run.ui.say(&format!("{name:<8} {value}"));
        }
    }
}
