//! The game's assets: only what changed is uploaded, clients see whole versions alone, and old ones go when their time is over.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use provision_tests::assets::{BLUEPRINT, Stack, objects, slow};
use provision_tests::held::Held;
use provision_tests::{LocalAws, ask, root};
use serde_json::{Value, json};

#[test]
fn a_thousand_files_three_changed_three_uploaded() {
    let stack = Stack::up();
    for i in 0..1000 {
        let extension = ["png", "ogg", "json", "bin"][i % 4];
        stack.write(&format!("level-{}/{i}.{extension}", i % 10), format!("contents of {i}").as_bytes());
    }
    let diff = stack.aws.done(&stack.arguments("diff", &["--json"])).json();
    assert_eq!((diff["added"].as_array().map(Vec::len), &diff["version"]), (Some(1000), &Value::Null));
    stack.aws.forget_calls();
    let first = stack.published("push", &[]);
    let (put, told) = stack.put();
    println!("first push: {} objects, {} puts, CloudFront told {told} times", objects(&put), put.len());
    assert_eq!((objects(&put), put.len(), told), (1000, 1002, 1));
    assert_eq!((&first["version"], &first["invalidation"]), (&json!(1), &json!("completed")));
    let whole = stack.whole();
    println!("a client finds {whole}");
    assert_eq!(
        (&whole["files"], &whole["sha256"], &whole["cache"]),
        (&json!(1000), &first["manifest"], &json!("public, max-age=60"))
    );
    let types = json!({"image/png": 250, "audio/ogg": 250, "application/json": 250, "application/octet-stream": 250});
    assert_eq!(whole["types"], types);

    for i in [3, 500, 999] {
        let extension = ["png", "ogg", "json", "bin"][i % 4];
        stack.write(&format!("level-{}/{i}.{extension}", i % 10), format!("other contents of {i}").as_bytes());
    }
    std::fs::rename(stack.files.path().join("level-0/0.png"), stack.files.path().join("level-0/new.png"))
        .expect("moved");
    let diff = stack.run("diff", &["--json", "--check"]);
    assert_eq!(diff.code, Some(3), "{}", diff.err);
    let diff = diff.json();
    let count = |name: &str| diff[name].as_array().map(Vec::len);
    assert_eq!((count("changed"), count("added"), count("removed")), (Some(3), Some(1), Some(1)));
    let sizes: usize = [3, 500, 999].iter().map(|i| format!("other contents of {i}").len()).sum();
    assert_eq!(diff["download_bytes"], json!(sizes), "what was moved is not downloaded again");
    stack.aws.forget_calls();
    let second = stack.published("push", &[]);
    let (put, told) = stack.put();
    println!("3 changed, 1 moved: put {put:#?}, CloudFront told {told} times");
    assert_eq!((objects(&put), put.len(), told), (3, 5, 1));
    assert_eq!((put.last().map(String::as_str), &second["uploaded"]), (Some("manifest.json"), &json!(3)));
    assert_eq!(stack.whole()["version"], json!(2));

    stack.aws.forget_calls();
    let again = stack.published("push", &[]);
    assert_eq!((again["version"].clone(), stack.put()), (json!(2), (vec![], 0)), "nothing changed, nothing is written");
    assert_eq!(stack.run("diff", &["--check"]).code, Some(0));
}

#[test]
fn killed_in_the_middle_clients_see_the_old_version_and_the_next_push_resumes() {
    let stack = Stack::up();
    for i in 0..40 {
        stack.write(&format!("{i}.txt"), format!("first {i}").as_bytes());
    }
    stack.published("push", &[]);
    let before = stack.whole();
    for i in 0..200 {
        stack.write(&format!("{i}.txt"), format!("second {i}").as_bytes());
    }
    let large = std::fs::File::create(stack.files.path().join("large.bin")).expect("made");
    large.set_len(70 << 20).expect("a sparse file");
    // Killed at the hundredth object, and again at the third part of the large one.
    for (action, nth) in [("PutObject", 100), ("UploadPart", 3)] {
        stack.aws.control("DELETE", "/_local/faults", "");
        stack.aws.forget_calls();
        let resource = "objects/";
        let fault = |pid| json!({"service": "s3", "action": action, "nth": nth, "kind": "kill_before", "pid": pid, "resource": resource});
        let killed = stack.begin("push", fault).wait();
        assert_eq!(killed.code, None, "{}", killed.err);
        let (keys, uploads) = stack.keys();
        let there = keys.iter().filter(|key| key.starts_with("objects/")).count();
        println!("killed at {action} {nth}: {there} of 241 objects are there, {uploads} uploads are unfinished");
        assert_eq!(stack.whole(), before, "clients still see the old version, whole");
    }
    stack.aws.control("DELETE", "/_local/faults", "");
    let (keys, _) = stack.keys();
    let there = keys.iter().filter(|key| key.starts_with("objects/")).count();
    assert!(there > 40 + 50, "{there}");
    stack.aws.forget_calls();
    let resumed = stack.published("push", &[]);
    let (put, _) = stack.put();
    println!("resumed: {} of 201 new objects uploaded, {} were there", objects(&put), 201 - objects(&put));
    assert_eq!(objects(&put), 241 - there);
    assert_eq!((&resumed["version"], stack.keys().1), (&json!(2), 0));
    let whole = stack.whole();
    assert_eq!((&whole["version"], &whole["files"]), (&json!(2), &json!(201)));
}

