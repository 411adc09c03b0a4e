//! Schemathesis: requests made from the OpenAPI document, good and bad ones, against a running server.

use std::{fmt::Write as _, process::Command};

/// What is checked. Not whether every request that fits the document is taken: cursors, receipts and balances decide.
const LEFT_OUT: &str = "positive_data_acceptance";

/// Who asks.
pub struct Caller<'a> {
    pub user_id: &'a str,
    pub access_token: &'a str,
    pub operator_key: &'a str,
}

/// Runs it; fails with what it found. Answers how many cases it made. The caller is gone afterwards: the operation that
/// deletes it comes last.
pub fn run(api: &str, caller: &Caller<'_>) -> String {
    let (cases, count) = some(api, caller, &["--exclude-operation-id", DELETES]);
    assert!(count > 500, "too few cases to tell anything: {cases}");
    some(api, caller, &["--include-operation-id", DELETES]);
    cases
}

const DELETES: &str = "delete_player";

fn some(api: &str, caller: &Caller<'_>, which: &[&str]) -> (String, usize) {
    let program = std::env::var("SCHEMATHESIS").expect(
        "SCHEMATHESIS names the program that server/tests/schemathesis/setup.sh installs; `make test-server` sets it",
    );
    let directory = tempfile::tempdir().expect("a directory");
    let mut config = String::new();
    for (scheme, token) in [("access_token", caller.access_token), ("operator_key", caller.operator_key)] {
        writeln!(config, "[auth.openapi.{scheme}]\nbearer = {token:?}").expect("text");
    }
    writeln!(config, "[parameters]\n\"path.id\" = {:?}", caller.user_id).expect("text");
    let file = directory.path().join("schemathesis.toml");
    std::fs::write(&file, config).expect("written");
    let output = Command::new(program)
        .current_dir(directory.path())
        .args(["--no-color", "--config-file"])
        .arg(&file)
        .args(["run", &format!("{api}/openapi.json"), "--exclude-checks", LEFT_OUT])
        .args(which)
        .args([
            "--max-examples",
            "30",
            "--seed",
            "20260506",
            "--no-shrink",
            "--continue-on-failure",
            "--warnings",
            "off",
        ])
        .output()
        .expect("Schemathesis starts");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let cases = said.split("Test cases:").nth(1).and_then(|rest| rest.lines().nth(1)).expect("a count of cases").trim();
    let count: usize = cases.split(' ').next().and_then(|count| count.parse().ok()).expect("a count of cases");
    (cases.to_owned(), count)
}
