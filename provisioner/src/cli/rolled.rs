//! What `deploy` and `rollback` have in common: a roll-out, and what serves after it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::{Ended, Exit, Outcome, Run};
use crate::aws::stack::Stack;
use crate::engine::lease::LeaseError;
use crate::engine::observed::observe;
use crate::engine::outputs::outputs;
use crate::engine::session::Session;
use crate::kinds;
use crate::release::health::await_instances;
use crate::release::history::short;
use crate::release::order::{Ending, Order, Proposal, Rolled, RolloutError, What};
use crate::release::rollout::roll_out;
use crate::ui::duration;

/// How long the API is asked at the end.
const ASKED_FOR: Duration = Duration::from_secs(300);

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Do not ask the API at the end (for an endpoint that runs no servers)
    #[arg(long)]
    pub control_plane_only: bool,
}

/// A roll-out as the command line asks for it.
pub struct Asked<'a> {
    /// The verb.
    pub verb: &'static str,
    /// What for.
    pub order: Order,
    /// The options that both verbs have.
    pub options: &'a Options,
}

pub async fn run(run: &Run, session: &Session, stack: &Stack, asked: &Asked<'_>) -> Outcome {
    let confirm = |proposal: &Proposal<'_>| run.confirm(&question(asked, proposal));
    let rolled = roll_out(session, stack, &asked.order, confirm).await;
    let rolled = rolled.map_err(|error| failed(run, asked, &error))?;
    match rolled.result {
        Ending::Declined => {
            run.ui.note("nothing was changed");
            Ok(Exit::Failed)
        }
        Ending::Unchanged | Ending::Serving => {
            let instances = answering(run, session, stack, asked, &rolled).await?;
            told(run, &rolled, &instances);
            Ok(Exit::Done)
        }
        Ending::Interrupted => {
            told(run, &rolled, &BTreeMap::new());
            let lost = if session.lease_lost() { "the lease is no longer held by this run; " } else { "" };
            let on = match &rolled.reason {
                Some(reason) => format!("{reason}; run `provision {}` again", asked.verb),
                None => "AWS goes on exchanging the instances, and turns back by itself where they do not become \
                         healthy; `provision deploy` with the same binary follows it, `provision rollback` turns it back"
                    .to_owned(),
            };
            run.ui.note(&format!("{lost}{on}"));
            Ok(Exit::Interrupted)
        }
        Ending::TurnedBack | Ending::Failed => {
            told(run, &rolled, &BTreeMap::new());
            Ok(Exit::Failed)
        }
    }
}

fn question(asked: &Asked<'_>, proposal: &Proposal<'_>) -> String {
    let Proposal { from, to, instances, alarms, image } = proposal;
    let image = image.map(|image| format!(" and image {image}")).unwrap_or_default();
    let watched = match (&asked.order.what, alarms.len()) {
        (What::Back(_), _) => String::new(),
        (What::Deploy(_), 0) => " (no alarm watches it)".to_owned(),
        (What::Deploy(_), n) => {
            let bake = u64::try_from(asked.order.bake).unwrap_or_default();
            format!(" ({n} alarms watch it, and for {} after)", duration(bake))
        }
    };
    let (to, from) = (short(to), short(from));
    format!("{}: release {to}{image} in place of {from} on {instances} instances{watched}?", asked.verb)
}

/// Asks the API until every instance in service has answered with the release: which each runs.
async fn answering(
    run: &Run,
    session: &Session,
    stack: &Stack,
    asked: &Asked<'_>,
    rolled: &Rolled,
) -> Result<BTreeMap<String, String>, Ended> {
    if asked.options.control_plane_only {
        return Ok(BTreeMap::new());
    }
    let cx = session.context(stack.clone(), BTreeMap::new(), kinds::Options::default());
    let inventory = observe(&cx).await.map_err(|error| run.fail(Exit::Failed, &error, None))?;
    let outputs = outputs(&stack.name, &inventory, session.aws.endpoint_url.as_deref()).await;
    let group = kinds::fleet::find(&cx).await.map_err(|error| run.fail(Exit::Failed, &error, None))?;
    let wanted = group.map_or(0, |group| kinds::fleet::in_service(&group));
    let Some(api) = outputs.askable() else { return Ok(BTreeMap::new()) };
    session.phase("asking the API");
    let heard = await_instances(api, wanted, Some(&rolled.release), ASKED_FOR, &session.listener).await;
    heard.map_err(|error| {
        let help = format!("the load balancer calls the instances healthy; look at {api}/readyz");
        run.fail(Exit::Failed, &error, Some(&help))
    })
}

fn told(run: &Run, rolled: &Rolled, instances: &BTreeMap<String, String>) {
    if run.ui.json {
        let instance = |(id, release): (&String, &String)| json!({"id": id, "release": release});
        let instances: Vec<_> = instances.iter().map(instance).collect();
        return run.ui.named(
            "rolled_out",
            &json!({
                "release": rolled.release,
                "previous": rolled.previous,
                "result": rolled.result,
                "reason": rolled.reason,
                "evidence": rolled.evidence,
                "instances": instances,
            }),
        );
    }
    for (id, release) in instances {
        run.ui.note(&format!("{id} serves release {}", short(release)));
    }
    for evidence in &rolled.evidence {
        run.ui.note(&format!("{} says ({}):", evidence.instance, evidence.source));
        evidence.lines.iter().for_each(|line| run.ui.note(&format!("  {line}")));
    }
    let (release, previous) = (&rolled.release, short(&rolled.previous));
    let reason = rolled.reason.as_deref().unwrap_or_default();
    match rolled.result {
        Ending::Unchanged => run.ui.say(&format!("no change: release {release} serves already")),
        Ending::Serving => run.ui.say(&format!("release {release} serves; before: {previous}")),
        Ending::TurnedBack => run.ui.say(&format!("turned back: {reason}; release {} still serves", rolled.previous)),
        Ending::Failed => run.ui.say(&format!("failed: {reason}; see `provision releases` and `provision status`")),
        Ending::Interrupted | Ending::Declined => {}
    }
}

fn failed(run: &Run, asked: &Asked<'_>, error: &RolloutError) -> Ended {
    let again = format!("run `provision {}` again: it goes on where this run ended", asked.verb);
    let (exit, help) = match error {
        RolloutError::Lease(LeaseError::Held(_)) => return run.fail(Exit::Held, error, None),
        RolloutError::NoServers => (Exit::Failed, "bring it up first: `provision up`; nothing was changed"),
        RolloutError::Choice(_) => (Exit::Failed, "`provision releases` lists them; nothing was changed"),
        RolloutError::AlarmOn(_) => {
            (Exit::Failed, "find out why, or deploy all the same with --ignore-alarms; nothing was changed")
        }
        _ => (Exit::Failed, again.as_str()),
    };
    run.fail(exit, error, Some(help))
}
