//! What was changed outside provision: seen apart from the blueprint's own changes, and overwritten only on request.

use provision_tests::{LocalAws, root, without};
use serde_json::Value;

const UP: [&str; 3] = ["up", "--yes", "--control-plane-only"];

struct Stack {
    aws: LocalAws,
    blueprint: String,
}

impl Stack {
    fn up() -> Self {
        let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
        let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
        let blueprint =
            aws.blueprint("rehearsal.toml", &format!("{}\n[tags]\nteam = \"blue\"\n", without(&text, "tags")));
        let stack = Self { aws, blueprint };
        stack.aws.done(&[&UP[..], &[&stack.blueprint]].concat());
        stack
    }

    fn drift(&self) -> Value {
        self.aws.done(&["drift", &self.blueprint, "--json"]).json()
    }

    /// Address and how, of all that drifted.
    fn drifted(&self) -> Vec<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let line = |d: &Value| format!("{} {}", text(&d["address"]), text(&d["how"]));
        self.drift()["drift"].as_array().expect("a list").iter().map(line).collect()
    }

    /// The id of the resource at `address`.
    fn id(&self, address: &str) -> String {
        let status = self.aws.done(&["status", &self.blueprint, "--json"]).json();
        let found = status["resources"].as_array().expect("resources").iter().find(|r| r["address"] == address);
        found.and_then(|r| r["id"].as_str()).unwrap_or_else(|| panic!("there is no {address}")).to_owned()
    }

    /// `up` refuses, with nothing changed, until it is told to overwrite; then nothing has drifted and nothing is to do.
    fn overwritten_on_request_only(&self) {
        self.aws.forget_calls();
        let refused = self.aws.run(&[&UP[..], &[&self.blueprint]].concat());
        assert_eq!(refused.code, Some(1), "{}", refused.err);
        assert!(refused.err.contains("--overwrite-drift"), "{}", refused.err);
        let mutations: Vec<_> = self.aws.calls().into_iter().filter(|call| call.mutating).collect();
        assert_eq!(mutations, []);
        self.aws.done(&[&UP[..], &[&self.blueprint, "--overwrite-drift"]].concat());
        assert_eq!(self.drifted(), Vec::<String>::new());
        self.aws.done(&["plan", &self.blueprint, "--check"]);
    }
}

/// Ids aside, what an independent listing shows.
fn kinds(aws: &LocalAws) -> Vec<String> {
    let listing = aws.listing("eu-central-1", "game-dev");
    let mut kinds: Vec<String> =
        listing.iter().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    kinds.sort();
    kinds
}

#[test]
fn every_way_to_drift_is_seen_and_mended() {
    let stack = Stack::up();
    let before = kinds(&stack.aws);
    assert!(before.len() > 80, "{before:?}");
    assert_eq!(stack.drifted(), Vec::<String>::new());
    stack.aws.done(&["drift", &stack.blueprint, "--check"]);

    // A rule added by hand, by somebody in a hurry.
    let group = stack.id("security-group/database");
    let permission =
        "[{'IpProtocol': 'tcp', 'FromPort': 3306, 'ToPort': 3306, 'IpRanges': [{'CidrIp': '203.0.113.7/32'}]}]";
    stack
        .aws
        .boto3("ec2", &format!("api.authorize_security_group_ingress(GroupId='{group}', IpPermissions={permission})"));
    let seen = stack.aws.run(&["drift", &stack.blueprint, "--check"]);
    assert_eq!(seen.code, Some(3), "{}\n{}", seen.out, seen.err);
    assert!(seen.out.contains("in tcp 3306-3306 from 203.0.113.7/32"), "{}", seen.out);
    assert_eq!(stack.drifted(), ["security-group/database changed"]);
    stack.overwritten_on_request_only();

    // Changed by hand.
    let table = stack.id("route-table/app-1");
    stack.aws.boto3("ec2", &format!("api.delete_route(RouteTableId='{table}', DestinationCidrBlock='0.0.0.0/0')"));
    assert_eq!(stack.drifted(), ["route-table/app-1 changed"]);
    stack.overwritten_on_request_only();

    // Deleted by hand.
    let rule = stack.id("security-group-rule/cache-in-servers");
    let cache = stack.id("security-group/cache");
    let revoke = format!("api.revoke_security_group_ingress(GroupId='{cache}', SecurityGroupRuleIds=['{rule}'])");
    stack.aws.boto3("ec2", &revoke);
    assert_eq!(stack.drifted(), ["security-group-rule/cache-in-servers deleted"]);
    stack.overwritten_on_request_only();

    // Tags removed by hand: given back, nothing is made a second time.
    let vpc = stack.id("vpc");
    let keys = "[{'Key': 'provision:stack'}, {'Key': 'provision:home'}, {'Key': 'provision:node'}]";
    stack.aws.boto3("ec2", &format!("api.delete_tags(Resources=['{vpc}'], Tags={keys})"));
    assert_eq!(stack.drifted(), ["vpc untagged"]);
    let down = stack.aws.run(&["down", &stack.blueprint, "--yes", "--allow-data-loss"]);
    assert_eq!(down.code, Some(1), "{}", down.err);
    assert!(down.err.contains(&format!("provision adopt vpc {vpc}")), "{}", down.err);
    stack.overwritten_on_request_only();
    assert_eq!(stack.id("vpc"), vpc);

    // A tag of the blueprint's own changed by hand.
    let zone = stack.id("subnet/app-1");
    let tag =
        |value: &str| format!("api.create_tags(Resources=['{zone}'], Tags=[{{'Key': 'team', 'Value': '{value}'}}])");
    stack.aws.boto3("ec2", &tag("green"));
    assert_eq!(stack.drifted(), ["subnet/app-1 changed"]);
    stack.overwritten_on_request_only();

    // Asked on a terminal: no leaves all as it is, yes to both questions puts it back.
    stack.aws.boto3("ec2", &tag("yellow"));
    let up = ["up", "--control-plane-only", &stack.blueprint];
    stack.aws.forget_calls();
    let no = stack.aws.answering("n", &up);
    assert_eq!(no.code, Some(1), "{}\n{}", no.out, no.err);
    assert!(no.out.contains("Overwrite what was changed outside provision?"), "{}", no.out);
    let no = stack.aws.answering("yn", &up);
    assert_eq!(no.code, Some(1), "{}\n{}", no.out, no.err);
    assert!(stack.aws.calls().iter().all(|call| !call.mutating));
    let yes = stack.aws.answering("yy", &up);
    assert_eq!(yes.code, Some(0), "{}\n{}", yes.out, yes.err);
    assert_eq!(stack.drifted(), Vec::<String>::new());

    assert_eq!(kinds(&stack.aws), before);
    println!("5 ways to drift seen and mended; {} resources as before", before.len());
    let down = stack.aws.done(&["down", &stack.blueprint, "--yes", "--allow-data-loss"]);
    assert!(down.out.contains("0 left"), "{}", down.out);
}

