//! What serves, what is on its way, and what there is to go back to: one look before a roll-out.

use aws_sdk_autoscaling::types as asg;

use super::order::{Order, RolloutError, What};
use crate::kinds::context::Artifact;
use crate::kinds::fleet::{self, Serving, refresh};
use crate::kinds::release::record::{self, Fate, Record};
use crate::kinds::{Cx, launch_template};

/// One look.
pub struct View {
    /// What the group launches.
    pub serving: Serving,
    /// The launch template's default version.
    pub default: String,
    /// The refresh under way.
    pub running: Option<asg::InstanceRefresh>,
    /// Every release, the last one first.
    pub records: Vec<Record>,
}

/// Where a roll-out leads.
#[derive(Debug, Clone)]
pub struct Goal {
    /// SHA-256 of the release.
    pub release: String,
    /// The binary, where it may have to be uploaded.
    pub artifact: Option<Artifact>,
    /// The image, where it is to change.
    pub image: Option<String>,
}

impl View {
    /// Looks.
    pub async fn of(cx: &Cx) -> Result<Self, RolloutError> {
        let serving = fleet::serving(cx).await?.ok_or(RolloutError::NoServers)?;
        let (default, running, records) = futures::try_join!(
            fleet::version(cx, &serving.template, "$Default"),
            refresh::newest(cx),
            record::all(cx)
        )?;
        let default = default.and_then(|version| version.version_number).unwrap_or_default().to_string();
        Ok(Self { serving, default, running: running.filter(refresh::is_running), records })
    }

    /// Where `order` leads from here.
    pub async fn goal(&self, cx: &Cx, order: &Order) -> Result<Goal, RolloutError> {
        let serving = &self.serving.boot.release;
        let (release, artifact) = match &order.what {
            What::Deploy(artifact) => (artifact.sha256.clone(), Some(artifact.clone())),
            // What is on its way is turned back: what serves stays.
            What::Back(None) if self.running.is_some() => (serving.clone(), None),
            What::Back(named) => {
                (super::history::choose(&self.records, serving, named.as_deref())?.release.clone(), None)
            }
        };
        let image = match &order.newest_image_of {
            Some(architecture) => Some(launch_template::image(cx, architecture).await?),
            None => None,
        };
        Ok(Goal { release, artifact, image: image.filter(|image| *image != self.serving.image) })
    }

    /// The record of a release.
    pub fn record(&self, release: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.release == release)
    }

    /// Whether the group launches the goal already.
    pub fn serves(&self, goal: &Goal) -> bool {
        self.serving.boot.release == goal.release && goal.image.is_none()
    }

    /// Whether there is nothing left to do, nor to write down that does not wait for the next roll-out.
    pub fn is_settled(&self, goal: &Goal) -> bool {
        let record = self.record(&goal.release);
        let is_good = record.is_some_and(|record| matches!(record.fate, Fate::Good | Fate::Deploying));
        self.serves(goal) && self.running.is_none() && is_good && self.default == self.serving.version
    }
}
