//! The lease under attack: its holder stopped, its holder killed on another machine, two first runs at once.

use std::time::{Duration, Instant, SystemTime};

use provision_tests::dice::Dice;
use provision_tests::held::Held;
use provision_tests::topology::{Reader, difference};
use provision_tests::{LocalAws, Ran, root};

const HOME: &str = "eu-central-1";

fn small(environment: &str) -> String {
    format!(
        "[stack]\nname = \"game\"\nenvironment = \"{environment}\"\nregion = \"{HOME}\"\n\n\
         [network]\ncidr = \"10.0.0.0/16\"\nzones = 2\nnat = \"none\"\n"
    )
}

/// A stack and its lease.
struct Attacked<'a> {
    aws: &'a LocalAws,
    stack: String,
    blueprint: String,
}

impl<'a> Attacked<'a> {
    /// Starts its first `up`.
    fn start(aws: &'a LocalAws, environment: &str) -> (Self, Held) {
        let blueprint = aws.blueprint(&format!("{environment}.toml"), &small(environment));
        let mut holder = Held::new(&aws.provision(&["up", &blueprint, "--yes"]));
        holder.go();
        (Self { aws, stack: format!("game-{environment}"), blueprint }, holder)
    }

    fn up(&self) -> Ran {
        self.aws.run(&["up", &self.blueprint, "--yes"])
    }

    /// Does `code` with `lease`, what the lease object says; returns what it prints.
    fn lease(&self, code: &str) -> String {
        let stack = &self.stack;
        self.aws.boto3(
            "s3",
            &format!(
                "import json, datetime\n\
                 [bucket] = [b['Name'] for b in api.list_buckets()['Buckets'] if b['Name'].startswith('{stack}-stack-')]\n\
                 place = {{'Bucket': bucket, 'Key': 'lease/holder'}}\n\
                 lease = json.load(api.get_object(**place)['Body'])\n{code}"
            ),
        )
    }

    /// When the lease ends, unless it is renewed.
    fn until(&self) -> SystemTime {
        let seconds = self.lease("print(datetime.datetime.fromisoformat(lease['until']).timestamp())");
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(seconds.trim().parse().expect("seconds"))
    }

    fn vpcs(&self) -> usize {
        self.aws.listing(HOME, &self.stack).iter().filter(|line| line.starts_with("ec2 vpcs")).count()
    }

    fn refused(&self) {
        let ran = self.up();
        assert_eq!(ran.code, Some(5), "{}\n{}", self.stack, ran.err);
        let who = self.lease("print(lease['who'], lease['since'][:19])");
        let (who, since) = who.trim().rsplit_once(' ').expect("who and since");
        assert!(ran.err.contains(who) && ran.err.contains(since), "{who} since {since}: {}", ran.err);
    }

    fn taken_over(&self) {
        let ran = self.up();
        assert_eq!(ran.code, Some(0), "{}\n{}", self.stack, ran.err);
        assert_eq!(self.vpcs(), 1);
    }

    fn ends_well(&self) {
        self.aws.done(&["plan", "--check", &self.blueprint]);
        self.aws.done(&["down", &self.blueprint, "--yes"]);
        assert!(self.aws.listing(HOME, &self.stack).is_empty());
    }
}

#[test]
fn a_holder_that_is_stopped_or_dies_elsewhere_loses_it_when_it_ends() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let slow = r#"{"service": "ec2", "action": "CreateVpc", "kind": "latency", "ms": 3000}"#;
    aws.control("POST", "/_local/faults", slow);
    let (stopped, its_holder) = Attacked::start(&aws, "stopped");
    let (killed, other_holder) = Attacked::start(&aws, "killed");
    let started = Instant::now();
    while aws.calls().iter().filter(|c| c.action == "CreateVpc").count() < 2 {
        assert!(started.elapsed() < Duration::from_secs(60), "the runs make no VPC");
        std::thread::sleep(Duration::from_millis(50));
    }
    its_holder.signal("STOP");
    other_holder.signal("KILL");
    aws.control("DELETE", "/_local/faults", "");
    // Nobody here can see whether a process of another machine still lives.
    killed.lease("lease['boot'] = 'of another machine'; api.put_object(**place, Body=json.dumps(lease).encode())");

    let ends = stopped.until().max(killed.until());
    stopped.refused();
    killed.refused();
    assert!(SystemTime::now() < ends, "both were asked while the lease was not over");
    while SystemTime::now() <= ends {
        std::thread::sleep(Duration::from_millis(500));
    }
    killed.taken_over();
    stopped.taken_over();

    // The stopped one goes on: it must notice before it changes anything.
    let lease = stopped.lease("print(lease)");
    aws.forget_calls();
    its_holder.signal("CONT");
    let ran = its_holder.wait();
    assert_eq!(ran.code, Some(1), "{}", ran.err);
    assert!(ran.err.contains("no longer held by this run"), "{}", ran.err);
    // Its journal is evidence, and may still be uploaded.
    let changed: Vec<_> = aws.calls().into_iter().filter(|c| c.mutating && c.action != "PutObject").collect();
    assert!(changed.is_empty(), "{changed:?}");
    assert_eq!(stopped.lease("print(lease)"), lease, "the lease is left as it was");
    stopped.ends_well();
    killed.ends_well();
}

#[test]
fn the_first_run_of_all_by_two_at_once() {
    let mut dice = Dice::cast();
    let origin = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let blueprint = origin.blueprint("rehearsal.toml", &text);
    let up = ["up", &blueprint, "--yes", "--control-plane-only"];
    let mut reader = Reader::start();
    let alone = origin.copy(None);
    alone.done(&up);
    let complete = reader.read(&alone);
    drop(alone);
    for action in ["CreateBucket", "PutPublicAccessBlock", "PutObject"] {
        let aws = origin.copy(None);
        // They meet while the bucket is made, while it is set up, or at the lease.
        let slow = format!(r#"{{"service": "s3", "action": "{action}", "kind": "latency", "ms": 400}}"#);
        aws.control("POST", "/_local/faults", &slow);
        let mut both: Vec<Held> = (0..2).map(|_| Held::new(&aws.provision(&up))).collect();
        for held in &mut both {
            held.go();
            std::thread::sleep(Duration::from_millis(dice.roll(400)));
        }
        let ran: Vec<Ran> = both.into_iter().map(Held::wait).collect();
        let mut codes: Vec<_> = ran.iter().map(|r| r.code).collect();
        codes.sort_unstable();
        assert_eq!(codes, [Some(0), Some(5)], "{action}: {ran:#?}");
        let held = ran.iter().find(|r| r.code == Some(5)).expect("one was refused");
        assert!(held.err.contains("has been working on this stack since"), "{action}: {}", held.err);
        let different = difference(&complete, &reader.read(&aws));
        assert!(different.is_empty(), "{action}: {different:#?}");
    }
}