#[test]
fn back_in_one_write_and_old_versions_go() {
    let stack = Stack::up();
    stack.write("common.txt", b"in every version");
    let mut hashes = Vec::new();
    for version in 1..=3 {
        stack.write("own.txt", format!("of version {version}").as_bytes());
        hashes.push(stack.published("push", &[])["manifest"].clone());
        assert_eq!(stack.manifest()["version"], json!(version), "the edge was told");
    }
    let everything = stack.keys().0;
    stack.aws.forget_calls();
    let back = stack.published("rollback", &[]);
    println!("rolled back: {back}");
    assert_eq!(stack.put(), (vec!["manifest.json".to_owned()], 1), "one write, one invalidation");
    assert_eq!((&back["version"], &back["manifest"]), (&json!(2), &hashes[1]));
    assert_eq!(stack.whole()["sha256"], hashes[1]);
    assert_eq!(stack.published("rollback", &["--to", "3"])["version"], json!(3));
    assert_eq!(stack.published("rollback", &["--to", "1"])["version"], json!(1));
    let none = stack.run("rollback", &[]);
    assert_eq!(none.code, Some(1), "{}", none.err);
    assert!(none.err.contains("no earlier version") && none.err.contains("assets list"), "{}", none.err);
    assert_eq!(stack.keys().0, everything, "rollbacks write and delete nothing else");

    // Two more pushes: three are kept, with all that they name.
    let mut pruned = Vec::new();
    for version in 4..=6 {
        stack.write("own.txt", format!("of version {version}").as_bytes());
        let pushed = stack.published("push", &[]);
        assert_eq!(pushed["version"], json!(version));
        pruned.extend(pushed["pruned_versions"].as_array().expect("a list").clone());
    }
    println!("pruned {pruned:?}");
    let list = stack.aws.done(&stack.arguments("list", &["--json"])).json();
    let versions = list["versions"].as_array().expect("versions");
    let told: Vec<_> =
        versions.iter().map(|v| (v["version"].clone(), v["current"].clone(), v["files"].clone())).collect();
    let expected = [(6, true), (5, false), (4, false)].map(|(v, current)| (json!(v), json!(current), json!(2)));
    assert_eq!(told, expected);
    let (keys, _) = stack.keys();
    println!("kept: {keys:#?}");
    // What every version has, three of their own, three manifests and the one that counts.
    assert_eq!(keys.len(), 8);
    for version in [4, 5, 6] {
        stack.published("rollback", &["--to", &version.to_string()]);
        assert_eq!(stack.whole()["version"], json!(version));
    }
    let gone = stack.run("rollback", &["--to", "2"]);
    assert!(gone.code == Some(1) && gone.err.contains("there are 6, 5, 4"), "{}", gone.err);
}

