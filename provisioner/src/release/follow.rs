//! Follows an instance refresh to its end, and turns it back where the new instances do not become healthy.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_autoscaling::types::{self as asg, InstanceRefreshStatus as Status};
use tokio::time::Instant;

use super::evidence::{Evidence, of_instance};
use super::gate::Gate;
use super::progress::{Member, Teller};
use crate::engine::events::Event;
use crate::engine::session::Session;
use crate::kinds::fleet::{self, refresh};
use crate::kinds::{Cx, Result};

/// What a whole exchange takes on AWS: how often is looked depends on it.
const EXPECTED: Duration = Duration::from_secs(300);
/// What an instance says is read again after so long.
const EVIDENCE_EVERY: Duration = Duration::from_secs(5);

/// How a refresh ended, as far as it was followed.
#[derive(Debug)]
pub enum End {
    /// All instances have the new version.
    Successful,
    /// All instances have the version before; why, and what the new ones said.
    TurnedBack(String, Vec<Evidence>),
    /// Neither; why, and what the new ones said.
    Failed(String, Vec<Evidence>),
    /// The run was told to stop: AWS goes on.
    Interrupted,
}

/// Follows the refresh `id` to `version`.
pub async fn follow(session: &Session, cx: &Cx, id: &str, version: &str) -> Result<End> {
    let mut members = look(cx).await?;
    let mut follower = Follower {
        session,
        cx,
        version,
        gate: Gate::new(session.pace),
        teller: Teller::new(session.listener.clone(), session.pace, &members),
        evidence: BTreeMap::new(),
        reason: None,
    };
    loop {
        let refresh = refresh::by_id(cx, id).await?;
        follower.teller.tell(&members);
        if !refresh::is_running(&refresh) {
            return Ok(follower.end(&refresh));
        }
        let percent = refresh.percentage_complete().unwrap_or_default();
        let state = match refresh.status() {
            Some(Status::Baking) => "all exchanged; watching the alarms".to_owned(),
            Some(Status::RollbackInProgress) => format!("turning back ({percent} %)"),
            _ => format!("exchanging instances ({percent} %)"),
        };
        (session.listener)(Event::Waiting { address: fleet::ADDRESS.into(), state });
        follower.judge(&refresh, &members).await?;
        let mut stop = session.stop.clone();
        tokio::select! {
            () = tokio::time::sleep(session.pace.interval(EXPECTED)) => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(End::Interrupted),
        }
        members = look(cx).await?;
    }
}

struct Follower<'a> {
    session: &'a Session,
    cx: &'a Cx,
    version: &'a str,
    gate: Gate,
    teller: Teller,
    evidence: BTreeMap<String, (Instant, Option<Evidence>)>,
    reason: Option<String>,
}

impl Follower<'_> {
    /// Turns the refresh back where it must be, and keeps what the new instances say while they can be asked.
    async fn judge(&mut self, refresh: &asg::InstanceRefresh, members: &[Member]) -> Result<()> {
        let is_turning = refresh.status() == Some(&Status::RollbackInProgress);
        if is_turning {
            if self.reason.is_none() {
                let ours = members.iter().filter(|member| member.version == self.version);
                let ids: Vec<String> = ours.map(|member| member.id.clone()).collect();
                self.ask(ids).await;
                self.reason = Some(why(refresh));
                self.note("turning back");
            }
            return Ok(());
        }
        if self.reason.is_some() {
            // Asked to turn back already.
            return Ok(());
        }
        let verdict = self.gate.judge(members, self.version, Instant::now());
        let verdict = verdict.map(|(member, reason)| (member.id.clone(), reason));
        let unwell: Vec<String> = self.gate.unwell().cloned().collect();
        self.ask(unwell).await;
        if let Some((instance, reason)) = verdict {
            self.evidence.remove(&instance);
            self.ask(vec![instance]).await;
            self.reason = Some(reason);
            self.note("turning back");
            refresh::roll_back(self.cx).await?;
        }
        Ok(())
    }

    fn note(&self, what: &str) {
        let reason = self.reason.as_deref().unwrap_or_default();
        (self.session.listener)(Event::Note { text: format!("{what}: {reason}") });
    }

    /// Reads what instances say, where it was not read a moment ago. What was read before is better than nothing.
    async fn ask(&mut self, instances: Vec<String>) {
        for instance in instances {
            let held = self.evidence.get(&instance);
            if held.is_some_and(|(at, _)| at.elapsed() < EVIDENCE_EVERY) {
                continue;
            }
            let before = held.and_then(|(_, evidence)| evidence.clone());
            let said = of_instance(self.cx, &instance).await.or(before);
            self.evidence.insert(instance, (Instant::now(), said));
        }
    }

    fn end(self, refresh: &asg::InstanceRefresh) -> End {
        let reason = self.reason.unwrap_or_else(|| why(refresh));
        let evidence = self.evidence.into_values().filter_map(|(_, evidence)| evidence).collect();
        match refresh.status() {
            Some(Status::Successful) => End::Successful,
            Some(Status::RollbackSuccessful) => End::TurnedBack(reason, evidence),
            other => {
                let status = other.map_or("ended", Status::as_str);
                End::Failed(format!("the instance refresh is {status}: {reason}"), evidence)
            }
        }
    }
}

fn why(refresh: &asg::InstanceRefresh) -> String {
    let details = refresh.rollback_details().and_then(|details| details.rollback_reason());
    details.or(refresh.status_reason()).unwrap_or("AWS gives no reason").to_owned()
}

/// The members of the group, each with what the load balancer says of it.
pub async fn look(cx: &Cx) -> Result<Vec<Member>> {
    let Some(group) = fleet::find(cx).await? else { return Ok(Vec::new()) };
    let mut targets = BTreeMap::new();
    if let Some(arn) = group.target_group_arns().first() {
        let answer = cx.aws.elbv2.describe_target_health().target_group_arn(arn).send().await?;
        for told in answer.target_health_descriptions() {
            let Some(id) = told.target().and_then(|target| target.id()) else { continue };
            let Some(health) = told.target_health() else { continue };
            let state = health.state().map(|state| state.as_str().to_owned()).unwrap_or_default();
            targets.insert(id.to_owned(), (state, health.description().unwrap_or_default().to_owned()));
        }
    }
    Ok(Member::all(&group, &targets))
}
