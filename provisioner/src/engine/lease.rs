//! One at a time: a lease in the stack's own bucket guards every mutation.
//!
//! The object `lease/holder` is written with conditional puts alone, so two runs never both believe that they hold it. The holder
//! renews it; a dead holder's lease frees itself when its time is over, or at once where the process is seen to be gone.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::primitives::ByteStream;
use jiff::Timestamp;
use tokio::task::JoinHandle;

use super::guard::{Guard, LEASE_NODE, boot_time};
use super::holder::{Holder, Terms, nonce};
use crate::aws::error::CallError;
use crate::aws::intercept::NODE;

/// The lease's key in the stack bucket.
pub const LEASE_KEY: &str = "lease/holder";
/// The key of the lease of those who push assets: they exclude each other, not `up`.
pub const ASSETS_LEASE_KEY: &str = "lease/assets";

/// For each of the lease's own calls.
const PATIENCE: Duration = Duration::from_secs(15);

/// Why the lease was not had.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else works on this stack.
    #[error("{} has been working on this stack since {}; wait until it is finished, then run the command again", .0.who, .0.since)]
    Held(Box<Holder>),
    /// The bucket is not there (any more).
    #[error("the stack's bucket is gone")]
    NoBucket,
    /// S3 refused.
    #[error("the lease cannot be taken")]
    Call(#[source] CallError),
}

/// A lease that is ours until it is released.
#[derive(Debug)]
pub struct Lease {
    spot: Spot,
    guard: Arc<Guard>,
    held: Arc<Mutex<(Holder, String)>>,
    renewing: JoinHandle<()>,
    /// Whether nobody took the lease between the look at it and our taking it: what was seen meanwhile still holds.
    pub undisturbed: bool,
}

/// Where a lease is kept.
#[derive(Debug, Clone)]
pub struct Spot {
    /// The client.
    pub s3: aws_sdk_s3::Client,
    /// The stack's bucket.
    pub bucket: String,
    /// [`LEASE_KEY`] or [`ASSETS_LEASE_KEY`].
    pub key: &'static str,
}

/// A lease that nobody held when it was looked at.
#[derive(Debug, Clone, Default)]
pub struct Free {
    /// The ETag of the lease that was handed back or ran out; none where there was no lease yet.
    etag: Option<String>,
}

/// Looks at the lease without taking it; who holds it is the error.
pub async fn look(spot: &Spot) -> Result<Free, LeaseError> {
    match NODE.scope(LEASE_NODE.to_owned(), read(spot)).await.map_err(LeaseError::Call)? {
        None => Ok(Free::default()),
        Some((holder, etag)) if holder.released || holder.process_is_gone() => Ok(Free { etag: Some(etag) }),
        // Taking it proves first that nobody renews it.
        Some((holder, _)) if holder.is_over(Timestamp::now()) => Ok(Free::default()),
        Some((holder, _)) => Err(LeaseError::Held(Box::new(holder))),
    }
}

/// Takes the lease, or says who holds it.
pub async fn acquire(spot: Spot, guard: &Arc<Guard>, terms: Terms, seen: Free) -> Result<Lease, LeaseError> {
    NODE.scope(LEASE_NODE.to_owned(), take(spot, guard, terms, seen)).await
}