#[test]
fn two_at_once_and_a_teardown_meanwhile() {
    let stack = Stack::up();
    for i in 0..60 {
        stack.write(&format!("{i}.txt"), format!("{i}").as_bytes());
    }
    stack.aws.forget_calls();
    let first = stack.begin("push", slow("objects/", 2500));
    stack.await_call("PutObject", "objects/");
    let second = stack.run("push", &[]);
    assert_eq!(second.code, Some(5), "{}", second.err);
    assert!(second.err.contains("has been working on this stack since"), "{}", second.err);
    let down = stack.aws.run(&["down", &stack.blueprint, "--yes", "--allow-data-loss"]);
    assert_eq!(down.code, Some(5), "{}", down.err);
    // `up` is not kept waiting.
    stack.aws.done(&["up", &stack.blueprint, "--yes"]);
    let first = first.wait();
    assert_eq!(first.code, Some(0), "{}", first.err);
    let (put, _) = stack.put();
    println!("beside a second push, a teardown and an up: {} objects were put, none twice", objects(&put));
    assert_eq!((objects(&put), put.iter().collect::<BTreeSet<_>>().len()), (60, 62));
    assert_eq!(stack.whole()["files"], json!(60));

    // Somebody who knows of no lease writes the manifest meanwhile: it is not overwritten.
    stack.write("new.txt", b"new");
    stack.aws.control("DELETE", "/_local/faults", "");
    stack.aws.forget_calls();
    let pushing = stack.begin("push", slow("manifests/", 15000));
    stack.await_call("PutObject", "manifests/");
    let rewrite = "import json\nbucket = next(b['Name'] for b in api.list_buckets()['Buckets'] if '-assets-' in b['Name'])\n\
        body = api.get_object(Bucket=bucket, Key='manifest.json')['Body'].read()\n\
        api.put_object(Bucket=bucket, Key='manifest.json', Body=body + b' ')";
    stack.aws.boto3("s3", rewrite);
    let overtaken = pushing.wait();
    assert_eq!(overtaken.code, Some(5), "{}", overtaken.err);
    assert!(overtaken.err.contains("somebody else published a manifest meanwhile"), "{}", overtaken.err);
    assert_eq!(stack.manifest()["version"], json!(1));
    stack.aws.control("DELETE", "/_local/faults", "");

    // What was pushed is guarded, and the way out is named.
    let down = stack.aws.run(&["down", &stack.blueprint, "--yes"]);
    assert_eq!(down.code, Some(1), "{}", down.err);
    assert!(down.err.contains("holds objects") && down.err.contains("--allow-data-loss"), "{}", down.err);
    let down = stack.aws.done(&["down", &stack.blueprint, "--yes", "--allow-data-loss"]);
    assert!(down.out.contains("0 left"), "{}", down.out);
}

#[test]
fn what_cannot_be_pushed_is_told_and_nothing_is_half_done() {
    let stack = Stack::up();
    let empty = stack.run("push", &[]);
    assert!(empty.code == Some(1) && empty.err.contains("holds no files"), "{}", empty.err);
    stack.write("a.txt", b"1");
    stack.write("A.txt", b"2");
    std::os::unix::fs::symlink("a.txt", stack.files.path().join("link")).expect("linked");
    let unfit = stack.run("push", &[]);
    assert_eq!(unfit.code, Some(1), "{}", unfit.err);
    for part in ["A.txt, a.txt: differ only in case", "link: is a symbolic link", "nothing was uploaded"] {
        assert!(unfit.err.contains(part), "{part} is not in\n{}", unfit.err);
    }
    assert!(stack.keys().0.is_empty());
    for name in ["A.txt", "link"] {
        std::fs::remove_file(stack.files.path().join(name)).expect("removed");
    }
    stack.write(".hidden", b"x");
    let pushed = stack.run("push", &[]);
    assert!(pushed.code == Some(0) && pushed.err.contains("1 hidden"), "{}", pushed.err);

    // Changed between the look at it and its upload.
    stack.write("b.txt", b"before");
    stack.aws.forget_calls();
    let list = |_| json!({"service": "s3", "action": "ListObjectsV2", "kind": "latency", "ms": 3000});
    let pushing = stack.begin("push", list);
    stack.await_call("ListObjectsV2", "");
    stack.write("b.txt", b"aftera");
    let changed = pushing.wait();
    assert_eq!(changed.code, Some(1), "{}", changed.err);
    assert!(changed.err.contains("b.txt changed while it was being pushed"), "{}", changed.err);
    assert_eq!(stack.manifest()["version"], json!(1));
    stack.aws.control("DELETE", "/_local/faults", "");

    let bare = stack.aws.blueprint("bare.toml", BLUEPRINT.split("[assets]").next().expect("text"));
    let without = stack.aws.run(&["assets", "push", stack.path(), &bare]);
    assert!(without.code == Some(2) && without.err.contains("has no [assets]"), "{}", without.err);
    let other = stack.aws.blueprint("other.toml", &BLUEPRINT.replace("\"dev\"", "\"live\""));
    let absent = stack.aws.run(&["assets", "push", stack.path(), &other]);
    assert!(absent.code == Some(1) && absent.err.contains("game-live"), "{}", absent.err);
    assert!(absent.err.contains("no bucket for assets") && absent.err.contains("provision up"), "{}", absent.err);
    let undirected = stack.aws.run(&["assets", "push", &stack.blueprint]);
    assert!(undirected.code == Some(2) && undirected.err.contains("no directory is named"), "{}", undirected.err);
    let by_name = stack.aws.run(&["assets", "push", stack.path(), "--stack", "game-dev"]);
    assert_eq!(by_name.code, Some(0), "{}", by_name.err);
}

