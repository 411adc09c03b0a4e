//! What is in the log, for the operator.

use std::sync::Arc;

use futures::{Stream, stream};
use jiff::civil::Date;

use super::{DomainError, Game, error::Checks};
use crate::store::{Event, LogPosition, PlayerId, StoreError, day_of};

/// Events in one answer.
pub const MAX_PAGE: u32 = 1000;

/// Events of a day (today if unset), of one player or of all, and the cursor for more.
///
/// # Errors
/// When the cursor is not of this listing.
pub async fn page(
    game: &Game,
    day: Option<Date>,
    player: Option<&PlayerId>,
    limit: u32,
    cursor: Option<&str>,
) -> Result<(Vec<Event>, Option<String>), DomainError> {
    let mut checks = Checks::default();
    checks.require((1..=MAX_PAGE).contains(&limit), "limit", format!("must be 1 to {MAX_PAGE}"));
    checks.finish()?;
    let day = day.unwrap_or_else(|| day_of(game.world.now()));
    let listing = format!("events/{day}/{}", player.map_or("", PlayerId::as_str));
    let position: Option<LogPosition> = cursor.map(|cursor| game.cursors.open(&listing, cursor)).transpose()?;
    let log = &game.stores.events;
    let page = match player {
        Some(player) => log.of_player(day, player, position.as_ref().map(|p| p.sort_key.as_str()), limit).await?,
        None => day_page(game, day, position, limit).await?,
    };
    let next = page.next.map(|position| game.cursors.seal(&listing, &position));
    Ok((page.events, next))
}

/// Goes on over empty shards, so that an answer without events is the last one.
async fn day_page(
    game: &Game,
    day: Date,
    mut position: Option<LogPosition>,
    limit: u32,
) -> Result<crate::store::EventPage, StoreError> {
    loop {
        let page = game.stores.events.of_day(day, position.as_ref(), limit).await?;
        if !page.events.is_empty() || page.next.is_none() {
            return Ok(page);
        }
        position = page.next;
    }
}

/// All events of a day, some at a time.
pub fn export(game: Arc<Game>, day: Date) -> impl Stream<Item = Result<Vec<Event>, StoreError>> {
    let start = Some(None::<LogPosition>);
    stream::try_unfold((game, start), move |(game, next)| async move {
        let Some(position) = next else { return Ok(None) };
        let page = day_page(&game, day, position, MAX_PAGE).await?;
        let next = page.next.map(Some);
        Ok(Some((page.events, (game, next))))
    })
}