async fn take(spot: Spot, guard: &Arc<Guard>, terms: Terms, seen: Free) -> Result<Lease, LeaseError> {
    let mut condition = seen.etag.map_or(Condition::Absent, Condition::Etag);
    for attempt in 0..20 {
        let asked = boot_time();
        let holder = Holder::me(terms, None);
        match put(&spot, &holder, &condition).await {
            Ok(etag) => {
                guard.held_for(asked, margin(terms));
                let held = Arc::new(Mutex::new((holder, etag)));
                let renewing = tokio::spawn(
                    NODE.scope(LEASE_NODE.to_owned(), renew(spot.clone(), guard.clone(), held.clone(), terms)),
                );
                return Ok(Lease { spot, guard: guard.clone(), held, renewing, undisturbed: attempt == 0 });
            }
            Err(error) if error.is(&["NoSuchBucket"]) => return Err(LeaseError::NoBucket),
            Err(error) if lost_race(&error) => {}
            Err(error) => return Err(LeaseError::Call(error)),
        }
        match read(&spot).await.map_err(LeaseError::Call)? {
            None => condition = Condition::Absent,
            // Our own put was executed and its answer lost: put once more, on top of it.
            Some((found, etag)) if found.nonce == holder.nonce => condition = Condition::Etag(etag),
            Some((found, etag)) if found.is_over(Timestamp::now()) => {
                prove_silent(&spot, &found, &etag, terms).await?;
                condition = Condition::Etag(etag);
            }
            Some((found, _)) => return Err(LeaseError::Held(Box::new(found))),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    match read(&spot).await.map_err(LeaseError::Call)? {
        Some((holder, _)) => Err(LeaseError::Held(Box::new(holder))),
        None => Err(LeaseError::NoBucket),
    }
}

/// A lease that ran out by our clock alone may be a live one's whose clock is behind ours: it is watched for as long as
/// its holder would need to renew it.
async fn prove_silent(spot: &Spot, found: &Holder, etag: &str, terms: Terms) -> Result<(), LeaseError> {
    if found.released || found.process_is_gone() {
        return Ok(());
    }
    tokio::time::sleep(terms.heartbeat * 2).await;
    match read(spot).await.map_err(LeaseError::Call)? {
        Some((holder, now)) if now != etag => Err(LeaseError::Held(Box::new(holder))),
        _ => Ok(()),
    }
}

/// Who holds the lease now, if anybody does.
pub async fn holder(s3: &aws_sdk_s3::Client, bucket: &str) -> Result<Option<Holder>, CallError> {
    let spot = Spot { s3: s3.clone(), bucket: bucket.to_owned(), key: LEASE_KEY };
    Ok(read(&spot).await?.map(|(holder, _)| holder).filter(|holder| !holder.is_over(Timestamp::now())))
}

impl Lease {
    /// Hands the lease back. Failing to is harmless: it frees itself.
    pub async fn release(self) {
        self.renewing.abort();
        let (mut holder, etag) = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        holder.released = true;
        holder.nonce = nonce();
        if self.guard.is_lost() {
            // Remembered: what is said at the end depends on it.
            self.guard.lose();
        } else {
            let condition = Condition::Etag(etag);
            let put = put(&self.spot, &holder, &condition);
            if let Err(error) = NODE.scope(LEASE_NODE.to_owned(), put).await {
                tracing::warn!(%error, "the lease could not be released; it ends by itself");
            }
        }
        self.guard.stand_down();
    }

    /// Stops renewing without a last write: the lease's bucket is about to be deleted.
    pub fn abandon(self) {
        self.renewing.abort();
    }
}

enum Condition {
    Absent,
    Etag(String),
}

async fn renew(spot: Spot, guard: Arc<Guard>, held: Arc<Mutex<(Holder, String)>>, terms: Terms) {
    loop {
        tokio::time::sleep(terms.heartbeat).await;
        let (old, etag) = held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let asked = boot_time();
        let holder = Holder::me(terms, Some(old.since));
        match put(&spot, &holder, &Condition::Etag(etag)).await {
            Ok(etag) => {
                guard.held_for(asked, margin(terms));
                *held.lock().unwrap_or_else(PoisonError::into_inner) = (holder, etag);
            }
            Err(error) if lost_race(&error) => {
                // Our own put may have been executed and its answer lost: then the nonce is ours.
                match read(&spot).await {
                    Ok(Some((found, etag))) if found.nonce == holder.nonce => {
                        guard.held_for(asked, margin(terms));
                        *held.lock().unwrap_or_else(PoisonError::into_inner) = (found, etag);
                    }
                    _ => return guard.lose(),
                }
            }
            Err(error) => tracing::warn!(%error, "the lease could not be renewed; trying again"),
        }
    }
}

/// We stop a little before others may start.
fn margin(terms: Terms) -> Duration {
    terms.expiry.saturating_sub(Duration::from_secs(5))
}

fn lost_race(error: &CallError) -> bool {
    error.is(&["PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey"])
}

/// One that hangs is given up while there is still time to try again before the lease runs out.
fn patience() -> aws_sdk_s3::config::Builder {
    let timeouts = TimeoutConfig::builder().operation_timeout(PATIENCE).build();
    aws_sdk_s3::Config::builder().timeout_config(timeouts)
}

async fn put(spot: &Spot, holder: &Holder, condition: &Condition) -> Result<String, CallError> {
    let body = serde_json::to_vec(holder).expect("a holder is plain data");
    let request = spot.s3.put_object().bucket(&spot.bucket).key(spot.key).body(ByteStream::from(body));
    let request = match condition {
        Condition::Absent => request.if_none_match("*"),
        Condition::Etag(etag) => request.if_match(etag),
    };
    let answer = request.customize().config_override(patience()).send().await?;
    Ok(answer.e_tag().unwrap_or_default().to_owned())
}

async fn read(spot: &Spot) -> Result<Option<(Holder, String)>, CallError> {
    use crate::aws::error::GoneOk;
    let request = spot.s3.get_object().bucket(&spot.bucket).key(spot.key);
    let Some(answer) = request.customize().config_override(patience()).send().await.gone_ok()? else { return Ok(None) };
    let etag = answer.e_tag().unwrap_or_default().to_owned();
    let body = answer.body.collect().await.map(|body| body.into_bytes()).unwrap_or_default();
    // An unreadable lease counts as held until its owner (or a newer provision) writes it again.
    let holder = serde_json::from_slice(&body).unwrap_or_else(|_| Holder {
        who: "an unreadable lease".into(),
        since: Timestamp::UNIX_EPOCH,
        until: Timestamp::MAX,
        released: false,
        nonce: String::new(),
        boot: String::new(),
        process: String::new(),
    });
    Ok(Some((holder, etag)))
}
