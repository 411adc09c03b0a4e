//! `provision assets push | diff | rollback | list`

use std::path::{Path, PathBuf};

use serde_json::json;

use super::plan::directory;
use super::{Exit, Outcome, Run, Which};
use crate::assets::{self, AssetsError, Changed, Difference, Found, Invalidation, Published, Target, Version};
use crate::blueprint::Assets;
use crate::engine::lease::LeaseError;
use crate::engine::session::Session;
use crate::ui::HumanBytes;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision assets push ./assets")]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Upload what is new, then publish the directory's manifest
    #[command(after_help = "Example: provision assets push ./assets live.toml\n         \
                            provision assets push ./assets --stack game-live --region eu-central-1")]
    Push(PushArgs),
    /// Show what a push would change for players, and what they would download
    #[command(after_help = "Example: provision assets diff ./assets live.toml")]
    Diff(DiffArgs),
    /// Publish an earlier version again, in one write
    #[command(after_help = "Example: provision assets rollback live.toml --to 41")]
    Rollback(RollbackArgs),
    /// List the versions that are kept
    #[command(after_help = "Example: provision assets list live.toml")]
    List(Which),
}

/// Which files, and whose.
#[derive(Debug, clap::Args)]
struct Source {
    /// The directory with the files [default: `directory` of the blueprint's [assets]]
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The blueprint; alone, it is told from a directory by its `.toml` [default: provision.toml]
    #[arg(conflicts_with = "stack")]
    blueprint: Option<PathBuf>,
    /// The stack's name (`<game>-<environment>`), without a blueprint; give the region too
    #[arg(long, value_name = "NAME")]
    stack: Option<String>,
}

#[derive(Debug, clap::Args)]
struct PushArgs {
    #[command(flatten)]
    source: Source,
    /// How many versions stay [default: `keep` of the blueprint's [assets]; all where --stack names the stack]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..=1000))]
    keep: Option<u16>,
    /// Do not wait until every edge of CloudFront has the new manifest
    #[arg(long)]
    no_wait: bool,
}

#[derive(Debug, clap::Args)]
struct DiffArgs {
    #[command(flatten)]
    source: Source,
    /// Exit 3 where there is a difference
    #[arg(long)]
    check: bool,
}

#[derive(Debug, clap::Args)]
struct RollbackArgs {
    #[command(flatten)]
    which: Which,
    /// The version; without it, the one before the current one
    #[arg(long, value_name = "VERSION")]
    to: Option<u64>,
    /// Do not wait until every edge of CloudFront has the manifest
    #[arg(long)]
    no_wait: bool,
}

impl Args {
    /// Whether `--json` is one event a line.
    pub fn streams(&self) -> bool {
        matches!(self.verb, Verb::Push(_) | Verb::Rollback(_))
    }
}

/// The blueprint names no directory, or has no assets at all.
#[derive(Debug, thiserror::Error)]
enum SourceError {
    #[error("{path} has no [assets]", path = .0.display())]
    NoAssets(PathBuf),
    #[error("no directory is named, here or in [assets] of the blueprint")]
    NoDirectory,
}

pub async fn run(run: &Run, args: &Args) -> Outcome {
    match &args.verb {
        Verb::Push(args) => push(run, args).await,
        Verb::Diff(args) => diff(run, args).await,
        Verb::Rollback(args) => rollback(run, args).await,
        Verb::List(which) => list(run, which).await,
    }
}

/// A source with everything looked up: the files, how many versions are kept, and where they go.
struct Opened {
    session: Session,
    target: Target,
    found: Found,
    /// None: the blueprint was not read, so all of them.
    keep: Option<u16>,
}

impl Source {
    /// The directory and the stack; a lone path that ends in `.toml` is a blueprint.
    fn split(&self) -> (Option<&Path>, Which) {
        let lone = self.directory.as_deref().filter(|path| {
            self.blueprint.is_none() && self.stack.is_none() && path.extension().is_some_and(|e| e == "toml")
        });
        let blueprint = lone.or(self.blueprint.as_deref()).unwrap_or(Path::new("provision.toml")).to_owned();
        let directory = self.directory.as_deref().filter(|_| lone.is_none());
        (directory, Which { blueprint, stack: self.stack.clone() })
    }

    async fn open(&self, run: &Run) -> Result<Opened, super::Ended> {
        let (named, which) = self.split();
        let section = section(run, &which)?;
        let from_blueprint = section.directory.as_ref().map(|path| directory(&which.blueprint).join(path));
        let Some(files) = named.map(Path::to_owned).or(from_blueprint) else {
            let help = "name one: provision assets push DIR, or `directory` in [assets]; nothing was changed";
            return Err(run.fail(Exit::Usage, &SourceError::NoDirectory, Some(help)));
        };
        let (session, stack) = run.stack(&which).await?;
        let target = Target::find(&session, &stack).await.map_err(|error| failed(run, &error))?;
        session.phase(&format!("reading {}", files.display()));
        let found = assets::scan(&files).await.map_err(|error| failed(run, &error))?;
        if found.hidden > 0 {
            session.note(&format!("{} hidden files and directories are left out", found.hidden));
        }
        let keep = which.stack.is_none().then_some(section.keep);
        Ok(Opened { session, target, found, keep })
    }
}

/// `[assets]` of the blueprint; its defaults where a stack is named without one.
fn section(run: &Run, which: &Which) -> Result<Assets, super::Ended> {
    if which.stack.is_some() {
        return Ok(Assets::default());
    }
    run.blueprint(&which.blueprint)?.assets.ok_or_else(|| {
        let error = SourceError::NoAssets(which.blueprint.clone());
        run.fail(Exit::Usage, &error, Some("add [assets] to it and run `provision up`; nothing was changed"))
    })
}

