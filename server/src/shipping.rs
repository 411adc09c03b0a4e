//! Ships the server's own log to CloudWatch Logs (Amazon Linux 2023 has no agent).

use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_cloudwatchlogs::{Client, types::InputLogEvent};
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};

use crate::telemetry::Line;

/// The target of what this module logs itself; it is not shipped.
pub const TARGET: &str = "log_shipping";

/// The service's limits on one call, with room to spare.
const MOST_EVENTS: usize = 5_000;
const MOST_BYTES: usize = 900_000;
const EVENT_OVERHEAD: usize = 26;
const LONGEST_LINE: usize = 200_000;
const EVERY: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Ships in the background until the sender of lines is gone or it is told to finish.
pub struct Shipper {
    task: JoinHandle<()>,
    finish: tokio_util::sync::CancellationToken,
}

impl Shipper {
    /// Starts shipping to a stream of a group.
    #[must_use]
    pub fn start(sdk: &SdkConfig, group: String, stream: String, lines: mpsc::Receiver<Line>) -> Self {
        let finish = tokio_util::sync::CancellationToken::new();
        let ship = Ship { client: Client::new(sdk), group, stream, made: false };
        Self { task: tokio::spawn(ship.run(lines, finish.clone())), finish }
    }

    /// Ships what is there, for at most this long.
    pub async fn finish(self, at_most: Duration) {
        self.finish.cancel();
        let _ = tokio::time::timeout(at_most, self.task).await;
    }
}

struct Ship {
    client: Client,
    group: String,
    stream: String,
    made: bool,
}

impl Ship {
    async fn run(mut self, mut lines: mpsc::Receiver<Line>, finish: tokio_util::sync::CancellationToken) {
        let mut wait = Duration::from_secs(1);
        loop {
            let batch = collect(&mut lines, &finish).await;
            if batch.is_empty() {
                if finish.is_cancelled() || lines.is_closed() {
                    return;
                }
                continue;
            }
            // New lines wait in the bounded buffer meanwhile.
            while let Err(reason) = self.send(&batch).await {
                tracing::warn!(target: TARGET, %reason, "the log could not be shipped");
                if finish.is_cancelled() {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(wait) => {}
                    () = finish.cancelled() => {}
                }
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            wait = Duration::from_secs(1);
        }
    }

    async fn send(&mut self, batch: &[Line]) -> Result<(), String> {
        if !self.made {
            self.make_stream().await?;
        }
        let event = |line: &Line| {
            InputLogEvent::builder().timestamp(line.at).message(&line.text).build().map_err(|error| error.to_string())
        };
        let mut events = batch.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        events.sort_by_key(InputLogEvent::timestamp);
        let call = self.client.put_log_events().log_group_name(&self.group).log_stream_name(&self.stream);
        match call.set_log_events(Some(events)).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = error.into_service_error();
                // Somebody may have removed the stream: make it again.
                self.made = !error.is_resource_not_found_exception();
                if error.is_invalid_parameter_exception() {
                    tracing::warn!(target: TARGET, lines = batch.len(), "lines were refused and are dropped");
                    return Ok(());
                }
                Err(error.to_string())
            }
        }
    }

    async fn make_stream(&mut self) -> Result<(), String> {
        let call = self.client.create_log_stream().log_group_name(&self.group).log_stream_name(&self.stream);
        match call.send().await.map_err(aws_sdk_cloudwatchlogs::error::SdkError::into_service_error) {
            Err(error) if !error.is_resource_already_exists_exception() => Err(error.to_string()),
            _ => {
                self.made = true;
                Ok(())
            }
        }
    }
}

/// What comes within a while, up to the service's limits.
async fn collect(lines: &mut mpsc::Receiver<Line>, finish: &tokio_util::sync::CancellationToken) -> Vec<Line> {
    let until = Instant::now() + EVERY;
    let mut batch = Vec::new();
    let mut bytes = 0;
    while batch.len() < MOST_EVENTS && bytes < MOST_BYTES - LONGEST_LINE {
        let next = if finish.is_cancelled() {
            lines.try_recv().ok()
        } else {
            tokio::select! {
                line = lines.recv() => line,
                () = tokio::time::sleep_until(until) => None,
                () = finish.cancelled() => continue,
            }
        };
        let Some(mut line) = next else { break };
        line.text.truncate(line.text.floor_char_boundary(LONGEST_LINE));
        bytes += line.text.len() + EVENT_OVERHEAD;
        batch.push(line);
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn batches_stay_within_the_limits_and_lose_nothing() {
        let (sender, mut lines) = mpsc::channel(100);
        for _ in 0..20 {
            sender.send(Line { at: 0, text: "x".repeat(100_000) }).await.expect("room");
        }
        let finish = tokio_util::sync::CancellationToken::new();
        finish.cancel();
        let mut got = 0;
        loop {
            let batch = collect(&mut lines, &finish).await;
            if batch.is_empty() {
                break;
            }
            assert!(batch.iter().map(|line| line.text.len() + EVENT_OVERHEAD).sum::<usize>() <= MOST_BYTES);
            got += batch.len();
        }
        assert_eq!(got, 20);
    }
}
