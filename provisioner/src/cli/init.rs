//! `provision init`

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Ended, Exit, Outcome, Run};
use crate::blueprint::templates::{Fill, TEMPLATES, Template};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision init --template starter --name puzzle --region eu-central-1")]
pub struct Args {
    /// Where to write it
    #[arg(default_value = "provision.toml")]
    blueprint: PathBuf,
    /// What to begin with
    #[arg(long, default_value = "starter", value_parser = template, value_name = "TEMPLATE", help = help())]
    template: Template,
    /// The game's name
    #[arg(long)]
    name: Option<String>,
    /// Which of its stacks: dev, live, ...
    #[arg(long)]
    environment: Option<String>,
    /// Write over a file that is there
    #[arg(long)]
    force: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}", path = .path.display())]
struct CannotWrite {
    path: PathBuf,
    source: std::io::Error,
}

fn help() -> String {
    let lines = TEMPLATES.map(|template| format!("{} ({})", template.name, template.about));
    format!("What to begin with: {}", lines.join("; "))
}

fn template(name: &str) -> Result<Template, String> {
    let names = TEMPLATES.map(|template| template.name).join(", ");
    Template::named(name).ok_or_else(|| format!("the templates are {names}"))
}

/// Writes a template. The region is `--region`'s; nothing is called on AWS.
pub fn run(run: &Run, args: &Args) -> Outcome {
    let fill = Fill {
        name: args.name.as_deref(),
        environment: args.environment.as_deref(),
        region: run.connection.region.as_deref(),
    };
    let text = args.template.filled(fill).map_err(|errors| {
        run.ui.blueprint_errors(&errors);
        Ended(Exit::Usage)
    })?;
    write(&args.blueprint, &text, args.force).map_err(|source| {
        let help = match source.kind() {
            std::io::ErrorKind::AlreadyExists => "pass --force to write over it, or name another file",
            _ => "name a file in a directory that is there and writable",
        };
        let error = CannotWrite { path: args.blueprint.clone(), source };
        run.fail(Exit::Failed, &error, Some(help))
    })?;
    let path = args.blueprint.display();
    if run.ui.json {
        run.ui.document(
            &serde_json::json!({"event": "written", "blueprint": args.blueprint, "template": args.template.name}),
        );
    } else {
        run.ui.say(&format!("{path} is written. Read it, then see what it would create: provision plan {path}"));
    }
    Ok(Exit::Done)
}

/// Never over a file that is there, unless told so.
fn write(path: &Path, text: &str, force: bool) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    let options = if force { options.create(true).truncate(true) } else { options.create_new(true) };
    options.open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_stays() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("provision.toml");
        write(&path, "first, and longer", false).expect("a new file");
        assert_eq!(write(&path, "second", false).expect_err("it is there").kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "first, and longer");
        write(&path, "third", true).expect("forced");
        assert_eq!(std::fs::read_to_string(&path).expect("text"), "third");
    }
}
