//! An existing VPC and hosted zone are used: never tagged, changed or deleted.

#![allow(clippy::print_stdout, reason = "it prints what it counted")]

use provision_tests::{LocalAws, root};

const MAKE: &str = "
vpc = api.create_vpc(CidrBlock='10.20.0.0/16')['Vpc']['VpcId']
api.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={'Value': True})
subnet = api.create_subnet(VpcId=vpc, CidrBlock='10.20.0.0/20')['Subnet']['SubnetId']
if GATEWAY:
    gateway = api.create_internet_gateway()['InternetGateway']['InternetGatewayId']
    api.attach_internet_gateway(VpcId=vpc, InternetGatewayId=gateway)
print(vpc)";

/// All that the VPC itself shows: the VPC, its attributes, its own subnet and gateway.
const SHOW: &str = "
of = lambda name: [{'Name': name, 'Values': ['VPC']}]
print(api.describe_vpcs(VpcIds=['VPC'])['Vpcs'])
print([api.describe_vpc_attribute(VpcId='VPC', Attribute=a)[a[0].upper() + a[1:]] for a in ('enableDnsSupport', 'enableDnsHostnames')])
print(sorted((s['SubnetId'], str(s.get('Tags'))) for s in api.describe_subnets(Filters=of('vpc-id'))['Subnets']))
print(api.describe_internet_gateways(Filters=of('attachment.vpc-id'))['InternetGateways'])";

fn cycle(gateway: bool) {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let vpc = aws.boto3("ec2", &MAKE.replace("GATEWAY", if gateway { "True" } else { "False" }));
    let vpc = vpc.trim();
    let zone = "print(api.create_hosted_zone(Name='game.test', CallerReference='by hand')['HostedZone']['Id'])";
    let zone = aws.boto3("route53", zone);
    // An account may have many zones, and only the one that is used is read.
    aws.boto3("route53", "[api.create_hosted_zone(Name=f'other-{n}.test', CallerReference=str(n)) for n in range(5)]");
    let records = format!("print(api.list_resource_record_sets(HostedZoneId='{}')['ResourceRecordSets'])", zone.trim());
    let show = SHOW.replace("VPC'", &format!("{vpc}'"));
    let before = (aws.boto3("ec2", &show), aws.boto3("route53", &records));
    let ships = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let inside = |cidr: &str| {
        let text = ships.replace("cidr = \"10.0.0.0/16\"", &format!("vpc = \"{vpc}\"\ncidr = \"{cidr}\""));
        assert_ne!(text, ships);
        text.replace("create_zone = true", "create_zone = false")
    };

    // A part that is taken, and one outside.
    for (cidr, words) in [("10.20.0.0/18", "has the subnet subnet-"), ("10.30.0.0/18", "is no part of that")] {
        let wrong = aws.blueprint("wrong.toml", &inside(cidr));
        let refused = aws.run(&["up", &wrong, "--yes", "--control-plane-only"]);
        assert_eq!(refused.code, Some(1), "{}", refused.err);
        assert!(refused.err.contains(words), "{}", refused.err);
    }

    let blueprint = aws.blueprint("inside.toml", &inside("10.20.64.0/18"));
    aws.done(&["up", &blueprint, "--yes", "--control-plane-only"]);
    aws.forget_calls();
    aws.done(&["plan", &blueprint, "--check"]);
    assert_eq!(aws.calls().iter().filter(|call| call.action == "ListResourceRecordSets").count(), 1);
    let status = aws.done(&["status", &blueprint, "--json"]).json();
    let resources = status["resources"].as_array().expect("resources");
    let has = |address: &str| resources.iter().any(|r| r["address"] == address);
    assert!(!has("vpc") && !has("hosted-zone"));
    assert_eq!(has("internet-gateway"), !gateway);
    println!("{} resources in a VPC that somebody else made", resources.len());
    let by_name = ["down", "--stack", "game-dev", "--region", "eu-central-1", "--yes", "--allow-data-loss"];
    let down = aws.done(&by_name);
    assert!(down.out.contains("0 left"), "{}", down.out);
    assert_eq!((aws.boto3("ec2", &show), aws.boto3("route53", &records)), before);
}

#[test]
fn a_vpc_with_a_gateway_is_left_as_it_was() {
    cycle(true);
}

#[test]
fn a_vpc_without_a_gateway_lends_its_place_to_the_stacks_own() {
    cycle(false);
}

#[test]
fn a_vpc_that_is_not_there() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let ships = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    let text = ships.replace("cidr =", "vpc = \"vpc-0123456789abcdef0\"\ncidr =");
    let refused = aws.run(&["plan", &aws.blueprint("nowhere.toml", &text)]);
    assert_eq!(refused.code, Some(1), "{}", refused.err);
    assert!(refused.err.contains("does not exist in this account and region"), "{}", refused.err);
}
