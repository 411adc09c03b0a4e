//! What changes of the database and of the cache have in common: versions as numbers, and fields that wait for their window.

use crate::blueprint::Apply;

/// `8.4.5` as numbers.
pub fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// The fields of a change; where what waits is to be made now, those of `waiting` too.
pub fn with_waiting<'a, S: AsRef<str>>(fields: &'a [S], waiting: &'a [String], apply: Apply) -> Vec<&'a str> {
    let fields = fields.iter().map(AsRef::as_ref);
    let is_made = apply == Apply::Now && fields.clone().any(|field| field == "waiting");
    fields.chain(waiting.iter().map(String::as_str).filter(|_| is_made)).collect()
}
