//! What was taken out of the blueprint and is put back: no old idempotency token answers for what is gone.

use provision_tests::{LocalAws, root, without};

#[test]
fn sections_come_and_go() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let whole = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let bare = without(&without(&without(&whole, "servers"), "domain"), "assets");
    let whole = aws.blueprint("whole.toml", &whole);
    let bare = aws.blueprint("bare.toml", &bare);
    for blueprint in [&whole, &bare, &whole, &bare, &whole] {
        aws.done(&["up", blueprint, "--yes", "--control-plane-only", "--allow-data-loss"]);
        aws.done(&["plan", "--check", blueprint]);
    }
    let down = aws.done(&["down", &whole, "--yes", "--allow-data-loss"]);
    assert!(down.out.contains("0 left"), "{}", down.out);
}
