//! A roll-out: a new numbered version of the launch template and an instance refresh to it, under the stack's lease and
//! journal. Killed at any moment, the same command goes on where it ended.

use aws_sdk_ec2::types as ec2;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::follow::{self, End, follow};
use super::history::short;
use super::order::{Ending, Order, Proposal, Rolled, RolloutError, What};
use super::view::{Goal, View};
use super::{keep, settle};
use crate::aws::intercept::NODE;
use crate::aws::stack::Stack;
use crate::engine::events::Event;
use crate::engine::session::Session;
use crate::kinds::alarm::{self, Watching};
use crate::kinds::fleet::{self, refresh};
use crate::kinds::release::record::{self, Fate, Record};
use crate::kinds::{Cx, Error, Options, launch_template, release};

/// Why nothing goes on in AWS after an interruption.
const NOT_STARTED: &str = "no instance was exchanged yet";

/// Rolls out. `confirm` is asked once; where there is nothing to do, nothing is written, the lease included.
pub async fn roll_out(
    session: &Session,
    stack: &Stack,
    order: &Order,
    confirm: impl Fn(&Proposal<'_>) -> bool,
) -> Result<Rolled, RolloutError> {
    let cx = session.context(stack.clone(), std::collections::BTreeMap::new(), Options::default());
    let free = session.free(stack).await?;
    session.phase("looking at what serves");
    let view = View::of(&cx).await?;
    let goal = view.goal(&cx, order).await?;
    let rolled = |result| Rolled {
        release: goal.release.clone(),
        previous: view.serving.boot.release.clone(),
        result,
        reason: None,
        evidence: Vec::new(),
    };
    if view.is_settled(&goal) {
        return Ok(rolled(Ending::Unchanged));
    }
    let alarms = alarms(session, &cx, order).await?;
    let proposal = Proposal {
        from: &view.serving.boot.release,
        to: &goal.release,
        instances: view.serving.group.instances().len(),
        alarms: &alarms,
        image: goal.image.as_deref(),
    };
    if !confirm(&proposal) {
        return Ok(rolled(Ending::Declined));
    }
    let lease = session.lease(stack, free).await?.ok_or(RolloutError::NoServers)?;
    let work = async {
        let (view, goal) = if lease.undisturbed {
            (view, goal)
        } else {
            let view = View::of(&cx).await?;
            let goal = view.goal(&cx, order).await?;
            (view, goal)
        };
        let recording = session.journal(stack)?;
        let watch = refresh::Watch { alarms: alarms.into_iter().map(|alarm| alarm.name).collect(), bake: order.bake };
        let run = RollOut { session, cx: &cx, order, watch };
        let result = NODE.scope(fleet::ADDRESS.to_owned(), run.all(view, goal)).await;
        recording.close(true).await;
        result
    };
    let result = work.await;
    lease.release().await;
    result
}

/// The alarms that are to watch: those of the servers that are not on. A deploy onto an alarm that is on is refused:
/// AWS would turn it back at once. A roll-back is watched by none: the release that it takes away would turn it back.
async fn alarms(session: &Session, cx: &Cx, order: &Order) -> Result<Vec<Watching>, RolloutError> {
    let What::Deploy(_) = order.what else { return Ok(Vec::new()) };
    let (on, off): (Vec<_>, Vec<_>) = alarm::of_servers(cx).await?.into_iter().partition(|alarm| alarm.is_on);
    if !on.is_empty() {
        let names = on.iter().map(|alarm| alarm.what.as_str()).collect::<Vec<_>>().join(", ");
        if !order.ignore_alarms {
            return Err(RolloutError::AlarmOn(names));
        }
        let text = format!("on already, so it cannot watch: {names}");
        (session.listener)(Event::Note { text });
    }
    Ok(off)
}

struct RollOut<'a> {
    session: &'a Session,
    cx: &'a Cx,
    order: &'a Order,
    watch: refresh::Watch,
}

