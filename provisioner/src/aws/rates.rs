//! How often AWS may be asked: a token bucket beside each of AWS's own, so that a run waits for its turn instead of being
//! refused. Other users of the account draw from AWS's buckets too: what is throttled all the same, the SDK tries again.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use super::intercept::Call;

/// One of AWS's buckets.
struct Rate {
    /// The service's name in the SDK.
    service: &'static str,
    /// The beginnings of the operations that it is for; none: all of the service's others.
    operations: &'static [&'static str],
    /// Whether each operation has a bucket of its own.
    each: bool,
    /// What a full one holds.
    burst: u32,
    /// How fast it fills.
    per_second: u32,
}

const fn all(service: &'static str, operations: &'static [&'static str], burst: u32, per_second: u32) -> Rate {
    Rate { service, operations, each: false, burst, per_second }
}

const fn each(service: &'static str, operations: &'static [&'static str], burst: u32, per_second: u32) -> Rate {
    Rate { service, operations, each: true, burst, per_second }
}

/// AWS's own, where it tells them; the first that fits an operation counts.
const RATES: &[Rate] = &[
    each("EC2", &["Describe"], 100, 20),
    each("EC2", &[], 50, 5),
    all("Route 53", &["CreateHostedZone"], 2, 2),
    all("Route 53", &["DeleteHostedZone"], 5, 5),
    all("Route 53", &[], 50, 10),
    all("Elastic Load Balancing v2", &["Describe"], 40, 10),
    all("Elastic Load Balancing v2", &[], 20, 3),
    each("CloudWatch", &["PutMetricAlarm", "DeleteAlarms"], 3, 3),
    each("CloudWatch", &["DescribeAlarms"], 9, 9),
    each("CloudWatch Logs", &["FilterLogEvents"], 5, 5),
    each("CloudWatch Logs", &["Describe", "Create", "Delete", "Put", "Tag", "Untag", "List"], 10, 10),
    each(
        "ACM",
        &["RequestCertificate", "AddTagsToCertificate", "RemoveTagsFromCertificate", "DeleteCertificate"],
        5,
        5,
    ),
    each("ACM", &[], 10, 10),
    each("SNS", &["Tag", "Untag", "ListTagsForResource"], 10, 10),
    each("SNS", &["CreateTopic", "DeleteTopic"], 30, 30),
    all("DynamoDB", &["Tag", "Untag"], 5, 5),
    all("DynamoDB", &["ListTagsOfResource"], 10, 10),
];

/// The buckets. Copies share them.
#[derive(Clone, Default)]
pub struct Rates {
    buckets: Arc<Mutex<BTreeMap<String, Arc<DefaultDirectRateLimiter>>>>,
    /// How much faster than AWS time passes, as the bits of a float; zero bits: it is not known, and AWS's own holds.
    scale: Arc<AtomicU64>,
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rates")
    }
}

impl Rates {
    /// From now on time passes `scale` times as fast as on AWS; 0: nothing takes time, and nobody waits.
    pub fn at(&self, scale: f64) {
        let scale = if scale > 0.0 { scale } else { f64::INFINITY };
        self.scale.store(scale.to_bits(), Ordering::Relaxed);
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Waits until it is the call's turn. Whether it had to.
    pub async fn turn(&self, call: &Call) -> bool {
        let Some(bucket) = self.bucket(call) else { return false };
        let clock = DefaultClock::default();
        let mut waited = false;
        while let Err(not_yet) = bucket.check() {
            tokio::time::sleep(not_yet.wait_time_from(clock.now()).max(Duration::from_millis(1))).await;
            waited = true;
        }
        waited
    }

    fn bucket(&self, call: &Call) -> Option<Arc<DefaultDirectRateLimiter>> {
        let of = |rate: &&Rate| {
            let named = rate.operations.iter().any(|start| call.operation.starts_with(start));
            rate.service == call.service && (rate.operations.is_empty() || named)
        };
        let rate = RATES.iter().find(of)?;
        let scale = match self.scale.load(Ordering::Relaxed) {
            0 => 1.0,
            bits => f64::from_bits(bits),
        };
        let time = Duration::try_from_secs_f64(1.0 / (f64::from(rate.per_second) * scale)).ok()?;
        let quota = Quota::with_period(time)?.allow_burst(NonZeroU32::new(rate.burst)?);
        let name = if rate.each { call.operation.as_str() } else { rate.operations.first().copied().unwrap_or("*") };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets.entry(format!("{} {name}", call.service));
        Some(bucket.or_insert_with(|| Arc::new(RateLimiter::direct(quota))).clone())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// Lets `count` calls take their turns at once. How long that takes, and how many had to wait.
    async fn all_of(rates: &Rates, count: usize, service: &str, operation: &str) -> (Duration, usize) {
        let call = Call { service: service.into(), operation: operation.into(), node: None };
        let started = Instant::now();
        let waited = futures::future::join_all((0..count).map(|_| rates.turn(&call))).await;
        (started.elapsed(), waited.into_iter().filter(|waited| *waited).count())
    }

    #[tokio::test]
    async fn what_the_bucket_does_not_hold_waits_until_it_fills() {
        let rates = Rates::default();
        // Two at once; the next three half a second apart.
        let (time, waited) = all_of(&rates, 5, "Route 53", "CreateHostedZone").await;
        assert!(time >= Duration::from_millis(1490) && waited == 3, "{time:?} {waited}");
        // Sixty times as fast.
        rates.at(60.0);
        let (time, _) = all_of(&rates, 62, "Route 53", "CreateHostedZone").await;
        assert!((Duration::from_millis(490)..Duration::from_secs(20)).contains(&time), "{time:?}");
    }

    #[tokio::test]
    async fn where_nothing_takes_time_nobody_waits() {
        let rates = Rates::default();
        rates.at(0.0);
        assert_eq!(all_of(&rates, 500, "EC2", "CreateSubnet").await.1, 0);
    }

    #[tokio::test]
    async fn each_operation_has_its_own_where_aws_says_so() {
        let rates = Rates::default();
        for operation in ["CreateSubnet", "CreateRoute", "DescribeSubnets"] {
            assert_eq!(all_of(&rates, 50, "EC2", operation).await.1, 0, "{operation}");
        }
        assert_eq!(all_of(&rates, 1, "EC2", "CreateSubnet").await.1, 1);
        assert_eq!(all_of(&rates, 50, "Route 53", "ListHostedZones").await.1, 0);
        assert_eq!(all_of(&rates, 1, "Route 53", "GetChange").await.1, 1);
    }
}
