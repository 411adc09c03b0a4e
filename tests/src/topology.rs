//! What an account holds, read through boto3, ids apart.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::{LocalAws, python, root};

/// A process that reads accounts, one after the other: its start is what takes longest.
#[derive(Debug)]
pub struct Reader {
    process: Child,
    asked: ChildStdin,
    answered: BufReader<ChildStdout>,
}

impl Reader {
    /// Starts one.
    pub fn start() -> Self {
        let mut process = Command::new(python())
            .arg(root().join("tests/topology.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python starts");
        let asked = process.stdin.take().expect("stdin is piped");
        let answered = BufReader::new(process.stdout.take().expect("stdout is piped"));
        Self { process, asked, answered }
    }

    /// Everything in the account: `service kind name {attributes}`, sorted.
    pub fn read(&mut self, aws: &LocalAws) -> Vec<String> {
        writeln!(self.asked, "{}", aws.url).expect("the reader listens");
        let mut line = String::new();
        self.answered.read_line(&mut line).expect("the reader answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("the account cannot be read ({error})"))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What is missing (`-`) and what is too much (`+`); empty where both hold the same, as often.
pub fn difference(wanted: &[String], found: &[String]) -> Vec<String> {
    let mut extra: Vec<&String> = found.iter().collect();
    let mut lines = Vec::new();
    for line in wanted {
        match extra.iter().position(|other| *other == line) {
            Some(at) => {
                extra.remove(at);
            }
            None => lines.push(format!("- {line}")),
        }
    }
    lines.extend(extra.into_iter().map(|line| format!("+ {line}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_difference_counts() {
        let lines = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert!(difference(&lines("a b b"), &lines("b a b")).is_empty());
        assert_eq!(difference(&lines("a b"), &lines("b b c")), ["- a", "+ b", "+ c"]);
    }
}
