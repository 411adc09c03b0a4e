//! What a rule can answer instead of a result.

use crate::store::{BoxError, StoreError};

/// One wrong value in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which one, as the client names it.
    pub field: &'static str,
    /// What it must be.
    pub message: String,
}

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub enum DomainError {
    /// No or no valid access token (or operator key).
    #[error("the access token is missing, wrong or expired")]
    Unauthenticated,
    /// The device is known and its secret is another.
    #[error("the device secret is wrong")]
    WrongDeviceSecret,
    /// The refresh token is unknown, expired, or was used before.
    #[error("the refresh token is not valid")]
    WrongRefreshToken,
    /// Somebody else's data.
    #[error("the access token belongs to another player")]
    Forbidden,
    /// No such player.
    #[error("there is no such player")]
    UnknownPlayer,
    /// No such board (or season of it).
    #[error("there is no such leaderboard")]
    UnknownBoard,
    /// The player has no score on the board.
    #[error("the player has no score on this leaderboard")]
    NotRanked,
    /// Not in the catalogue.
    #[error("there is no such item")]
    UnknownItem,
    /// Values that do not fit.
    #[error("the request has wrong values")]
    Invalid(Vec<Violation>),
    /// The header is missing or unusable.
    #[error("the header Idempotency-Key is missing or not 1 to 128 printable ASCII characters")]
    IdempotencyKeyMissing,
    /// The key was used with other content.
    #[error("the idempotency key was used before for something else")]
    IdempotencyKeyReused,
    /// The run id was used with another score.
    #[error("the run_id was used before for another score")]
    RunIdReused,
    /// The balance is below the price.
    #[error("the player has too few coins")]
    TooFewCoins {
        /// What the player has.
        balance: i64,
        /// What the item costs.
        price: i64,
    },
    /// The item costs something else than the client expects.
    #[error("the price of the item has changed")]
    PriceChanged {
        /// What it costs.
        price: i64,
    },
    /// The balance would rise above the limit.
    #[error("the player's balance would rise above the limit")]
    TooManyCoins {
        /// What the player has.
        balance: i64,
    },
    /// What is owed would rise above the limit.
    #[error("what the player owes would rise above the limit")]
    TooMuchOwed {
        /// What the player owes.
        owed: i64,
    },
    /// Not what the app store gave for a purchase in this game.
    #[error("the receipt is not valid: {0}")]
    ReceiptInvalid(&'static str),
    /// The coins of this receipt are another player's.
    #[error("the receipt belongs to another player")]
    ReceiptOwnedByOther,
    /// A genuine receipt of something that is not sold here.
    #[error("there is no such product")]
    UnknownProduct,
    /// The server was not told of this app store.
    #[error("receipts of this app store are not taken")]
    AppStoreNotConfigured,
    /// The app store cannot be asked.
    #[error("the app store is not available")]
    AppStoreUnavailable {
        /// Seconds, if it said so.
        retry_after: Option<u32>,
        /// Why.
        #[source]
        source: BoxError,
    },
    /// Not a cursor of ours, or one of another listing.
    #[error("the cursor is not valid")]
    WrongCursor,
    /// Deleting would tear a hole into a final board that is just being written.
    #[error("a season that the player played in is being settled; try again in a moment")]
    SeasonSettling,
    /// The board's season has ended and there is no next one.
    #[error("the season of this leaderboard has ended: it takes no more scores")]
    SeasonOver,
    /// A cursor of a season that has ended.
    #[error("the season {season} of this cursor has ended; start anew, or go on with season={season}")]
    SeasonEnded {
        /// The season.
        season: String,
    },
    /// A store failed.
    #[error("a store failed")]
    Store(#[from] StoreError),
}

/// Collects wrong values, so that all are reported at once.
#[derive(Debug, Default)]
pub struct Checks(Vec<Violation>);

impl Checks {
    /// Notes a wrong value unless `holds`.
    pub fn require(&mut self, holds: bool, field: &'static str, message: impl Into<String>) {
        if !holds {
            self.0.push(Violation { field, message: message.into() });
        }
    }

    /// Fails if any value was wrong.
    ///
    /// # Errors
    /// With all that was noted.
    pub fn finish(self) -> Result<(), DomainError> {
        if self.0.is_empty() { Ok(()) } else { Err(DomainError::Invalid(self.0)) }
    }
}
