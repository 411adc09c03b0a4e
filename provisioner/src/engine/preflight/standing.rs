//! What stands against a plan in what is there already.

use crate::engine::observed::Inventory;
use crate::engine::plan::{Action, Plan, PlannedChange};
use crate::engine::up::UpError;
use crate::kinds::{Cx, db_instance, replication_group, secret};

/// Secrets that would be made anew although what they open stays as it is, and keeps the old password.
pub fn lost_secrets(plan: &Plan) -> Vec<String> {
    let opens = [(secret::DATABASE, db_instance::ADDRESS), (secret::CACHE, replication_group::ADDRESS)];
    let change_of = |address: &str| plan.changes.iter().find(|change| change.address == address);
    opens
        .into_iter()
        .filter(|(secret, opened)| {
            change_of(secret).is_some_and(|change| matches!(change.action, Action::Create | Action::Replace))
                && !change_of(opened).is_some_and(|change| matches!(change.action, Action::Create | Action::Replace))
        })
        .map(|(secret, opened)| {
            format!(
                "{secret} is gone, and {opened} still has the password that was in it: put the password back into a \
                 secret of that name and tags, or set a new one on both by hand"
            )
        })
        .collect()
}

/// What guards the resources that the plan deletes.
pub async fn guards(cx: &Cx, inventory: &Inventory, plan: &Plan) -> Result<Vec<String>, UpError> {
    let mut findings = Vec::new();
    let goes = |change: &&PlannedChange| matches!(change.action, Action::Delete | Action::Replace);
    for change in plan.changes.iter().filter(goes) {
        let live = inventory.all().find(|o| Some(&o.id) == change.id.as_ref() && o.kind == change.kind);
        let (Some(live), Some(kind)) = (live, crate::kinds::named(change.kind)) else { continue };
        let guarded = kind.guarded(cx, live).await;
        let reason = guarded.map_err(|source| UpError::Guarded { address: change.address.clone(), source })?;
        findings.extend(reason.map(|reason| format!("{}: {reason}", change.address)));
    }
    Ok(findings)
}
