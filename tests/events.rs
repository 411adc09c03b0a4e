//! What `--json` prints, held against `docs/events.schema.json`: every event of every sort of run, and the documents.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jsonschema::Validator;
use provision_tests::releases::good;
use provision_tests::{LocalAws, Ran, root};
use serde_json::{Value, json};

/// Values whose inside is not ours to describe: what AWS holds, and a blueprint (docs/blueprint.md).
const OPEN: &[&str] = &["before", "after", "blueprint", "summary", "line"];

/// Events that need running servers, and are held against the schema where these are: tests/drill.rs.
const ELSEWHERE: &[&str] = &["event_drill"];

/// The schema, and what was held against it.
struct Checked {
    schema: Value,
    whole: Validator,
    /// One example of each event and document, and how many there were.
    seen: BTreeMap<String, (usize, Value)>,
    /// Members that were there at least once: `change.learned_from`.
    members: BTreeSet<String>,
}

impl Checked {
    fn new() -> Self {
        let text = std::fs::read_to_string(root().join("docs/events.schema.json")).expect("the schema ships");
        let schema: Value = serde_json::from_str(&text).expect("JSON");
        assert!(jsonschema::meta::is_valid(&schema), "the schema is no JSON Schema");
        let whole = jsonschema::validator_for(&schema).expect("a schema of 2020-12");
        Self { schema, whole, seen: BTreeMap::new(), members: BTreeSet::new() }
    }

    /// Each line is an event.
    fn events(&mut self, ran: &Ran) {
        let mut count = 0;
        for line in ran.out.lines() {
            let event: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let name = event["event"].as_str().unwrap_or_else(|| panic!("no event: {line}")).to_owned();
            self.hold(&format!("event_{name}"), event);
            count += 1;
        }
        assert!(count > 0, "no event at all\n{}", ran.err);
    }

    /// The whole output is one document.
    fn document(&mut self, name: &str, ran: &Ran) {
        self.hold(name, ran.json());
    }

    fn hold(&mut self, name: &str, value: Value) {
        let only = json!({"$ref": format!("#/$defs/{name}"), "$defs": self.schema["$defs"]});
        let only = jsonschema::validator_for(&only).unwrap_or_else(|_| panic!("the schema does not know {name}"));
        let errors: Vec<String> = only.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{name}: {errors:#?}\n{value:#}");
        assert!(self.whole.is_valid(&value), "{name} is not among what the schema allows:\n{value:#}");
        members(&value, name, &mut self.members);
        let seen = self.seen.entry(name.to_owned()).or_insert((0, Value::Null));
        seen.0 += 1;
        // The longest says most.
        if value.to_string().len() > seen.1.to_string().len() {
            seen.1 = value;
        }
    }

    /// Every event and document of the schema.
    fn known(&self) -> BTreeSet<String> {
        let names = |list: &Value| -> Vec<String> {
            let refs = list.as_array().expect("a list").iter().filter_map(|r| r["$ref"].as_str());
            refs.map(|r| r.trim_start_matches("#/$defs/").to_owned()).collect()
        };
        let documents = names(&self.schema["oneOf"]).into_iter().filter(|name| name != "event");
        documents.chain(names(&self.schema["$defs"]["event"]["oneOf"])).collect()
    }

    /// What was seen, made wrong in every way that leaves the rest as it is: all of that must be refused.
    fn wrong_ones(&self) -> usize {
        let mut count = 0;
        for (name, (_, value)) in &self.seen {
            let mut wrong = Vec::new();
            spoil(value, &mut |spoilt| wrong.push(spoilt));
            if name.starts_with("event_") {
                let mut renamed = value.clone();
                renamed["event"] = "surprise".into();
                wrong.push(renamed);
            }
            for value in &wrong {
                assert!(!self.whole.is_valid(value), "{name}: the schema accepts\n{value:#}");
            }
            count += wrong.len();
        }
        count
    }
}

fn members(value: &Value, name: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, inner)| {
            found.insert(format!("{name}.{key}"));
            if !OPEN.contains(&key.as_str()) {
                members(inner, key, found);
            }
        }),
        Value::Array(items) => items.iter().for_each(|item| members(item, name, found)),
        _ => {}
    }
}

/// Every object in `value` once with a member too many, and the outermost once without each of its own.
fn spoil(value: &Value, wrong: &mut dyn FnMut(Value)) {
    let Value::Object(map) = value else { return };
    let optional = ["awaited", "cost", "playable_seconds", "drift", "warnings", "findings"];
    for key in map.keys().filter(|key| !optional.contains(&key.as_str()) || map.contains_key("event")) {
        let mut without = map.clone();
        without.remove(key);
        wrong(without.into());
    }
    more(value, wrong);
}

