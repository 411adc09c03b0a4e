//! `[log]`

use crate::blueprint::model::Log;
use crate::blueprint::reader::Section;
use crate::blueprint::schema::{Key, Takes};

/// What CloudWatch Logs takes; DynamoDB takes any.
const RETENTIONS: &[u16] =
    &[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

const RETENTION_DAYS: Key = Key::new("retention_days", Takes::OneOfIntegers(RETENTIONS), "90");
const POINT_IN_TIME_RECOVERY: Key = Key::new("point_in_time_recovery", Takes::Boolean, "true");

pub const KEYS: &[&Key] = &[&RETENTION_DAYS, &POINT_IN_TIME_RECOVERY];

/// Reads it; a value that is wrong is noted, and its default stands in.
pub fn read(section: &mut Section<'_, '_>) -> Log {
    let default = Log::default();
    Log {
        retention_days: section.integer(&RETENTION_DAYS).unwrap_or(default.retention_days),
        point_in_time_recovery: section.boolean(&POINT_IN_TIME_RECOVERY).unwrap_or(default.point_in_time_recovery),
    }
}
