//! Creating under an idempotency token, in spite of what the token remembers.
//!
//! AWS answers a repeated token with its first answer even when the thing is long gone. A node that is replaced, or made
//! again because somebody deleted it, has the same parameters and so the same token: then the dead thing's id salts it.

use std::future::Future;
use std::time::Duration;

use serde::Serialize;

use super::{Cx, Error, Result, Want};

/// A new thing may stay invisible to reads for so many looks.
const LOOKS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);
/// Nobody replaces one node more often within the memory of a token.
const MOST_DEAD: usize = 20;

/// What a look at an id shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It lives, or is being made.
    Alive,
    /// It has ended.
    Dead,
    /// Nothing there: gone, or not visible yet.
    Unseen,
}

/// Calls `create` with a token until the id it answers belongs to something that lives.
pub async fn tokened<S, C, CF, L, LF>(cx: &Cx, want: &Want<S>, create: C, look: L) -> Result<String>
where
    S: Serialize,
    C: Fn(String) -> CF,
    CF: Future<Output = Result<String>>,
    L: Fn(String) -> LF,
    LF: Future<Output = Result<Presence>>,
{
    let mut dead: Vec<String> = Vec::new();
    while dead.len() < MOST_DEAD {
        let token = cx.token(&want.address, &(&want.spec, cx.tags(&want.address).0, &dead));
        let id = create(token).await?;
        if lives(&look, &id).await? {
            return Ok(id);
        }
        dead.push(id);
    }
    let reason = format!("AWS answers only with ones that are gone: {}", dead.join(", "));
    Err(Error::Failed { resource: want.address.clone(), reason })
}

async fn lives<L, LF>(look: &L, id: &str) -> Result<bool>
where
    L: Fn(String) -> LF,
    LF: Future<Output = Result<Presence>>,
{
    for _ in 0..LOOKS {
        match look(id.to_owned()).await? {
            Presence::Alive => return Ok(true),
            Presence::Dead => return Ok(false),
            Presence::Unseen => tokio::time::sleep(PAUSE).await,
        }
    }
    Ok(false)
}
