//! The other blueprints that ship: up, no change, protected, down.

use std::collections::BTreeSet;

use provision_tests::{LocalAws, root};

const HOME: &str = "eu-central-1";

/// Up, nothing to do, refused while protected; then unprotected and down, with what is kept and what is not.
/// Returns how many resources an independent listing found.
fn cycle(name: &str, stack: &str) -> usize {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let path = root().join("blueprints").join(format!("{name}.toml"));
    let text = std::fs::read_to_string(path).expect("the blueprint ships");
    let blueprint = aws.blueprint("shipped.toml", &text);
    aws.done(&["up", &blueprint, "--yes", "--control-plane-only"]);
    aws.done(&["plan", "--check", &blueprint]);
    let made = aws.listing(HOME, stack);

    let refused = aws.run(&["down", "--stack", stack, "--region", HOME, "--yes"]);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    assert!(
        refused.err.contains("deletion protection") && refused.err.contains("--allow-data-loss"),
        "{}",
        refused.err
    );
    assert_eq!(aws.listing(HOME, stack), made);

    // Protection is switched off on purpose; the data is still kept.
    let open = text.replace("deletion_protection = true", "deletion_protection = false");
    let open = aws.blueprint("open.toml", &open);
    aws.done(&["up", &open, "--yes", "--control-plane-only"]);
    let down = aws.done(&["down", &open, "--yes"]);
    assert!(down.out.contains("0 left"), "{}", down.out);
    let kept: Vec<&str> = down.err.lines().filter(|line| line.starts_with("kept: ")).collect();
    assert_eq!(kept.len(), 2, "a database snapshot and a table backup: {}", down.err);
    assert!(kept.iter().all(|line| line.contains("remove it with: aws ")), "{kept:?}");
    let snapshots = aws.boto3("rds", "print(len(api.describe_db_snapshots(SnapshotType='manual')['DBSnapshots']))");
    assert_eq!(snapshots.trim(), "1");
    assert_eq!(aws.listing(HOME, stack), BTreeSet::new());
    made.len()
}

#[test]
fn production() {
    println!("production: {} resources listed", cycle("production", "game-production"));
}

#[test]
fn starter() {
    println!("starter: {} resources listed", cycle("starter", "game-live"));
}