/// A change of the blueprint beside a drift: told apart, and the first needs no leave to overwrite the second.
#[test]
fn an_edit_is_no_drift() {
    let stack = Stack::up();
    let text = std::fs::read_to_string(&stack.blueprint).expect("the blueprint ships");
    let edited = text.replace("retention_days = 7", "retention_days = 14");
    assert_ne!(text, edited);
    let edited = stack.aws.blueprint("edited.toml", &edited);
    let plan = stack.aws.done(&["plan", &edited, "--json"]).json();
    assert!(!plan["changes"].as_array().expect("changes").is_empty());
    assert_eq!(plan["drift"], Value::Null);
    stack.aws.done(&[&UP[..], &[&edited]].concat());
    stack.aws.done(&["plan", &edited, "--check"]);

    // The other way round: what was changed by hand is now what the blueprint says. Nothing is left to overwrite.
    let groups =
        "[g['logGroupName'] for g in api.describe_log_groups()['logGroups'] if g.get('retentionInDays') == 14]";
    stack
        .aws
        .boto3("logs", &format!("[api.put_retention_policy(logGroupName=n, retentionInDays=7) for n in {groups}]"));
    assert!(!stack.drifted().is_empty());
    stack.aws.done(&[&UP[..], &[&stack.blueprint]].concat());
}

/// A resource of every service that was made by hand is taken in: its tags are all that is changed, and `up` makes no second.
#[test]
fn adoption_tags_what_is_there() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let blueprint = root().join("blueprints/rehearsal.toml").to_str().expect("a path in UTF-8").to_owned();
    let vpc = aws.boto3("ec2", "print(api.create_vpc(CidrBlock='10.0.0.0/16')['Vpc']['VpcId'])");
    let vpc = vpc.trim();
    let address = aws.boto3("ec2", "print(api.allocate_address(Domain='vpc')['AllocationId'])");
    let address = address.trim();

    // Shown first: without --yes and without a terminal, nothing is done.
    aws.forget_calls();
    let shown = aws.run(&["adopt", "vpc", vpc, &blueprint]);
    assert_eq!(shown.code, Some(1), "{}", shown.err);
    assert!(shown.err.contains("dns_hostnames: false -> true"), "{}", shown.err);
    assert!(aws.calls().iter().all(|call| !call.mutating));

    aws.done(&["adopt", "vpc", vpc, &blueprint, "--yes"]);
    aws.done(&["adopt", "elastic-ip/nat-1", address, &blueprint, "--yes"]);
    let twice = aws.run(&["adopt", "vpc", vpc, &blueprint, "--yes"]);
    assert_eq!(twice.code, Some(1), "{}", twice.err);
    assert!(twice.err.contains("has vpc already"), "{}", twice.err);
    for (arguments, words) in [
        (["adopt", "vcp", vpc, &blueprint, "--yes"], "did you mean vpc?"),
        (["adopt", "elastic-ip/nat-2", "eipalloc-0123456789abcdef0", &blueprint, "--yes"], "there is no elastic_ip"),
        (["adopt", "hosted-zone", "Z0123456789", &blueprint, "--yes"], "create_zone = false"),
    ] {
        let refused = aws.run(&arguments);
        assert_eq!(refused.code, Some(1), "{}", refused.err);
        assert!(refused.err.contains(words), "{}", refused.err);
    }

    aws.done(&[&UP[..], &[&blueprint]].concat());
    aws.done(&["plan", &blueprint, "--check"]);
    let status = aws.done(&["status", &blueprint, "--json"]).json();
    let ids: Vec<&str> =
        status["resources"].as_array().expect("resources").iter().filter_map(|r| r["id"].as_str()).collect();
    assert!(ids.contains(&vpc) && ids.contains(&address), "{ids:?}");
    println!("2 adopted, {} resources in all", ids.len());
    let down = aws.done(&["down", &blueprint, "--yes", "--allow-data-loss"]);
    assert!(down.out.contains("0 left"), "{}", down.out);
}
