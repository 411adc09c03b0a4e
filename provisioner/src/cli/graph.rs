//! `provision graph`

use std::path::{Path, PathBuf};

use super::plan::{directory, up_failed};
use super::{Exit, Outcome, Run};
use crate::engine::up::look;
use crate::graph::{Format, Subject, draw};
use crate::kinds::Options;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision graph blueprints/production.toml --out stack.svg\n\
                        Example: provision graph --plan --format mermaid")]
pub struct Args {
    /// The blueprint
    #[arg(default_value = "provision.toml")]
    blueprint: PathBuf,
    /// What to write; without it what the ending of --out says, else SVG
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Format>,
    /// Look at AWS and colour what `up` would change; without it the blueprint alone is drawn
    #[arg(long)]
    plan: bool,
    /// Write it into a file instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}", path = .path.display())]
struct CannotWrite {
    path: PathBuf,
    source: std::io::Error,
}

pub async fn run(run: &Run, args: &Args) -> Outcome {
    let blueprint = run.blueprint(&args.blueprint)?;
    let subject = if args.plan {
        let session = run.session(Some(&blueprint.stack.region)).await?;
        let planned = look(&session, &blueprint, directory(&args.blueprint), Options::default())
            .await
            .map_err(|error| up_failed(run, &error))?;
        Subject::of_plan(&blueprint, &planned)
    } else {
        Subject::of_blueprint(&blueprint)
    };
    let format = args.format.unwrap_or_else(|| of_ending(args.out.as_deref()));
    let drawn = draw(&subject, format);
    if let Some(path) = &args.out {
        std::fs::write(path, &drawn).map_err(|source| {
            let error = CannotWrite { path: path.clone(), source };
            run.fail(Exit::Failed, &error, Some("name a file in a directory that is there and writable"))
        })?;
    }
    if run.ui.json {
        run.ui.document(&serde_json::json!({
            "stack": subject.stack,
            "format": format.as_str(),
            "graph": args.out.is_none().then_some(&drawn),
            "out": args.out,
        }));
    } else if let Some(path) = &args.out {
        run.ui.note(&format!("{} is written", path.display()));
    } else {
        run.ui.say(drawn.trim_end());
    }
    Ok(Exit::Done)
}

fn of_ending(out: Option<&Path>) -> Format {
    match out.and_then(Path::extension).and_then(|ending| ending.to_str()) {
        Some("dot" | "gv") => Format::Dot,
        Some("mmd" | "mermaid") => Format::Mermaid,
        _ => Format::Svg,
    }
}
