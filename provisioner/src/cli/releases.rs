//! `provision releases`

use serde_json::json;

use super::{Exit, Outcome, Run, Which};
use crate::kinds::release::record;
use crate::kinds::{Options, fleet};
use crate::release::history::{lines, short};

pub async fn run(run: &Run, which: &Which) -> Outcome {
    let (session, stack) = run.stack(which).await?;
    let cx = session.context(stack.clone(), std::collections::BTreeMap::new(), Options::default());
    let looked = futures::try_join!(record::all(&cx), fleet::serving(&cx));
    let (records, serving) = looked.map_err(|error| run.fail(Exit::Failed, &error, None))?;
    let serving = serving.map(|serving| serving.boot.release).unwrap_or_default();
    let lines = lines(&records, &serving);
    if run.ui.json {
        run.ui.document(&json!({"stack": stack.name, "releases": lines}));
        return Ok(Exit::Done);
    }
    if lines.is_empty() {
        run.ui.note("no release yet");
        return Ok(Exit::Done);
    }
    let row = |line: &crate::release::history::Line| {
        // The last part of an ARN names the user, or the role and its session.
        let by = line.by.rsplit(':').next().filter(|by| !by.is_empty()).unwrap_or("?").to_owned();
        let at = line.at.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
        let reason = line.reason.clone().unwrap_or_default();
        vec![at, short(&line.release).to_owned(), by, line.result.words().to_owned(), reason]
    };
    run.ui.table(&["deployed", "release", "by", "result", "why"], lines.iter().map(row).collect());
    Ok(Exit::Done)
}
