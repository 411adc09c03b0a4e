//! Roll-outs whose runs were killed: what AWS went on with is taken up, and `rollback` leads to what served well.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use provision_tests::releases::good;
use provision_tests::{LocalAws, Ran, root};

const LIMIT: Duration = Duration::from_secs(120);

struct Stack {
    aws: LocalAws,
    blueprint: String,
    directory: PathBuf,
}

impl Stack {
    fn up() -> Self {
        let aws = LocalAws::start(&["--time-scale", "300", "--control-plane-only"]);
        let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
        let blueprint = aws.blueprint("rehearsal.toml", &text);
        let directory = Path::new(&blueprint).parent().expect("a directory").to_owned();
        aws.done(&["up", &blueprint, "--yes", "--control-plane-only"]);
        Self { aws, blueprint, directory }
    }

    fn rolled(&self, verb: &str, more: &[&str]) -> Ran {
        self.aws.done(&[&[verb, &self.blueprint, "--yes", "--control-plane-only"], more].concat())
    }

    /// A deploy that is killed as soon as AWS watches the alarms, for `bake` seconds of its time.
    fn killed_while_it_bakes(&self, artifact: &str, bake: &str) {
        let mut command = self.aws.provision(&["deploy", &self.blueprint, "--yes", "--control-plane-only"]);
        command.args(["--artifact", artifact, "--bake", bake]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut running: Child = command.spawn().expect("provision runs");
        self.until("Baking");
        running.kill().expect("it runs");
        running.wait().expect("it ends");
    }

    fn until(&self, status: &str) {
        let code = "group = api.describe_auto_scaling_groups()['AutoScalingGroups'][0]['AutoScalingGroupName']\n\
            print(([r['Status'] for r in api.describe_instance_refreshes(AutoScalingGroupName=group)['InstanceRefreshes']] + ['-'])[0])";
        let started = Instant::now();
        while self.aws.boto3("autoscaling", code).trim() != status {
            assert!(started.elapsed() < LIMIT, "the refresh is not {status}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// The releases' results, the last one deployed first.
    fn results(&self) -> Vec<String> {
        let listed = self.aws.done(&["releases", &self.blueprint, "--json"]).json();
        let lines = listed["releases"].as_array().expect("a list");
        lines.iter().map(|line| line["result"].as_str().expect("a word").to_owned()).collect()
    }
}

#[test]
fn what_came_to_serve_unseen_is_gone_back_to() {
    let stack = Stack::up();
    let (first, second) = (good(&stack.directory, 1), good(&stack.directory, 2));
    assert_eq!(stack.results(), ["serving"]);
    // What `up` brought serves, so there is nothing to deploy.
    let again = stack.rolled("deploy", &[]);
    assert!(again.out.contains("no change"), "{}", again.out);

    stack.killed_while_it_bakes(&first, "900");
    stack.until("Successful");
    assert_eq!(stack.results(), ["serving", "previous"]);
    stack.rolled("deploy", &["--artifact", &second, "--bake", "0"]);
    assert_eq!(stack.results(), ["serving", "previous", "earlier"]);
    stack.rolled("rollback", &[]);
    assert_eq!(stack.results(), ["rolled_back", "serving", "previous"]);
}

/// AWS had exchanged all when it was asked to turn back: what served before serves all the same.
#[test]
fn turned_back_too_late_it_is_gone_back_from() {
    let stack = Stack::up();
    let artifact = good(&stack.directory, 1);
    stack.killed_while_it_bakes(&artifact, "3000");
    let late =
        r#"{"service": "autoscaling", "action": "RollbackInstanceRefresh", "kind": "latency", "ms": 15000, "nth": 1}"#;
    stack.aws.control("POST", "/_local/faults", late);
    let back = stack.rolled("rollback", &[]);
    assert!(back.err.contains("came to serve before it could be turned back"), "{}\n{}", back.out, back.err);
    assert_eq!(stack.results(), ["rolled_back", "serving"]);
}