impl RollOut<'_> {
    async fn all(&self, view: View, goal: Goal) -> Result<Rolled, RolloutError> {
        settle::begin(self.cx).await.map_err(RolloutError::Applied)?;
        let rolled = self.roll(view, goal).await?;
        if rolled.result != Ending::Interrupted {
            settle::end(self.cx).await;
            match keep::prune(self.cx).await {
                Ok(gone) if gone.is_empty() => {}
                Ok(gone) => self.note(format!("{} old releases removed", gone.len())),
                // The next roll-out prunes what this one could not.
                Err(error) => tracing::warn!(%error, "old releases could not be removed"),
            }
        }
        Ok(rolled)
    }

    async fn roll(&self, view: View, goal: Goal) -> Result<Rolled, RolloutError> {
        if let Some(running) = &view.running {
            let version = refresh::target(running).unwrap_or_default();
            let found = fleet::version(self.cx, &view.serving.template, version).await?;
            let boot = fleet::boot_of(found.as_ref().and_then(|found| found.launch_template_data()));
            let release = boot.map(|boot| boot.release).unwrap_or_default();
            let id = running.instance_refresh_id().unwrap_or_default();
            if let What::Back(None) = self.order.what {
                return self.turn_back(&view, &release, id, version).await;
            }
            let text = format!("an instance refresh to release {} is under way: following it", short(&release));
            self.note(text);
            self.session.phase("exchanging instances");
            let end = follow(self.session, self.cx, id, version).await?;
            let is_over = match &end {
                End::Interrupted => true,
                // Where another image is asked for too, it is still to come.
                End::Successful => release == goal.release && goal.image.is_none(),
                End::TurnedBack(..) | End::Failed(..) => release == goal.release,
            };
            let rolled = self.conclude(&view, &release, version, end).await?;
            if is_over {
                return Ok(rolled);
            }
            let view = View::of(self.cx).await?;
            let goal = Goal { image: goal.image.filter(|image| *image != view.serving.image), ..goal };
            return self.exchange(&view, &goal).await;
        }
        let view = self.seen_serving(view).await?;
        self.exchange(&view, &goal).await
    }

    /// A run that was killed while AWS went on has not written down that its release came to serve; nor has `up`.
    async fn seen_serving(&self, mut view: View) -> Result<View, RolloutError> {
        let (release, version) = (&view.serving.boot.release, &view.serving.version);
        let known = view.records.iter_mut().find(|record| record.release == *release);
        let Some(record) = known.filter(|record| record.fate == Fate::Deploying) else { return Ok(view) };
        if follow::look(self.cx).await?.iter().any(|member| member.version == *version && member.serves()) {
            *record = record.clone().with(Fate::Good, None);
            record::write(self.cx, record).await?;
        }
        Ok(view)
    }

    /// What is on its way is turned back.
    async fn turn_back(&self, view: &View, release: &str, id: &str, version: &str) -> Result<Rolled, RolloutError> {
        self.session.phase("turning back");
        refresh::roll_back(self.cx).await?;
        let end = follow(self.session, self.cx, id, version).await?;
        let (is_back, is_late) = (matches!(end, End::TurnedBack(..)), matches!(end, End::Successful));
        let rolled = self.conclude(view, release, version, end).await?;
        if is_late {
            self.note(format!("release {} came to serve before it could be turned back", short(release)));
            let view = View::of(self.cx).await?;
            let goal = view.goal(self.cx, self.order).await?;
            return self.exchange(&view, &goal).await;
        }
        if !is_back {
            return Ok(rolled);
        }
        let serving = view.serving.boot.release.clone();
        if let Some(record) = view.record(release).filter(|_| release != serving) {
            let reason = Some("turned back during its roll-out".to_owned());
            record::write(self.cx, &record.clone().with(Fate::RolledBack, reason)).await?;
        }
        Ok(Rolled { release: serving, previous: release.to_owned(), result: Ending::Serving, reason: None, ..rolled })
    }

    async fn exchange(&self, view: &View, goal: &Goal) -> Result<Rolled, RolloutError> {
        if view.serves(goal) {
            // A run that was killed at the very end had it serving already.
            let version = view.serving.version.clone();
            return self.conclude(view, &goal.release, &version, End::Successful).await;
        }
        let record = self.recorded(view, goal).await?;
        if let Some(artifact) = goal.artifact.as_ref().filter(|_| view.record(&goal.release).is_none()) {
            self.session.phase("uploading the release");
            release::upload(self.cx, artifact).await?;
        }
        if self.session.stopped() {
            let rolled = self.conclude(view, &goal.release, "", End::Interrupted).await?;
            return Ok(Rolled { reason: Some(NOT_STARTED.to_owned()), ..rolled });
        }
        let version = new_version(self.cx, view, &record, goal.image.as_deref()).await?;
        self.session.phase("exchanging instances");
        let started = refresh::start(self.cx, &view.serving.template, &version, &self.watch).await;
        let id = started.map_err(RolloutError::Refresh)?;
        let end = follow(self.session, self.cx, &id, &version).await?;
        self.conclude(view, &goal.release, &version, end).await
    }

    /// Writes down that the release is being rolled out. A release that is gone back to keeps its record until it serves.
    async fn recorded(&self, view: &View, goal: &Goal) -> Result<Record, RolloutError> {
        let known = view.record(&goal.release);
        if let (What::Back(_), Some(known)) = (&self.order.what, known) {
            return Ok(known.clone());
        }
        let mut record = Record::new(&goal.release, Fate::Deploying, self.cx);
        if let Some(known) = known.filter(|known| known.fate == Fate::Deploying) {
            record.attempt.clone_from(&known.attempt);
        }
        record::write(self.cx, &record).await?;
        Ok(record)
    }

    /// Writes down how it ended.
    async fn conclude(&self, view: &View, release: &str, version: &str, end: End) -> Result<Rolled, RolloutError> {
        let (result, reason, evidence) = match end {
            End::Successful => (Ending::Serving, None, Vec::new()),
            End::TurnedBack(reason, evidence) => (Ending::TurnedBack, Some(reason), evidence),
            End::Failed(reason, evidence) => (Ending::Failed, Some(reason), evidence),
            End::Interrupted => (Ending::Interrupted, None, Vec::new()),
        };
        let previous = view.serving.boot.release.clone();
        match result {
            Ending::Serving => {
                if view.default != version {
                    launch_template::set_default(self.cx, &view.serving.template, version).await?;
                }
                self.served(view, release).await?;
            }
            // What serves is good, whatever else of it could not be rolled out (another image, other settings).
            Ending::TurnedBack | Ending::Failed if release != previous => {
                let record = record::all(self.cx).await?.into_iter().find(|record| record.release == release);
                // One that was gone back to keeps its record.
                if let Some(record) = record.filter(|record| record.fate == Fate::Deploying) {
                    record::write(self.cx, &record.with(Fate::Failed, reason.clone())).await?;
                }
            }
            _ => {}
        }
        Ok(Rolled { release: release.to_owned(), previous, result, reason, evidence })
    }

    /// The release serves: it is good, and where it is older than what served, what came after it was rolled back.
    async fn served(&self, view: &View, release: &str) -> Result<(), RolloutError> {
        let records = record::all(self.cx).await?;
        let Some(now) = records.iter().find(|record| record.release == release) else { return Ok(()) };
        let before = records.iter().find(|record| record.release == view.serving.boot.release);
        let goes_back = matches!(self.order.what, What::Back(_)) && before.is_some_and(|before| now.at < before.at);
        if goes_back {
            let reason = format!("rolled back to {}", short(release));
            for later in records.iter().filter(|later| later.fate == Fate::Good && later.at > now.at) {
                record::write(self.cx, &later.clone().with(Fate::RolledBack, Some(reason.clone()))).await?;
            }
        }
        if now.fate != Fate::Good {
            let at = if now.fate == Fate::Deploying { now.at } else { self.cx.now() };
            record::write(self.cx, &Record { at, ..now.clone().with(Fate::Good, None) }).await?;
        }
        Ok(())
    }

    fn note(&self, text: String) {
        (self.session.listener)(Event::Note { text });
    }
}

/// A numbered version like the one that serves, but for the release (and the image).
async fn new_version(cx: &Cx, view: &View, record: &Record, image: Option<&str>) -> Result<String, RolloutError> {
    let serving = &view.serving;
    let mut boot = serving.boot.clone();
    boot.release.clone_from(&record.release);
    boot.environment.insert("GAME_RELEASE".into(), record.release.clone());
    let script = boot.script();
    // A roll-out that was killed makes the same call again, and gets the version that it made.
    let token = cx.token(launch_template::ADDRESS, &(&serving.version, &record.attempt, &script, image));
    let data = ec2::RequestLaunchTemplateData::builder()
        .user_data(BASE64_STANDARD.encode(script))
        .set_image_id(image.map(str::to_owned))
        .build();
    let call = cx.aws.ec2.create_launch_template_version().launch_template_id(&serving.template);
    let call = call.source_version(&serving.version).version_description(format!("release {}", record.release));
    let answer = call.client_token(token).launch_template_data(data).send().await.map_err(Error::from)?;
    let number = answer.launch_template_version.and_then(|version| version.version_number);
    let lacking = Error::Incomplete { call: "ec2 CreateLaunchTemplateVersion", what: "the version's number" };
    Ok(number.ok_or(lacking)?.to_string())
}
