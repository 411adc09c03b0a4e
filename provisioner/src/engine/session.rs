//! What a run works with: the clients, the stack's facts, the lease, the journal, and where events go.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rand::SeedableRng;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::apply::Run;
use super::events::{Event, Listener};
use super::guard::Guard;
use super::holder::Terms;
use super::journal::{Journal, JournalError, RunLine, state_home};
use super::lease::{self, ASSETS_LEASE_KEY, Free, LEASE_KEY, Lease, LeaseError, Spot};
use super::playable::Until;
use super::times::Times;
use super::waits::{Pace, pace_of};
use crate::aws::error::CallError;
use crate::aws::stack::Stack;
use crate::aws::{Aws, ConnectError, Connection};
use crate::kinds::{self, Cx, Options};

/// Why a session could not begin. Nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// No client could be made.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The credentials do not work, or nothing answers.
    #[error("cannot tell whose account this is")]
    Identity(#[source] CallError),
}

/// A connection to one account and region.
pub struct Session {
    /// The clients.
    pub aws: Aws,
    /// The account of the credentials.
    pub account: String,
    /// The ARN of the caller.
    pub caller: String,
    /// How fast time passes at this endpoint.
    pub pace: Pace,
    /// How long things took at this endpoint before.
    pub times: Times,
    /// When a run may end.
    pub until: Until,
    /// Where events go.
    pub listener: Listener,
    /// Turns true when nothing new may start.
    pub stop: watch::Receiver<bool>,
    guard: Arc<Guard>,
}

impl Session {
    /// Connects, and asks whose account it is.
    pub async fn begin(
        connection: &Connection,
        listener: Listener,
        stop: watch::Receiver<bool>,
    ) -> Result<Self, SessionError> {
        let guard = Arc::new(Guard::default());
        let aws = Aws::connect(connection, guard.clone()).await?;
        let (account, caller) = aws.identity().await.map_err(SessionError::Identity)?;
        let pace = pace_of(aws.endpoint_url.as_deref()).await;
        aws.rates.at(pace.time_scale);
        let times = Times::learn(&state_home(), endpoint_of(&aws));
        Ok(Self { aws, account, caller, pace, times, until: Until::Done, listener, stop, guard })
    }

    /// A stack of this account, at home in this region.
    pub fn stack(&self, name: &str) -> Stack {
        Stack { name: name.to_owned(), home: self.aws.home.clone(), account: self.account.clone() }
    }

    /// The context of the stack's kinds.
    pub fn context(&self, stack: Stack, tags: std::collections::BTreeMap<String, String>, options: Options) -> Cx {
        let random = rand::rngs::StdRng::from_rng(&mut rand::rng());
        let mut cx = Cx::new(self.aws.clone(), stack, tags, options, random, Arc::new(jiff::Timestamp::now));
        cx.caller.clone_from(&self.caller);
        cx
    }

    /// Looks whether somebody holds the stack's lease, which is an error, without taking it.
    pub async fn free(&self, stack: &Stack) -> Result<Free, LeaseError> {
        lease::look(&self.spot(stack, LEASE_KEY)).await
    }

    /// Looks whether somebody pushes assets, which is an error.
    pub async fn nobody_pushes(&self, stack: &Stack) -> Result<(), LeaseError> {
        lease::look(&self.spot(stack, ASSETS_LEASE_KEY)).await.map(|_| ())
    }

    /// Where one of the stack's leases is kept.
    fn spot(&self, stack: &Stack, key: &'static str) -> Spot {
        Spot { s3: self.aws.s3.clone(), bucket: stack.bucket_name(kinds::bucket::STACK), key }
    }

    /// Takes the lease in the stack's bucket; `None` while there is no bucket.
    pub async fn lease(&self, stack: &Stack, seen: Free) -> Result<Option<Lease>, LeaseError> {
        self.lease_at(self.spot(stack, LEASE_KEY), seen).await
    }

    /// As [`Session::lease`], the lease of those who push assets. A session has one of the two at a time.
    pub async fn assets_lease(&self, stack: &Stack) -> Result<Option<Lease>, LeaseError> {
        self.lease_at(self.spot(stack, ASSETS_LEASE_KEY), Free::default()).await
    }

