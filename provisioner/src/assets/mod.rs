//! The game's assets: a directory becomes content-addressed objects and a manifest in the assets bucket.
//!
//! In the bucket: `objects/<sha256>.<extension>`, each written once; `manifests/<version>-<sha256>.json`, likewise; and
//! `manifest.json`, a copy of the one that counts. It is written last and only on top of the one that was read, so clients
//! see either the old manifest or the new one, and everything that it names is there.

mod bucket;
mod diff;
mod error;
mod invalidation;
mod manifest;
mod meter;
mod multipart;
mod prune;
mod publish;
mod scan;
mod target;
mod upload;

pub use bucket::Version;
pub use diff::{Changed, Difference, difference};
pub use error::AssetsError;
pub use invalidation::Invalidation;
pub use manifest::{Entry, MANIFEST, Manifest};
pub use publish::{Published, Push, current, push, rollback, versions};
pub use scan::{Found, scan};
pub use target::Target;
