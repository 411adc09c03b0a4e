//! `provision man`

use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::{Exit, Outcome, Run};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision man ~/.local/share/man/man1")]
pub struct Args {
    /// Where to write them
    directory: PathBuf,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write the man pages into {directory}", directory = .directory.display())]
struct CannotWrite {
    directory: PathBuf,
    source: std::io::Error,
}

/// Writes a page for provision and one for each verb; nothing is called on AWS.
pub fn run(run: &Run, args: &Args) -> Outcome {
    let pages = write(&args.directory).map_err(|source| {
        let error = CannotWrite { directory: args.directory.clone(), source };
        run.fail(Exit::Failed, &error, Some("name a directory that can be made and written to"))
    })?;
    run.ui.note(&format!("{pages} pages are in {}", args.directory.display()));
    Ok(Exit::Done)
}

/// How many pages it wrote.
fn write(directory: &Path) -> std::io::Result<usize> {
    std::fs::create_dir_all(directory)?;
    let mut root = super::Cli::command().disable_help_subcommand(true);
    root.build();
    pages(&root, directory)
}

fn pages(command: &Command, directory: &Path) -> std::io::Result<usize> {
    Man::new(command.clone()).manual("provision").generate_to(directory)?;
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    verbs.map(|verb| pages(verb, directory)).sum::<std::io::Result<usize>>().map(|written| written + 1)
}
