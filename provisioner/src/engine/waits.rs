//! How often to look and how long to wait, from how long AWS takes and how fast this AWS is.

use std::time::Duration;

/// How AWS's durations pass at this endpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// AWS's durations are divided by this; 0: nothing takes time.
    pub time_scale: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { time_scale: 1.0 }
    }
}

impl Pace {
    /// How long something of `expected` takes here.
    pub fn here(self, expected: Duration) -> Duration {
        if self.time_scale > 0.0 { expected.div_f64(self.time_scale) } else { Duration::ZERO }
    }

    /// How much of AWS's time has passed in `time` here.
    pub fn on_aws(self, time: Duration) -> Duration {
        if self.time_scale > 0.0 { time.mul_f64(self.time_scale) } else { time }
    }

    /// The time between two looks: a fiftieth of what is expected, between 0.2 and 5 s.
    pub fn interval(self, expected: Duration) -> Duration {
        (self.here(expected) / 50).clamp(Duration::from_millis(200), Duration::from_secs(5))
    }

    /// When to give up: the kind's own limit, at least ten minutes (two where time is scaled).
    pub fn deadline(self, limit: Duration) -> Duration {
        let least = if self.time_scale == 1.0 { 600 } else { 120 };
        self.here(limit).max(Duration::from_secs(least))
    }
}

/// Asks a local AWS how fast its time runs. Anything that does not answer so is taken for real time.
pub async fn pace_of(endpoint_url: Option<&str>) -> Pace {
    let Some(address) = endpoint_url.and_then(|url| url.strip_prefix("http://")) else { return Pace::default() };
    let asked = tokio::time::timeout(Duration::from_secs(2), health(address.trim_end_matches('/'))).await;
    match asked {
        Ok(Some(time_scale)) => Pace { time_scale },
        _ => Pace::default(),
    }
}

/// One plain HTTP/1.0 exchange: not worth an HTTP client of its own.
async fn health(address: &str) -> Option<f64> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
    let request = format!("GET /_local/health HTTP/1.0\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    if !head.lines().next()?.contains(" 200") {
        return None;
    }
    serde_json::from_str::<serde_json::Value>(body).ok()?.get("time_scale")?.as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_bounded() {
        let real = Pace::default();
        assert_eq!(real.interval(Duration::from_secs(600)), Duration::from_secs(5));
        assert_eq!(real.interval(Duration::from_secs(100)), Duration::from_secs(2));
        assert_eq!(Pace { time_scale: 20.0 }.interval(Duration::from_secs(600)), Duration::from_millis(600));
        assert_eq!(Pace { time_scale: 0.0 }.interval(Duration::from_secs(600)), Duration::from_millis(200));
    }
}
