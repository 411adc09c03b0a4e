//! Create, no change, delete: the whole rehearsal topology on the control plane.

use std::collections::BTreeSet;
use std::process::Stdio;
use std::time::Duration;

use provision_tests::{LocalAws, root};

const HOME: &str = "eu-central-1";

fn rehearsal() -> String {
    std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships")
}

fn aws() -> LocalAws {
    LocalAws::start(&["--no-waits", "--control-plane-only"])
}

/// The addresses and kinds that `status` knows.
fn resources(aws: &LocalAws, stack: &str, region: &str) -> BTreeSet<String> {
    let ran = aws.done(&["status", "--stack", stack, "--region", region, "--json"]);
    let document = ran.json();
    let all = document["resources"].as_array().expect("resources").clone();
    all.iter().map(|r| r["address"].as_str().expect("an address").to_owned()).collect()
}

#[test]
fn create_no_change_delete() {
    let aws = aws();
    let blueprint = aws.blueprint("rehearsal.toml", &rehearsal());
    let before = aws.listing(HOME, "game-dev");
    assert!(before.is_empty(), "{before:?}");
    let up = ["up", &blueprint, "--yes", "--control-plane-only"];
    aws.forget_calls();
    aws.done(&up);
    let calls = aws.calls();
    let made = aws.listing(HOME, "game-dev");
    let count = resources(&aws, "game-dev", HOME).len();
    // Lease and journal are PutObject; the release is the one object that is a resource.
    let ours = calls.iter().filter(|c| c.mutating && c.action != "PutObject").count();
    println!("up of {count} resources: {} calls, {ours} of them mutate", calls.len());
    assert!(ours <= 2 * count, "{ours} mutating calls for {count} resources");
    assert!(made.len() > 60, "{made:#?}");

    aws.forget_calls();
    let again = aws.done(&up);
    assert!(again.err.contains("no changes"), "{}", again.err);
    let mutating: Vec<_> = aws.calls().into_iter().filter(|c| c.mutating).collect();
    assert!(mutating.is_empty(), "{mutating:?}");
    assert_eq!(aws.listing(HOME, "game-dev"), made);

    aws.forget_calls();
    aws.done(&["plan", "--check", &blueprint]);
    let calls = aws.calls();
    println!("no-op plan of {count} resources: {} calls", calls.len());
    assert!(calls.len() <= 110, "{} calls: {calls:#?}", calls.len());
    assert!(calls.iter().all(|c| !c.mutating), "{calls:?}");

    let down = aws.done(&["down", "--stack", "game-dev", "--region", HOME, "--yes", "--allow-data-loss"]);
    assert!(down.out.contains("0 left"), "{}", down.out);
    assert_eq!(aws.listing(HOME, "game-dev"), before);
    let again = aws.done(&["down", "--stack", "game-dev", "--region", HOME, "--yes", "--allow-data-loss"]);
    assert!(again.out.contains("0 left"), "{}", again.out);
}

#[test]
fn stacks_do_not_touch_each_other() {
    let aws = aws();
    let text = rehearsal();
    let one = aws.blueprint("one.toml", &text);
    let two = text.replace("environment = \"dev\"", "environment = \"dev-2\"").replace("game.test", "game-two.test");
    let two = aws.blueprint("two.toml", &two);
    let far = aws.blueprint("far.toml", &text.replace(HOME, "us-west-2").replace("game.test", "game-far.test"));
    for blueprint in [&one, &two] {
        aws.done(&["up", blueprint, "--yes", "--control-plane-only"]);
    }
    aws.done(&["up", &far, "--yes", "--control-plane-only", "--region", "us-west-2"]);
    let second = aws.listing(HOME, "game-dev-2");
    let elsewhere = aws.listing("us-west-2", "game-dev");
    assert!(second.len() > 60 && elsewhere.len() > 60);
    aws.done(&["down", &one, "--yes", "--allow-data-loss"]);
    assert_eq!(aws.listing(HOME, "game-dev"), BTreeSet::new());
    assert_eq!(aws.listing(HOME, "game-dev-2"), second);
    assert_eq!(aws.listing("us-west-2", "game-dev"), elsewhere);
    aws.done(&["plan", "--check", &two]);
    aws.done(&["plan", "--check", &far, "--region", "us-west-2"]);
}

#[test]
fn what_is_held_back_is_named() {
    let aws = aws();
    let text = "[stack]\nname = \"game\"\nenvironment = \"dev\"\nregion = \"eu-central-1\"\n";
    let blueprint = aws.blueprint("bucket.toml", text);
    aws.done(&["up", &blueprint, "--yes"]);
    let volume = aws.boto3(
        "ec2",
        "print(api.create_volume(AvailabilityZone='eu-central-1a', Size=1, TagSpecifications=[{'ResourceType': 'volume', 'Tags': [\
         {'Key': 'provision:stack', 'Value': 'game-dev'}, {'Key': 'provision:home', 'Value': 'eu-central-1'}]}])['VolumeId'])",
    );
    let down = aws.run(&["down", &blueprint, "--yes"]);
    assert_eq!(down.code, Some(4), "{}\n{}", down.out, down.err);
    assert!(down.err.contains(volume.trim()) && down.out.contains("1 left"), "{}\n{}", down.out, down.err);
    aws.boto3("ec2", &format!("api.delete_volume(VolumeId='{}')", volume.trim()));
    let down = aws.done(&["down", &blueprint, "--yes"]);
    assert!(down.out.contains("0 left"), "{}", down.out);
}

#[test]
fn killed_five_times_it_still_converges() {
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(|| {
        u64::from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(1, |d| d.subsec_nanos()))
    });
    println!("SEED={seed}");
    let mut dice = seed.max(1);
    let mut roll = |most: u64| {
        // xorshift: any spread of moments will do.
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        dice % most
    };
    let aws = aws();
    let blueprint = aws.blueprint("rehearsal.toml", &rehearsal());
    for _ in 0..5 {
        let mut up = aws
            .provision(&["up", &blueprint, "--yes", "--control-plane-only"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        std::thread::sleep(Duration::from_millis(500 + roll(4500)));
        let _ = up.kill();
        up.wait().expect("it is gone");
    }
    aws.done(&["up", &blueprint, "--yes", "--control-plane-only"]);
    aws.done(&["plan", "--check", &blueprint]);
    let reference = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    reference.done(&["up", &blueprint, "--yes", "--control-plane-only"]);
    let (ours, theirs) = (aws.listing(HOME, "game-dev"), reference.listing(HOME, "game-dev"));
    let kinds = |listing: &BTreeSet<String>| {
        let mut kinds: Vec<String> =
            listing.iter().map(|l| l.rsplit_once(' ').map_or(l.clone(), |(kind, _)| kind.to_owned())).collect();
        kinds.sort();
        kinds
    };
    let owned =
        |listing: &BTreeSet<String>| kinds(&listing.iter().filter(|l| !l.contains("owned_record")).cloned().collect());
    assert_eq!(owned(&ours), owned(&theirs));
    aws.done(&["down", &blueprint, "--yes", "--allow-data-loss"]);
    assert_eq!(aws.listing(HOME, "game-dev"), BTreeSet::new());
}