#[test]
fn ten_thousand_files_in_bounded_memory() {
    let stack = Stack::up();
    let mut bytes = vec![0u8; 8 << 10];
    for i in 0..10_000u32 {
        bytes[..4].copy_from_slice(&i.to_le_bytes());
        stack.write(&format!("{}/{i}.dat", i % 100), &bytes);
    }
    let command = stack.aws.provision(&stack.arguments("push", &[]));
    let mut held = Held::new(&command);
    let status = format!("/proc/{}/status", held.pid());
    held.go();
    let (begun, mut peak) = (Instant::now(), 0);
    while !held.ended() && begun.elapsed() < Duration::from_secs(230) {
        peak = peak.max(high_water(Path::new(&status)));
        std::thread::sleep(Duration::from_millis(50));
    }
    let pushed = held.wait();
    assert_eq!(pushed.code, Some(0), "{}", pushed.err);
    println!("10000 files of 80 MiB pushed in {:.0} s, VmHWM {} MiB", begun.elapsed().as_secs_f64(), peak >> 10);
    println!("{}", pushed.err.lines().filter(|line| line.contains("/10000 objects")).collect::<Vec<_>>().join("\n"));
    assert!(peak > 0 && peak < 160 << 10, "{peak} KiB");
    let manifest = stack.manifest();
    assert_eq!(manifest["files"].as_array().map(Vec::len), Some(10_000));
    // What is there is seen by lists of a thousand, not one by one.
    stack.aws.forget_calls();
    stack.published("push", &[]);
    let calls = stack.aws.calls();
    println!("a push of 10000 files of which none changed: {} calls", calls.len());
    assert!(calls.len() < 60, "{}", calls.len());
}

/// The most memory that a process has had so far, in KiB.
fn high_water(status: &Path) -> u64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// What a player's app does: one conditional request after the other.
const POLL: &str = "
import json, sys, time, urllib.error, urllib.request
def ask(etag):
    request = urllib.request.Request('API/v1/manifest', headers={'If-None-Match': etag} if etag else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.headers.get('etag'), json.load(answer), answer.headers.get('content-location')
    except urllib.error.HTTPError as error:
        return error.code, etag, None, None
etag, wanted, counts, found = 'ETAG', WANTED, {}, None
until = time.time() + 40
while time.time() < until:
    status, etag, body, location = ask(etag)
    counts[status] = counts.get(status, 0) + 1
    if body and body['version'] == wanted:
        again = [ask(etag)[0] for _ in range(5)]
        found = {'version': body['version'], 'files': len(body['files']), 'etag': etag, 'location': location, 'again': again}
        break
    time.sleep(0.2)
print(json.dumps({'counts': counts, 'found': found}))";

#[test]
fn the_servers_answer_one_conditional_request() {
    let aws = LocalAws::start(&["--time-scale", "60"]);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let files = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| std::fs::write(files.path().join(name), text).expect("written");
    let text = text.replace("[assets]\n", &format!("[assets]\ndirectory = {:?}\n", files.path()));
    let blueprint = aws.blueprint("rehearsal.toml", &text);
    aws.done(&["up", &blueprint, "--yes"]);
    let outputs = aws.done(&["outputs", &blueprint, "--json"]).json();
    let (api, assets) = (outputs["api_url"].as_str().expect("an address"), outputs["assets_url"].as_str());
    let poll = |etag: &str, version: u64| -> Value {
        let code = POLL.replace("API", api).replace("ETAG", etag).replace("WANTED", &version.to_string());
        serde_json::from_str(&aws.boto3("sts", &code)).expect("JSON")
    };
    let nothing = ask(api, "GET", "/v1/manifest", "").expect("an answer");
    assert_eq!(nothing["type"], json!("/problems/assets-unpublished"), "{nothing}");
    write("a.txt", "one");
    aws.done(&["assets", "push", &blueprint]);
    let mut first = poll("", 1);
    // Each server remembers for some seconds that there was none.
    for _ in 0..20 {
        if first["found"]["again"] == json!([304, 304, 304, 304, 304]) {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
        first = poll("", 1);
    }
    println!("after the first push: {first}");
    let found = &first["found"];
    assert_eq!((&found["files"], &found["again"]), (&json!(1), &json!([304, 304, 304, 304, 304])));
    assert_eq!(found["location"].as_str(), assets.map(|url| format!("{url}/manifest.json")).as_deref());
    write("b.txt", "two");
    aws.done(&["assets", "push", &blueprint]);
    let etag = found["etag"].as_str().expect("an ETag").trim_matches('"').to_owned();
    let second = poll(&format!("\"{etag}\""), 2);
    println!("after the second push: {second}");
    assert_eq!(second["found"]["files"], json!(2));
    let statuses: Vec<&String> = second["counts"].as_object().expect("counts").keys().collect();
    assert!(statuses.iter().all(|status| ["200", "304"].contains(&status.as_str())), "{statuses:?}");
    aws.done(&["down", &blueprint, "--yes", "--allow-data-loss"]);
}