fn more(value: &Value, wrong: &mut dyn FnMut(Value)) {
    match value {
        Value::Object(map) => {
            let mut with = map.clone();
            with.insert("surprise".to_owned(), 1.into());
            wrong(with.into());
            for (key, inner) in map.iter().filter(|(key, _)| !OPEN.contains(&key.as_str())) {
                more(inner, &mut |spoilt| {
                    let mut whole = map.clone();
                    whole.insert(key.clone(), spoilt);
                    wrong(whole.into());
                });
            }
        }
        // The first of a list stands for all.
        Value::Array(items) if !items.is_empty() => more(&items[0], &mut |spoilt| {
            let mut whole = items.clone();
            whole[0] = spoilt;
            wrong(whole.into());
        }),
        _ => {}
    }
}

/// Runs of all sorts where nothing takes time.
fn at_once(checked: &mut Checked) {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let blueprint = aws.blueprint("rehearsal.toml", &text);
    let edited = aws.blueprint("edited.toml", &text.replace("backup_days = 1", "backup_days = 3"));
    let wrong = aws.blueprint("wrong.toml", &text.replace("[network]", "[netwrok]"));
    let fresh = aws.blueprint("fresh.toml", "").replace("fresh", "written");
    let up = |blueprint| ["up", blueprint, "--yes", "--control-plane-only", "--json"];

    checked.events(&aws.done(&["init", &fresh, "--json"]));
    checked.events(&aws.done(&["validate", &blueprint, "--json"]));
    checked.events(&aws.run(&["validate", &wrong, "--json"]));
    checked.document("plan", &aws.done(&["plan", &blueprint, "--json"]));

    // One call is refused for good: what depends on it is not tried.
    let denied = r#"{"service": "elasticache", "action": "CreateCacheSubnetGroup", "every": true, "kind": "error",
        "code": "AccessDenied", "message": "not allowed", "status": 403}"#;
    aws.control("POST", "/_local/faults", denied);
    let failing = aws.run(&up(&blueprint));
    assert_eq!(failing.code, Some(1), "{}", failing.err);
    checked.events(&failing);
    aws.control("DELETE", "/_local/faults", "");

    checked.events(&aws.done(&up(&blueprint)));
    checked.events(&aws.done(&up(&blueprint)));
    checked.document("plan", &aws.done(&["plan", &edited, "--json"]));
    checked.events(&aws.done(&up(&edited)));
    checked.document("status", &aws.done(&["status", &edited, "--json"]));
    checked.document("outputs", &aws.done(&["outputs", &edited, "--json"]));
    let release = good(Path::new(&edited).parent().expect("a directory"), 1);
    let roll = |verb: &[&str]| aws.done(&[verb, &[&edited, "--yes", "--control-plane-only", "--json"]].concat());
    checked.events(&roll(&["deploy", "--artifact", &release]));
    checked.document("releases", &aws.done(&["releases", &edited, "--json"]));
    checked.events(&roll(&["rollback"]));

    checked.document("graph", &aws.done(&["graph", &edited, "--json"]));
    checked.document("cost", &aws.done(&["cost", &edited, "--json"]));
    let picture = aws.blueprint("picture.svg", "");
    checked.document("graph", &aws.done(&["graph", &edited, "--plan", "--json", "--out", &picture]));
    assets(checked, &aws, &edited);
    let rule = "[{'IpProtocol': 'tcp', 'FromPort': 22, 'ToPort': 22, 'IpRanges': [{'CidrIp': '203.0.113.7/32'}]}]";
    let groups = "[g['GroupId'] for g in api.describe_security_groups()['SecurityGroups'] if g.get('Tags')]";
    aws.boto3(
        "ec2",
        &format!("[api.authorize_security_group_ingress(GroupId=g, IpPermissions={rule}) for g in {groups}]"),
    );
    checked.document("drift", &aws.done(&["drift", &edited, "--json"]));
    checked.document("plan", &aws.done(&["plan", &edited, "--json"]));

    watched(&aws, &edited, checked);
    hold_lease(&aws);
    let held = aws.run(&up(&blueprint));
    assert_eq!(held.code, Some(5), "{}", held.err);
    checked.events(&held);
    let status = aws.done(&["status", &edited, "--json"]);
    assert!(status.json()["lease"].is_object(), "{}", status.out);
    checked.document("status", &status);
    aws.boto3("s3", &format!("{FIND}\napi.delete_object(Bucket=bucket, Key='lease/holder')"));

    checked.events(&aws.done(&["down", &edited, "--yes", "--json", "--allow-data-loss"]));
}

