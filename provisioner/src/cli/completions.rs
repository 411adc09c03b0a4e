//! `provision completions`

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Exit, Outcome, Run};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision completions bash > ~/.local/share/bash-completion/completions/provision")]
pub struct Args {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the shell's completion script; nothing is called on AWS.
pub fn run(run: &Run, args: &Args) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "provision", &mut script);
    run.ui.say(String::from_utf8_lossy(&script).trim_end());
    Ok(Exit::Done)
}
