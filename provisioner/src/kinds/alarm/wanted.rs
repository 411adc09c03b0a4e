//! Which alarms a blueprint asks for.

use aws_sdk_cloudwatch::types::ComparisonOperator;

use super::{Dimension, Spec, marker, name};
use crate::blueprint::{Alarms, Blueprint};
use crate::kinds::log_group::database_addresses;
use crate::kinds::{Place, Ref, Want, dynamodb_table, replication_group, sns_topic};

const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

/// A metric and when it is too much.
struct Rule {
    what: String,
    says: String,
    namespace: &'static str,
    metric: &'static str,
    statistic: &'static str,
    dimensions: Vec<(&'static str, Ref)>,
    /// Seconds, and how many values in a row.
    window: (i32, i32),
    threshold: f64,
    least: bool,
    /// A node it watches without referring to it.
    after: Option<&'static str>,
}

impl Rule {
    fn new(
        what: impl Into<String>,
        says: impl Into<String>,
        (namespace, metric, statistic): (&'static str, &'static str, &'static str),
        dimensions: Vec<(&'static str, Ref)>,
        threshold: impl Into<f64>,
    ) -> Self {
        Self {
            what: what.into(),
            says: says.into(),
            namespace,
            metric,
            statistic,
            dimensions,
            window: (300, 1),
            threshold: threshold.into(),
            least: false,
            after: None,
        }
    }

    /// So many minutes in a row.
    fn minutes(mut self, count: i32) -> Self {
        self.window = (60, count);
        self
    }

    /// Goes off at or *below* the threshold.
    fn at_most(mut self) -> Self {
        self.least = true;
        self
    }

    fn after(mut self, address: &'static str) -> Self {
        self.after = Some(address);
        self
    }

    fn want(self, place: &Place) -> Want<Spec> {
        let address = format!("alarm/{}", self.what);
        let comparison = if self.least {
            ComparisonOperator::LessThanOrEqualToThreshold
        } else {
            ComparisonOperator::GreaterThanOrEqualToThreshold
        };
        let spec = Spec {
            name: name(&place.stack, &address),
            description: format!("{}{}", self.says, marker(&place.stack, &address)),
            namespace: self.namespace.to_owned(),
            metric: self.metric.to_owned(),
            dimensions: self
                .dimensions
                .into_iter()
                .map(|(name, value)| Dimension { name: name.to_owned(), value })
                .collect(),
            statistic: self.statistic.to_owned(),
            period: self.window.0,
            evaluation_periods: self.window.1,
            comparison: comparison.as_str().to_owned(),
            threshold: self.threshold,
            // A count that nothing was counted for has no value.
            missing_data: "notBreaching".into(),
            actions: vec![Ref::to(sns_topic::ADDRESS, "arn")],
        };
        let want = Want::new(address, spec);
        match self.after {
            Some(after) => want.after(after),
            None => want,
        }
    }
}

/// The alarms.
pub(super) fn alarms(blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
    let Some(alarms) = &blueprint.alarms else { return Vec::new() };
    let mut rules = Vec::new();
    if blueprint.servers.is_some() {
        rules.extend(servers(alarms));
    }
    if let Some(database) = &blueprint.database {
        rules.extend(database_addresses(database.read_replicas).flat_map(|address| instance(alarms, &address)));
    }
    if let Some(cache) = &blueprint.cache {
        rules.extend((1..=cache.nodes()).flat_map(|number| node(alarms, place, number)));
    }
    if blueprint.log.is_some() {
        rules.extend(log(alarms));
    }
    rules.into_iter().map(|rule| rule.want(place)).collect()
}

/// The alarms that [`servers`] asks for: what a bad release sets off.
pub(super) const OF_SERVERS: [&str; 4] = ["unhealthy-hosts", "server-errors", "load-balancer-errors", "latency"];

fn servers(alarms: &Alarms) -> [Rule; 4] {
    const ELB: &str = "AWS/ApplicationELB";
    let limits = &alarms.thresholds;
    let balancer = || ("LoadBalancer", Ref::to("load-balancer", "suffix"));
    let group = || ("TargetGroup", Ref::to("target-group", "suffix"));
    [
        Rule::new(
            "unhealthy-hosts",
            "Servers fail the load balancer's health check",
            (ELB, "UnHealthyHostCount", "Maximum"),
            vec![balancer(), group()],
            limits.unhealthy_hosts,
        )
        .minutes(5),
        Rule::new(
            "server-errors",
            "The servers answer with 5xx",
            (ELB, "HTTPCode_Target_5XX_Count", "Sum"),
            vec![balancer()],
            limits.server_errors,
        ),
        Rule::new(
            "load-balancer-errors",
            "The load balancer itself answers with 5xx",
            (ELB, "HTTPCode_ELB_5XX_Count", "Sum"),
            vec![balancer()],
            limits.server_errors,
        ),
        Rule::new(
            "latency",
            "The slowest 5 % of answers take long",
            (ELB, "TargetResponseTime", "p95"),
            vec![balancer()],
            f64::from(limits.latency_ms) / 1000.0,
        )
        .minutes(5),
    ]
}

fn instance(alarms: &Alarms, address: &str) -> [Rule; 3] {
    const RDS: &str = "AWS/RDS";
    let limits = &alarms.thresholds;
    let short = address.replace('/', "-");
    let dimensions = || vec![("DBInstanceIdentifier", Ref::to(address, "name"))];
    [
        Rule::new(
            format!("{short}-cpu"),
            format!("The CPU of {address} is busy"),
            (RDS, "CPUUtilization", "Average"),
            dimensions(),
            limits.database_cpu,
        )
        .minutes(10),
        Rule::new(
            format!("{short}-storage"),
            format!("The storage of {address} runs out"),
            (RDS, "FreeStorageSpace", "Minimum"),
            dimensions(),
            f64::from(limits.database_free_gb) * GIB,
        )
        .at_most(),
        Rule::new(
            format!("{short}-connections"),
            format!("Many connections to {address} are open"),
            (RDS, "DatabaseConnections", "Maximum"),
            dimensions(),
            limits.database_connections,
        )
        .minutes(5),
    ]
}

fn node(alarms: &Alarms, place: &Place, number: u8) -> [Rule; 2] {
    const CACHE: &str = "AWS/ElastiCache";
    let limits = &alarms.thresholds;
    let dimensions = || vec![("CacheClusterId", Ref::from(replication_group::member(&place.stack, number)))];
    [
        Rule::new(
            format!("cache-{number}-memory"),
            format!("The memory of cache node {number} fills up"),
            (CACHE, "DatabaseMemoryUsagePercentage", "Maximum"),
            dimensions(),
            limits.cache_memory,
        )
        .after(replication_group::ADDRESS),
        Rule::new(
            format!("cache-{number}-evictions"),
            format!("Cache node {number} evicts keys"),
            (CACHE, "Evictions", "Sum"),
            dimensions(),
            limits.cache_evictions,
        )
        .after(replication_group::ADDRESS),
    ]
}

fn log(alarms: &Alarms) -> [Rule; 2] {
    let throttles = |what, says, metric| {
        let table = vec![("TableName", Ref::to(dynamodb_table::LOG_TABLE, "name"))];
        Rule::new(what, says, ("AWS/DynamoDB", metric, "Sum"), table, alarms.thresholds.log_throttles)
    };
    [
        throttles("log-write-throttles", "Writes to the log table are throttled", "WriteThrottleEvents"),
        throttles("log-read-throttles", "Reads of the log table are throttled", "ReadThrottleEvents"),
    ]
}
