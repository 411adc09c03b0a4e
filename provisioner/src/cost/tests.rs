//! Answers of the price list, awkward ones among them, in the form that `GetProducts` gives them; the prices are made up.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::product::{NoPrice, Product, Rate, Tier};
use super::query::{Per, Query};
use super::*;

fn usd(text: &str) -> Usd {
    Usd::parse(text).unwrap_or_else(|| panic!("no amount: {text}"))
}

fn dimension(unit: &str, begin: &str, end: &str, price: &str) -> Value {
    json!({"unit": unit, "beginRange": begin, "endRange": end, "description": "made up", "appliesTo": [],
        "rateCode": format!("SKU.TERM.{begin}"), "pricePerUnit": {"USD": price}})
}

fn with_dimensions(usage: &str, more: &[(&str, &str)], dimensions: &[Value]) -> Value {
    let mut attributes = json!({"regionCode": "eu-central-1", "usagetype": usage, "servicecode": "AmazonEC2"});
    for (name, value) in more {
        attributes[*name] = (*value).into();
    }
    let dimensions: serde_json::Map<String, Value> =
        dimensions.iter().enumerate().map(|(number, of)| (format!("SKU.TERM.{number}"), of.clone())).collect();
    json!({"serviceCode": "AmazonEC2", "version": "20261101000000", "publicationDate": "2026-11-01T00:00:00Z",
        "product": {"sku": "SKU", "productFamily": "NAT Gateway", "attributes": attributes},
        "terms": {"OnDemand": {"SKU.TERM": {"sku": "SKU", "offerTermCode": "TERM", "termAttributes": {},
            "effectiveDate": "2026-11-01T00:00:00Z", "priceDimensions": dimensions}},
            "Reserved": {"SKU.OTHER": {"priceDimensions": {"SKU.OTHER.1": dimension("Hrs", "0", "Inf", "0.0001")}}}}})
}

fn hourly(usage: &str, price: &str) -> Value {
    with_dimensions(usage, &[], &[dimension("Hrs", "0", "Inf", price)])
}

fn nat() -> Query {
    Query::new("AmazonEC2", "eu-central-1", "NatGateway-Hours", Per::Hour)
}

fn chosen(query: &Query, documents: &[Value]) -> Result<String, NoPrice> {
    let documents: Vec<String> = documents.iter().map(Value::to_string).collect();
    query.choose(&documents).map(|rate| rate.first().unwrap_or_default().exact())
}

#[test]
fn the_usage_that_is_meant_is_taken_and_no_other() {
    let documents = [
        hourly("EUC1-RegionalNatGateway-Hours", "0.9"),
        hourly("EUC1-NatGateway-Hours", "0.0520000000"),
        with_dimensions("EUC1-NatGateway-Bytes", &[], &[dimension("GB", "0", "Inf", "0.7")]),
        with_dimensions(
            "USE1-NatGateway-Hours",
            &[("regionCode", "us-east-1")],
            &[dimension("Hrs", "0", "Inf", "0.5")],
        ),
    ];
    assert_eq!(chosen(&nat(), &documents), Ok("0.052".to_owned()));
    // us-east-1 has no prefix, Ireland a short one; a prefix of another sort is part of the usage.
    assert_eq!(chosen(&nat(), &[hourly("NatGateway-Hours", "0.045")]), Ok("0.045".to_owned()));
    assert_eq!(chosen(&nat(), &[hourly("EU-NatGateway-Hours", "0.048")]), Ok("0.048".to_owned()));
    assert_eq!(chosen(&nat(), &[hourly("TS-NatGateway-Hours", "0.048")]), Err(NoPrice::Missing));

    let node = Query::new("AmazonElastiCache", "eu-central-1", "", Per::Hour).beginning("NodeUsage:");
    let surcharge = hourly("EUC1-ExtendedSupportYr1_Yr2-NodeUsage:cache.t4g.micro", "0.019");
    assert_eq!(
        chosen(&node, &[surcharge, hourly("EUC1-NodeUsage:cache.t4g.micro", "0.024")]),
        Ok("0.024".to_owned()),
        "extended support is a surcharge"
    );
}

