//! `provision status`

use serde_json::json;

use super::{Exit, Outcome, Run, Which};
use crate::engine::coming::ready_in;
use crate::engine::lease;
use crate::engine::observed::observe;
use crate::kinds::{Observed, Options, State, bucket};
use crate::ui::duration;

pub async fn run(run: &Run, which: &Which) -> Outcome {
    let (session, stack) = run.stack(which).await?;
    let name = stack.name.clone();
    let bucket = stack.bucket_name(bucket::STACK);
    let cx = session.context(stack.clone(), std::collections::BTreeMap::new(), Options::default());
    let inventory = observe(&cx).await.map_err(|error| run.fail(Exit::Failed, &error, None))?;
    let holder = match lease::holder(&session.aws.s3, &bucket).await {
        Ok(holder) => holder,
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(run.fail(Exit::Failed, &error, None)),
    };
    let coming = ready_in(&session, &stack, &inventory, jiff::Timestamp::now()).await;
    let coming = coming.map_err(|error| run.fail(Exit::Failed, &error, None))?;
    let state = |state: &State| match state {
        State::Ready => "ready".to_owned(),
        State::Pending(what) => what.clone(),
        State::Deleting => "deleting".to_owned(),
        State::Failed(why) => format!("failed: {why}"),
    };
    let pending = inventory.all().filter(|o| matches!(o.state, State::Pending(_))).count();
    let all_in = coming.values().max();
    if run.ui.json {
        let resource = |o: &Observed| {
            let mut shown = json!({"address": o.address, "kind": o.kind, "id": o.id, "state": state(&o.state)});
            if let Some(seconds) = coming.get(&o.address) {
                shown["ready_in_seconds"] = json!(seconds);
            }
            shown
        };
        let resources: Vec<_> = inventory.all().map(resource).collect();
        let lease = holder.map(|h| json!({"who": h.who, "since": h.since, "until": h.until}));
        run.ui.document(&json!({"stack": name, "resources": resources, "lease": lease, "coming": pending,
            "ready_in_seconds": all_in}));
        return Ok(Exit::Done);
    }
    let row = |o: &Observed| {
        let ready = coming.get(&o.address).map_or(String::new(), |s| format!(", ready in about {}", duration(*s)));
        vec![o.address.clone(), format!("{}{ready}", state(&o.state)), o.id.clone()]
    };
    run.ui.table(&["ADDRESS", "STATE", "ID"], inventory.all().map(row).collect());
    run.ui.say(&format!("{} resources", inventory.all().count()));
    if pending > 0 {
        let ready = all_in.map_or(String::new(), |s| format!(", ready in about {}", duration(*s)));
        run.ui.say(&format!("{pending} on their way{ready}"));
    }
    if let Some(holder) = holder {
        run.ui.say(&format!("{} has been working on it since {}", holder.who, holder.since));
    }
    Ok(Exit::Done)
}