/// What is told of the log, and of a stack while it changes.
fn watched(aws: &LocalAws, blueprint: &str, checked: &mut Checked) {
    let put = "import time\n\
        group = '/provision/game-dev/servers'\n\
        api.create_log_stream(logGroupName=group, logStreamName='i-1')\n\
        api.put_log_events(logGroupName=group, logStreamName='i-1', logEvents=[{'timestamp': int(time.time() * 1000), \
        'message': text} for text in ('{\"level\": \"INFO\", \"message\": \"up\"}', 'no JSON')])";
    aws.boto3("logs", put);
    checked.events(&aws.done(&["logs", blueprint, "--json"]));

    let mut command = aws.provision(&["status", blueprint, "--watch", "--json"]);
    let mut watching = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it starts");
    let mut lines = BufReader::new(watching.stdout.take().expect("piped")).lines();
    let mut out = lines.next().expect("the first status").expect("text") + "\n";
    aws.boto3("rds", "api.reboot_db_instance(DBInstanceIdentifier='game-dev-database', ForceFailover=True)");
    out += &lines.next().expect("a change").expect("text");
    let sent = Command::new("kill").args(["-INT", &watching.id().to_string()]).status();
    assert!(sent.expect("kill runs").success(), "it ended before the signal");
    assert_eq!(watching.wait().expect("it ends").code(), Some(130));
    checked.events(&Ran { code: Some(130), out, err: String::new() });
}

/// The game's assets: pushed twice, compared, listed, taken back.
fn assets(checked: &mut Checked, aws: &LocalAws, blueprint: &str) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("UTF-8");
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).expect("written");
    write("a.txt", "one");
    write("b.txt", "two");
    let push = ["assets", "push", path, blueprint, "--json", "--keep", "1"];
    checked.events(&aws.done(&push));
    write("a.txt", "three");
    write("c.txt", "four");
    std::fs::remove_file(directory.path().join("b.txt")).expect("removed");
    checked.document("assets_difference", &aws.done(&["assets", "diff", path, blueprint, "--json"]));
    checked.events(&aws.done(&push));
    checked.document("assets_versions", &aws.done(&["assets", "list", blueprint, "--json"]));
    checked.events(&aws.done(&["assets", "rollback", blueprint, "--json"]));
}

const FIND: &str = "bucket = next(b['Name'] for b in api.list_buckets()['Buckets'] if '-stack-' in b['Name'])";

/// Somebody on another machine takes the lease.
fn hold_lease(aws: &LocalAws) {
    let holder = "import datetime, json\n\
        now = datetime.datetime.now(datetime.timezone.utc)\n\
        text = lambda minutes: (now + datetime.timedelta(minutes=minutes)).strftime('%Y-%m-%dT%H:%M:%SZ')\n\
        holder = {'who': 'eve@laptop, process 1', 'since': text(-1), 'until': text(60), 'released': False,\n    \
        'nonce': 'n', 'boot': 'another', 'process': '1 1'}\n\
        api.put_object(Bucket=bucket, Key='lease/holder', Body=json.dumps(holder))";
    aws.boto3("s3", &format!("{FIND}\n{holder}"));
}

/// Runs that are stopped, or end before all is ready.
fn with_waits(checked: &mut Checked) {
    let aws = LocalAws::start(&["--control-plane-only", "--time-scale", "60"]);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let blueprint = aws.blueprint("rehearsal.toml", &text);
    let mut command = aws.provision(&["up", &blueprint, "--yes", "--control-plane-only", "--json"]);
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let started = Instant::now();
    while !aws.calls().iter().any(|call| call.action == "CreateDBInstance") {
        assert!(started.elapsed() < Duration::from_secs(120), "no database is made");
        std::thread::sleep(Duration::from_millis(50));
    }
    let sent = Command::new("kill").args(["-INT", &running.id().to_string()]).status();
    assert!(sent.expect("kill runs").success(), "it ended before the signal");
    let stopped = Ran::of(running.wait_with_output().expect("it ends"));
    assert_eq!(stopped.code, Some(130), "{}", stopped.err);
    checked.events(&stopped);
    checked.document("plan", &aws.done(&["plan", &blueprint, "--json"]));
    checked.document("status", &aws.done(&["status", &blueprint, "--json"]));
    let until = ["up", &blueprint, "--yes", "--control-plane-only", "--json", "--until", "playable"];
    checked.events(&aws.done(&until));
    checked.document("status", &aws.done(&["status", &blueprint, "--json"]));
    checked.events(&aws.done(&["down", &blueprint, "--yes", "--json", "--allow-data-loss"]));
}

#[test]
fn every_line_is_as_the_schema_says() {
    let mut checked = Checked::new();
    at_once(&mut checked);
    with_waits(&mut checked);
    let seen: BTreeSet<String> = checked.seen.keys().cloned().collect();
    let known: BTreeSet<String> =
        checked.known().into_iter().filter(|name| !ELSEWHERE.contains(&name.as_str())).collect();
    assert_eq!(seen, known, "left: seen, right: in the schema");
    for member in ["changes.learned_from", "resources.ready_in_seconds", "plan.awaited", "failed.advice", "lease.who"] {
        assert!(checked.members.contains(member), "{member} was never there: {:?}", checked.members);
    }
    let counts: Vec<String> = checked.seen.iter().map(|(name, (count, _))| format!("{name} {count}")).collect();
    let total: usize = checked.seen.values().map(|(count, _)| count).sum();
    let wrong = checked.wrong_ones();
    println!("{total} events and documents are as the schema says: {}", counts.join(", "));
    println!("{wrong} wrong ones refused");
    assert!(wrong > 100, "{wrong}");
}
