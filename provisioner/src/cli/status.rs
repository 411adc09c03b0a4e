//! `provision status`

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::{Exit, Outcome, Run, Which};
use crate::aws::stack::Stack;
use crate::engine::session::Session;
use crate::engine::status::{Snapshot, StatusError, Watcher, changes, snapshot};
use crate::ui::{Screen, render_change, render_status, render_status_brief};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provision status --stack game-dev --region eu-central-1 --watch")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Look again and again until Ctrl-C: in place on a terminal, else a line (with --json an event) for each change
    #[arg(long, short)]
    watch: bool,
}

impl Args {
    /// Whether it prints events rather than one document.
    pub fn streams(&self) -> bool {
        self.watch
    }
}

/// On AWS the stack is looked at every 5 s; more often where time passes faster.
const LOOKED_AT: Duration = Duration::from_secs(250);

pub async fn run(run: &Run, args: &Args) -> Outcome {
    let (session, stack) = run.stack(&args.which).await?;
    if args.watch {
        return watch(run, &session, stack).await;
    }
    let status = snapshot(&session, &stack).await.map_err(|error| run.fail(Exit::Failed, &error, None))?;
    if run.ui.json {
        run.ui.document(&status);
    } else {
        run.ui.say(&render_status(&status));
    }
    Ok(Exit::Done)
}

/// Until it is stopped, or nobody reads any more.
async fn watch(run: &Run, session: &Session, stack: Stack) -> Outcome {
    let mut watcher = Watcher::new(session, stack);
    let mut display = Display { run, screen: if run.live { Screen::on_terminal() } else { None }, last: None };
    let mut stop = run.stop.clone();
    loop {
        let seen = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(Exit::Interrupted),
            seen = watcher.look() => seen,
        };
        let shown = match seen {
            Ok(status) => display.show(status),
            Err(error) if error.may_pass() && display.last.is_some() => display.missed(&error),
            Err(error) => return Err(run.fail(Exit::Failed, &error, None)),
        };
        if shown.is_err() {
            return Ok(Exit::Done);
        }
        tokio::select! {
            () = tokio::time::sleep(session.pace.interval(LOOKED_AT)) => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(Exit::Interrupted),
        }
    }
}

/// What is shown, and what was seen last.
struct Display<'a> {
    run: &'a Run,
    screen: Option<Screen>,
    last: Option<Snapshot>,
}

impl Display<'_> {
    /// In place; or everything at first, and then what changed. An error where nobody reads any more.
    fn show(&mut self, status: Snapshot) -> std::io::Result<()> {
        let now = Timestamp::now();
        let ui = &self.run.ui;
        match (&mut self.screen, &self.last) {
            (Some(screen), _) if !ui.json => screen.draw(&render_status_brief(&status, now))?,
            (_, None) if ui.json => ui.lines([json!({"event": "status", "status": status}).to_string()].into_iter())?,
            (_, None) => ui.lines([render_status(&status)].into_iter())?,
            (_, Some(last)) => {
                let line = |change: &crate::engine::status::Change| {
                    let event = json!({"event": "changed", "at": change.at, "part": change.part, "id": change.id,
                        "before": change.before, "after": change.after});
                    if ui.json { event.to_string() } else { render_change(change) }
                };
                ui.lines(changes(last, &status, now).iter().map(line))?;
            }
        }
        self.last = Some(status);
        Ok(())
    }

    /// A look that failed, and may not fail the next time.
    fn missed(&mut self, error: &StatusError) -> std::io::Result<()> {
        let text = format!("not seen this time: {}", crate::engine::events::chain(error));
        match (&mut self.screen, &self.last) {
            (Some(screen), Some(last)) if !self.run.ui.json => {
                screen.draw(&format!("{}\n\n{text}", render_status_brief(last, Timestamp::now())))
            }
            _ => {
                self.run.ui.note(&text);
                Ok(())
            }
        }
    }
}