    async fn lease_at(&self, spot: Spot, seen: Free) -> Result<Option<Lease>, LeaseError> {
        match lease::acquire(spot, &self.guard, Terms::default(), seen).await {
            Ok(lease) => Ok(Some(lease)),
            Err(LeaseError::NoBucket) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the lease in a bucket that was made a moment ago and may not be visible everywhere yet.
    pub async fn first_lease(&self, stack: &Stack) -> Result<Lease, LeaseError> {
        for _ in 0..30 {
            if let Some(lease) = self.lease(stack, Free::default()).await? {
                return Ok(lease);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        Err(LeaseError::NoBucket)
    }

    /// Opens the journal of this run and begins to upload it every ten seconds.
    pub fn journal(&self, stack: &Stack) -> Result<Recording, JournalError> {
        let now = Arc::new(jiff::Timestamp::now);
        let run = RunLine { endpoint: endpoint_of(&self.aws).to_owned(), time_scale: self.pace.time_scale };
        let journal = Arc::new(Journal::open(&state_home(), &stack.name, &stack.home, &run, now)?);
        self.guard.journal_to(journal.clone());
        let upload = Upload {
            s3: self.aws.s3.clone(),
            bucket: stack.bucket_name(kinds::bucket::STACK),
            key: journal.key(),
            path: journal.path().to_owned(),
        };
        let task = tokio::spawn({
            let upload = upload.clone();
            async move {
                loop {
                    tokio::time::sleep(Duration::from_secs(10)).await;
                    upload.once().await;
                }
            }
        });
        Ok(Recording { journal, upload, task, listener: self.listener.clone() })
    }

    /// What apply needs.
    pub fn run<'a>(&'a self, cx: &'a Cx, journal: Option<&Recording>) -> Run<'a> {
        Run {
            cx,
            pace: self.pace,
            times: &self.times,
            until: self.until,
            listener: self.listener.clone(),
            stop: self.stop.clone(),
            journal: journal.map(|recording| recording.journal.clone()),
        }
    }

    /// Whether the run was asked to stop.
    pub fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Whether the lease was lost under this run.
    pub fn lease_lost(&self) -> bool {
        self.guard.is_lost()
    }

    /// Tells that a phase begins.
    pub fn phase(&self, name: &str) {
        (self.listener)(Event::Phase { name: name.to_owned() });
    }

    /// Tells something that is worth saying.
    pub fn note(&self, text: &str) {
        (self.listener)(Event::Note { text: text.to_owned() });
    }
}

/// What journals call the endpoint.
fn endpoint_of(aws: &Aws) -> &str {
    aws.endpoint_url.as_deref().unwrap_or("aws")
}

/// A journal that is being uploaded.
pub struct Recording {
    journal: Arc<Journal>,
    upload: Upload,
    task: JoinHandle<()>,
    listener: Listener,
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Recording {
    /// Where the local file is.
    pub fn path(&self) -> &std::path::Path {
        self.journal.path()
    }

    /// Ends the uploads with a last one, where the bucket stays. A journal that is not whole is told.
    pub async fn close(self, last_upload: bool) {
        self.task.abort();
        if let Some(fault) = self.journal.fault() {
            let path = self.journal.path().display();
            let text = format!("the journal {path} is not whole ({fault}); nothing depends on it");
            (self.listener)(Event::Note { text });
        }
        if last_upload {
            self.upload.once().await;
        }
    }
}

#[derive(Clone)]
struct Upload {
    s3: aws_sdk_s3::Client,
    bucket: String,
    key: String,
    path: PathBuf,
}

impl Upload {
    /// Evidence only: a failed upload is noted and tried again ten seconds later.
    async fn once(&self) {
        let Ok(body) = tokio::fs::read(&self.path).await else { return };
        let put = self.s3.put_object().bucket(&self.bucket).key(&self.key).body(body.into()).send();
        let named = crate::aws::intercept::NODE.scope(super::guard::LEASE_NODE.to_owned(), put);
        if let Err(error) = named.await.map_err(CallError::from) {
            tracing::debug!(%error, "the journal could not be uploaded");
        }
    }
}
