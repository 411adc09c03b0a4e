//! Waiting inside one step, where AWS takes the next call only after the last one has settled.

use std::future::Future;
use std::time::{Duration, Instant};

use super::{Error, Result};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Looks until `look` answers `None`; `Some` is the state that AWS names meanwhile.
pub async fn settle<F, Fut>(resource: &str, limit: Duration, mut look: F) -> Result<()>
where
    F: FnMut() -> Fut + Send,
    Fut: Future<Output = Result<Option<String>>> + Send,
{
    let started = Instant::now();
    let mut pause = FIRST_PAUSE;
    while let Some(state) = look().await? {
        if started.elapsed() > limit {
            let reason = format!("still {state} after {} s", limit.as_secs());
            return Err(Error::Failed { resource: resource.to_owned(), reason });
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn looks_until_it_has_settled() {
        let mut looks = 0;
        settle("it", Duration::from_secs(60), || {
            looks += 1;
            let state = (looks < 3).then(|| "modifying".to_owned());
            async move { Ok(state) }
        })
        .await
        .expect("it settles at the third look");
        assert_eq!(looks, 3);
    }

    #[tokio::test]
    async fn gives_up_at_the_limit() {
        let error = settle("it", Duration::ZERO, || async { Ok(Some("modifying".to_owned())) }).await;
        assert_eq!(error.expect_err("never settles").to_string(), "it failed: still modifying after 0 s");
    }
}