#[test]
fn nothing_is_guessed() {
    assert_eq!(chosen(&nat(), &[]), Err(NoPrice::Missing));
    let one = hourly("EUC1-NatGateway-Hours", "0.052");
    assert_eq!(chosen(&nat(), &[one.clone(), one.clone()]), Ok("0.052".to_owned()), "the same twice is one");
    assert_eq!(
        chosen(&nat(), &[one.clone(), hourly("EUC1-NatGateway-Hours", "0.053")]),
        Err(NoPrice::Ambiguous(2)),
        "two prices are none"
    );
    let mut yuan = one.clone();
    yuan["terms"]["OnDemand"]["SKU.TERM"]["priceDimensions"]["SKU.TERM.0"]["pricePerUnit"] = json!({"CNY": "0.4"});
    assert_eq!(chosen(&nat(), &[yuan]), Err(NoPrice::Currency("CNY".to_owned())));
    let mut reserved = one.clone();
    reserved["terms"].as_object_mut().expect("terms").remove("OnDemand");
    assert_eq!(chosen(&nat(), &[reserved]), Err(NoPrice::NotOnDemand), "a reserved price is another");
    let by_month = with_dimensions("EUC1-NatGateway-Hours", &[], &[dimension("Mo", "0", "Inf", "30")]);
    assert_eq!(chosen(&nat(), &[by_month]), Err(NoPrice::Unit("Mo".to_owned())));
    for wrong in ["", "-0.1", "free", "0.0000000000001"] {
        assert!(matches!(chosen(&nat(), &[hourly("EUC1-NatGateway-Hours", wrong)]), Err(NoPrice::Unreadable(_))));
    }
    assert!(matches!(nat().choose(&["{\"product\"".to_owned()]), Err(NoPrice::Unreadable(_))));
    assert!(matches!(nat().choose(&["{}".to_owned()]), Err(NoPrice::Unreadable(_))));
}

#[test]
fn storage_of_mysql_goes_before_that_of_any_engine() {
    let storage = Query::new("AmazonRDS", "eu-central-1", "RDS:GP3-Storage", Per::GigabyteMonth);
    let of = |engine, price| {
        let dimensions = [dimension("GB-Mo", "0", "Inf", price)];
        with_dimensions("EUC1-RDS:GP3-Storage", &[("databaseEngine", engine)], &dimensions)
    };
    assert_eq!(chosen(&storage, &[of("Any", "0.137"), of("MySQL", "0.137")]), Ok("0.137".to_owned()));
    assert_eq!(chosen(&storage, &[of("Any", "0.1"), of("MySQL", "0.2")]), Ok("0.2".to_owned()));
    assert_eq!(chosen(&storage, &[of("Any", "0.1")]), Ok("0.1".to_owned()));
}

#[test]
fn tiers_are_counted_one_after_the_other() {
    let zone =
        [dimension("HostedZone", "25", "Inf", "0.1000000000"), dimension("HostedZone", "0", "25", "0.5000000000")];
    let rate = Product::read(&with_dimensions("HostedZone", &[], &zone).to_string()).expect("a product").rate;
    let rate = rate.expect("a price");
    assert_eq!(rate.monthly(1), usd("0.5"));
    assert_eq!(rate.monthly(25), usd("12.5"));
    assert_eq!(rate.monthly(30), usd("13"));
    // The free tier is the account's, once: a stack's bill does not count on it.
    let alarm = [dimension("Alarms", "0", "10", "0.0000000000"), dimension("Alarms", "10", "Inf", "0.1")];
    let rate = Product::read(&with_dimensions("CW:AlarmMonitorUsage", &[], &alarm).to_string()).expect("a product");
    let rate = rate.rate.expect("a price");
    assert_eq!((rate.first(), rate.monthly(1), rate.monthly(20)), (Some(usd("0.1")), usd("0.1"), usd("2")));
    let torn = [dimension("Alarms", "5", "Inf", "0.1")];
    let product = Product::read(&with_dimensions("CW:AlarmMonitorUsage", &[], &torn).to_string()).expect("a product");
    assert!(matches!(product.rate, Err(NoPrice::Unreadable(_))), "nothing says what the first five cost");
}

fn things_of(props: &[(&'static str, &'static str, Value)]) -> Vec<(String, &'static str, Value)> {
    props.iter().map(|(address, kind, props)| ((*address).to_owned(), *kind, props.clone())).collect()
}

