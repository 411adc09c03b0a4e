//! The exchange of instances, one by one, as events.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types as asg;
use tokio::time::Instant;

use crate::engine::events::{Event, Listener};
use crate::engine::steps::Doing;
use crate::engine::waits::Pace;

/// From the launch of an instance until it serves.
const LAUNCH: std::time::Duration = std::time::Duration::from_secs(180);

/// One member of the group at one look.
#[derive(Debug, Clone)]
pub struct Member {
    /// The instance.
    pub id: String,
    /// The numbered version that it was launched from.
    pub version: String,
    /// AWS's lifecycle state.
    pub lifecycle: String,
    /// Auto Scaling's own word.
    pub is_well: bool,
    /// The load balancer's word, and why: `healthy`, `unhealthy`, `initial`, `draining`; empty: none.
    pub target: (String, String),
}

impl Member {
    /// The group's members; `targets` is what the load balancer says of each.
    pub fn all(group: &asg::AutoScalingGroup, targets: &BTreeMap<String, (String, String)>) -> Vec<Self> {
        let member = |instance: &asg::Instance| {
            let id = instance.instance_id().unwrap_or_default().to_owned();
            Self {
                version: instance.launch_template().and_then(|t| t.version()).unwrap_or_default().to_owned(),
                lifecycle: instance.lifecycle_state().map(|s| s.as_str().to_owned()).unwrap_or_default(),
                is_well: instance.health_status() != Some("Unhealthy"),
                target: targets.get(&id).cloned().unwrap_or_default(),
                id,
            }
        };
        group.instances().iter().map(member).collect()
    }

    /// Whether it takes players' requests.
    pub fn serves(&self) -> bool {
        self.is_in_service() && self.is_well && self.target.0 == "healthy"
    }

    /// Whether Auto Scaling has it in service, whatever the load balancer says.
    pub fn is_in_service(&self) -> bool {
        self.lifecycle == "InService"
    }

    /// Whether it is on its way out.
    pub fn is_leaving(&self) -> bool {
        self.lifecycle.starts_with("Terminat")
    }

    /// Its state in words.
    fn words(&self) -> String {
        match (self.lifecycle.as_str(), self.target.0.as_str()) {
            ("InService", "healthy") => "serves".into(),
            ("InService", "") => "in service".into(),
            ("InService", "unhealthy") => format!("does not answer well yet: {}", self.target.1),
            ("InService", target) => format!("in service, {target}"),
            ("Terminating:Wait" | "Terminating", _) => "finishes its requests".into(),
            (other, _) => other.to_lowercase(),
        }
    }
}

/// Tells what happens to each instance.
pub struct Teller {
    listener: Listener,
    pace: Pace,
    /// What is told of as being made or taken away, since when.
    open: BTreeMap<String, (Doing, Instant)>,
    known: BTreeMap<String, String>,
}

impl Teller {
    /// Nothing has been told yet; `members` are those that are there before it begins.
    pub fn new(listener: Listener, pace: Pace, members: &[Member]) -> Self {
        let known = members.iter().map(|member| (member.id.clone(), member.version.clone())).collect();
        Self { listener, pace, open: BTreeMap::new(), known }
    }

    /// Tells what is new.
    pub fn tell(&mut self, members: &[Member]) {
        for member in members {
            if self.known.insert(member.id.clone(), member.version.clone()).is_none() {
                self.begin(&member.id, Doing::Create);
            }
            match self.open.get(&member.id).map(|(doing, _)| *doing) {
                Some(Doing::Create) if member.serves() => self.finish(&member.id),
                Some(Doing::Create) if member.is_leaving() => {
                    self.fail(&member.id, "");
                    self.begin(&member.id, Doing::Delete);
                }
                Some(_) => self.wait(member),
                None if member.is_leaving() => self.begin(&member.id, Doing::Delete),
                None => {}
            }
        }
        let gone = |id: &&String| !members.iter().any(|member| member.id == **id);
        for id in self.open.keys().filter(gone).cloned().collect::<Vec<_>>() {
            match self.open[&id].0 {
                Doing::Delete => self.finish(&id),
                _ => self.fail(&id, "it is gone"),
            }
        }
        self.known.retain(|id, _| members.iter().any(|member| member.id == *id));
    }

    fn begin(&mut self, id: &str, doing: Doing) {
        self.open.insert(id.to_owned(), (doing, Instant::now()));
        let expected_seconds = if doing == Doing::Create { self.pace.here(LAUNCH).as_secs() } else { 0 };
        (self.listener)(Event::Started { address: address(id), doing, expected_seconds });
    }

    fn wait(&self, member: &Member) {
        (self.listener)(Event::Waiting { address: address(&member.id), state: member.words() });
    }

    fn finish(&mut self, id: &str) {
        let Some((doing, since)) = self.open.remove(id) else { return };
        let seconds = since.elapsed().as_secs_f64();
        (self.listener)(Event::Finished { address: address(id), doing, seconds, left_seconds: 0 });
    }

    fn fail(&mut self, id: &str, why: &str) {
        let Some((doing, _)) = self.open.remove(id) else { return };
        let error = if why.is_empty() { "it was taken out of service" } else { why }.to_owned();
        (self.listener)(Event::Failed { address: address(id), doing, error });
    }
}

fn address(id: &str) -> String {
    format!("{}/{id}", crate::kinds::fleet::ADDRESS)
}
