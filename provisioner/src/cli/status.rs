//! `provision status`

use serde_json::json;

use super::{Exit, Outcome, Run, Which};
use crate::engine::lease;
use crate::engine::observed::observe;
use crate::kinds::{Options, State, bucket};

pub async fn run(run: &Run, which: &Which) -> Outcome {
    let (session, stack) = run.stack(which).await?;
    let name = stack.name.clone();
    let bucket = stack.bucket_name(bucket::STACK);
    let cx = session.context(stack, std::collections::BTreeMap::new(), Options::default());
    let inventory = observe(&cx).await.map_err(|error| run.fail(Exit::Failed, &error, None))?;
    let holder = match lease::holder(&session.aws.s3, &bucket).await {
        Ok(holder) => holder,
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(run.fail(Exit::Failed, &error, None)),
    };
    let state = |state: &State| match state {
        State::Ready => "ready".to_owned(),
        State::Pending(what) => what.clone(),
        State::Deleting => "deleting".to_owned(),
        State::Failed(why) => format!("failed: {why}"),
    };
    if run.ui.json {
        let resources: Vec<_> = inventory
            .all()
            .map(|o| json!({"address": o.address, "kind": o.kind, "id": o.id, "state": state(&o.state)}))
            .collect();
        run.ui.document(&json!({"stack": name, "resources": resources, "lease": holder}));
        return Ok(Exit::Done);
    }
    let rows = inventory.all().map(|o| vec![o.address.clone(), state(&o.state), o.id.clone()]).collect();
    run.ui.table(&["ADDRESS", "STATE", "ID"], rows);
    run.ui.say(&format!("{} resources", inventory.all().count()));
    if let Some(holder) = holder {
        run.ui.say(&format!("{} has been working on it since {}", holder.who, holder.since));
    }
    Ok(Exit::Done)
}