async fn target(run: &Run, which: &Which) -> Result<(Session, Target), super::Ended> {
    section(run, which)?;
    let (session, stack) = run.stack(which).await?;
    let target = Target::find(&session, &stack).await.map_err(|error| failed(run, &error))?;
    Ok((session, target))
}

fn failed(run: &Run, error: &AssetsError) -> super::Ended {
    let exit = match error {
        AssetsError::Lease(lease) if matches!(**lease, LeaseError::Held(_)) => Exit::Held,
        AssetsError::Overtaken => Exit::Held,
        AssetsError::Interrupted => Exit::Interrupted,
        _ => Exit::Failed,
    };
    run.fail(exit, error, Some(error.help()))
}

async fn push(run: &Run, args: &PushArgs) -> Outcome {
    let Opened { session, target, found, keep } = args.source.open(run).await?;
    let keep = args.keep.or(keep).map_or(usize::MAX, usize::from);
    let push = assets::Push { found: &found, keep, wait: !args.no_wait };
    let published = assets::push(&session, &target, push).await.map_err(|error| failed(run, &error))?;
    show_published(run, "pushed", &published);
    Ok(Exit::Done)
}

async fn rollback(run: &Run, args: &RollbackArgs) -> Outcome {
    let (session, target) = target(run, &args.which).await?;
    let rolled_back = assets::rollback(&session, &target, args.to, !args.no_wait).await;
    show_published(run, "rolled_back", &rolled_back.map_err(|error| failed(run, &error))?);
    Ok(Exit::Done)
}

fn show_published(run: &Run, event: &str, published: &Published) {
    if run.ui.json {
        return run.ui.named(event, published);
    }
    let (files, bytes) = (published.files, HumanBytes(published.bytes));
    run.ui.say(&format!("version {}: {files} files, {bytes}", published.version));
    let uploaded = HumanBytes(published.uploaded_bytes);
    run.ui.say(&format!("uploaded {} objects, {uploaded}", published.uploaded));
    if !published.pruned_versions.is_empty() {
        let versions: Vec<String> = published.pruned_versions.iter().map(u64::to_string).collect();
        let objects = published.pruned_objects;
        run.ui.say(&format!("took away version {} and {objects} objects", versions.join(", ")));
    }
    if let Some(url) = &published.url {
        run.ui.say(&format!("manifest {url} ({})", published.manifest));
    }
    let news = match published.invalidation {
        Invalidation::Completed => "every edge of CloudFront has it",
        Invalidation::InProgress => "CloudFront is being told; its edges have it within a minute",
        Invalidation::Refused => "CloudFront could not be told; its edges have it within a minute",
        Invalidation::None => return,
    };
    run.ui.note(news);
}

async fn diff(run: &Run, args: &DiffArgs) -> Outcome {
    let Opened { target, found, .. } = args.source.open(run).await?;
    let (version, before) = assets::current(&target).await.map_err(|error| failed(run, &error))?;
    let difference = assets::difference(&before, &found.files);
    let same = difference.is_empty();
    show_difference(run, &target, &found, version, &difference);
    Ok(if args.check && !same { Exit::Changes } else { Exit::Done })
}

fn show_difference(run: &Run, target: &Target, found: &Found, version: Option<u64>, difference: &Difference) {
    if run.ui.json {
        return run.ui.document(&json!({"stack": target.stack.name, "directory": found.directory, "version": version,
            "added": difference.added, "changed": difference.changed, "removed": difference.removed,
            "download_bytes": difference.download_bytes}));
    }
    let size = |bytes: Option<u64>| bytes.map_or_else(String::new, |bytes| HumanBytes(bytes).to_string());
    let line = |sign: &str, changed: &Changed| {
        let sizes = match (changed.size_before, changed.size) {
            (Some(before), Some(now)) => format!("{} -> {}", HumanBytes(before), HumanBytes(now)),
            (before, now) => size(before.or(now)),
        };
        run.ui.say(&format!("{sign} {}  {sizes}", changed.path));
    };
    let signed = [("+", &difference.added), ("~", &difference.changed), ("-", &difference.removed)];
    signed.iter().for_each(|(sign, list)| list.iter().for_each(|changed| line(sign, changed)));
    let against = version.map_or_else(|| "nothing is published yet".to_owned(), |v| format!("against version {v}"));
    let counts = (difference.added.len(), difference.changed.len(), difference.removed.len());
    let (added, changed, removed) = counts;
    run.ui.say(&format!("{against}: {added} added, {changed} changed, {removed} removed"));
    run.ui.say(&format!("a client that is up to date downloads {}", HumanBytes(difference.download_bytes)));
}

async fn list(run: &Run, which: &Which) -> Outcome {
    let (_, target) = target(run, which).await?;
    let versions = assets::versions(&target).await.map_err(|error| failed(run, &error))?;
    if run.ui.json {
        run.ui.document(&json!({"stack": target.stack.name, "versions": versions}));
        return Ok(Exit::Done);
    }
    let row = |version: &Version| {
        vec![
            format!("{}{}", version.version, if version.current { " *" } else { "" }),
            version.pushed_at.to_string(),
            version.files.to_string(),
            HumanBytes(version.bytes).to_string(),
            version.sha256.chars().take(12).collect(),
        ]
    };
    run.ui.table(&["VERSION", "PUSHED", "FILES", "SIZE", "MANIFEST"], versions.iter().map(row).collect());
    run.ui.say(&format!("{} versions are kept; * is the one that clients see", versions.len()));
    Ok(Exit::Done)
}