fn items_of(things: &[(String, &'static str, Value)]) -> Items {
    let things: Vec<Thing<'_>> = things.iter().map(|(address, kind, props)| Thing { address, kind, props }).collect();
    items("eu-central-1", &things)
}

/// Puts a price for each question whose name contains the words.
fn priced(prices: &mut Prices, items: &Items, words: &str, unit: &str, price: &str, at: Timestamp) {
    let rate = Rate { unit: unit.to_owned(), tiers: vec![Tier { from: 0, usd: usd(price) }] };
    for item in items.items.iter().filter(|item| item.query.key().contains(words)) {
        prices.put(&item.query, Ok(rate.clone()), at);
    }
}

#[test]
fn what_is_unknown_is_never_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let at: Timestamp = "2026-11-01T00:00:00Z".parse().expect("a time");
    let things = things_of(&[
        ("nat-gateway/1", "nat_gateway", json!({})),
        ("elastic-ip/nat-1", "elastic_ip", json!({})),
        ("servers", "auto_scaling_group", json!({"min": 2, "max": 4})),
        ("launch-template", "launch_template", json!({"instance_type": "t3.small"})),
        ("vpc", "vpc", json!({})),
        ("surprise", "something_new", json!({})),
    ]);
    let items = items_of(&things);
    let mut prices = Prices::open(directory.path(), None, "eu-central-1");
    let empty = bill(&items, &prices);
    assert!(empty.total.is_zero() && empty.of("servers") == Some(None), "nothing is known");
    assert_eq!(empty.of("vpc"), None, "it costs nothing, and that is known");
    priced(&mut prices, &items, "NatGateway-Hours", "Hrs", "0.052", at);
    priced(&mut prices, &items, "BoxUsage:t3.small", "Hrs", "0.024", at);
    let some = bill(&items, &prices);
    assert_eq!(some.of("nat-gateway/1"), Some(Some(usd("37.96"))));
    assert_eq!(some.of("servers"), Some(None), "the volume's price is unknown, so the whole is");
    assert_eq!(some.unknown_addresses(), ["elastic-ip/nat-1", "servers", "surprise"]);
    assert_eq!(some.total, usd("73"), "what is known of it: 37.96 and 2 × 0.024 × 730");
    assert_eq!(some.at_most, usd("108.04"));
    let written = serde_json::to_value(&some.lines).expect("JSON");
    let unknown = written.as_array().expect("lines").iter().filter(|line| !line["unknown"].is_null());
    assert!(unknown.clone().all(|line| line["monthly"].is_null() && line["unit_price"].is_null()));
    assert_eq!(unknown.count(), some.unknown());
}

#[test]
fn a_plan_says_what_it_changes() {
    let directory = tempfile::tempdir().expect("a directory");
    let at: Timestamp = "2026-11-01T00:00:00Z".parse().expect("a time");
    let before = items_of(&things_of(&[("nat-gateway/1", "nat_gateway", json!({})), ("vpc", "vpc", json!({}))]));
    let after = items_of(&things_of(&[
        ("nat-gateway/1", "nat_gateway", json!({})),
        ("nat-gateway/2", "nat_gateway", json!({})),
        ("elastic-ip/nat-2", "elastic_ip", json!({})),
    ]));
    let mut prices = Prices::open(directory.path(), None, "eu-central-1");
    priced(&mut prices, &after, "NatGateway-Hours", "Hrs", "0.052", at);
    let changed = ["elastic-ip/nat-2", "nat-gateway/2", "vpc"];
    let cost = plan_cost(&bill(&before, &prices), &bill(&after, &prices), changed.into_iter());
    assert_eq!((cost.before, cost.after), (usd("37.96"), usd("75.92")));
    assert_eq!(cost.of("nat-gateway/2").and_then(CostChange::difference), Some(usd("37.96")));
    assert_eq!(cost.of("elastic-ip/nat-2").map(CostChange::difference), Some(None), "unknown");
    assert_eq!(cost.of("vpc"), None, "nothing to say");
    assert_eq!(cost.unknown, ["elastic-ip/nat-2"]);
}

#[test]
fn answers_are_kept_for_a_week_and_apart_by_endpoint() {
    let directory = tempfile::tempdir().expect("a directory");
    let at: Timestamp = "2026-11-01T00:00:00Z".parse().expect("a time");
    let days = |days: i64| at + SignedDuration::from_hours(24 * days);
    let items = items_of(&things_of(&[("nat-gateway/1", "nat_gateway", json!({}))]));
    let queries = || items.items.iter().map(|item| item.query.clone());
    let mut prices = Prices::open(directory.path(), None, "eu-central-1");
    assert_eq!(prices.missing(queries(), at, false).len(), 2);
    priced(&mut prices, &items, "NatGateway-Hours", "Hrs", "0.052", at);
    // That there is no price is an answer too.
    prices.put(&items.items[1].query, Err(NoPrice::Missing), at);
    prices.save().expect("it is written");
    let again = Prices::open(directory.path(), None, "eu-central-1");
    assert_eq!(again.missing(queries(), days(6), false), []);
    assert_eq!(again.missing(queries(), days(8), false).len(), 2, "old");
    assert_eq!(again.missing(queries(), days(0), true).len(), 2, "asked for");
    let counted = bill(&items, &again);
    assert_eq!(
        (counted.total, counted.prices_from),
        (usd("37.96"), Some(at)),
        "an old price counts until there is a new one"
    );
    assert_eq!(counted.lines[1].unknown.as_deref(), Some("the price list has no such product"));
    for (endpoint, region) in [(Some("http://127.0.0.1:5000"), "eu-central-1"), (None, "eu-west-1")] {
        let other = Prices::open(directory.path(), endpoint, region);
        assert_eq!(other.missing(queries(), at, false).len(), 2);
    }
    // A file that was torn is asked for again.
    let path = directory.path().join("provision/prices/aws-eu-central-1.json");
    std::fs::write(&path, "{\"half").expect("it is written");
    assert_eq!(Prices::open(directory.path(), None, "eu-central-1").missing(queries(), at, false).len(), 2);
}
