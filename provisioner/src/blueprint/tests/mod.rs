//! What holds for blueprints as a whole.

mod broken;
mod fuzz;
mod reference;
mod schema;
mod shipped;

/// A whole blueprint in which every section appears, to vary.
const WHOLE: &str = include_str!("../../../../blueprints/production.toml");
