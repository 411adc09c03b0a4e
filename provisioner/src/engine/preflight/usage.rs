//! How much of each quota the whole account uses, this stack and everything else.

use aws_sdk_ec2::types::Filter;

use crate::aws::error::CallError;
use crate::kinds::Cx;

/// What a quota counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// VPCs.
    Vpcs,
    /// Internet gateways.
    InternetGateways,
    /// Elastic IP addresses.
    Addresses,
    /// vCPUs of running on-demand instances of the standard families.
    Vcpus,
    /// DB instances, replicas included.
    Databases,
    /// Cache nodes.
    CacheNodes,
    /// Application load balancers.
    LoadBalancers,
    /// Auto Scaling groups.
    Groups,
    /// Buckets.
    Buckets,
    /// CloudFront distributions.
    Distributions,
    /// Hosted zones.
    HostedZones,
    /// Certificates.
    Certificates,
    /// IAM roles.
    Roles,
}

impl Used {
    /// The kinds whose creation adds to it.
    pub fn kinds(self) -> &'static [&'static str] {
        match self {
            Self::Vpcs => &["vpc"],
            Self::InternetGateways => &["internet_gateway"],
            Self::Addresses => &["elastic_ip"],
            Self::Vcpus | Self::Groups => &["auto_scaling_group"],
            Self::Databases => &["db_instance", "db_replica"],
            Self::CacheNodes => &["replication_group"],
            Self::LoadBalancers => &["load_balancer"],
            Self::Buckets => &["bucket"],
            Self::Distributions => &["distribution"],
            Self::HostedZones => &["hosted_zone"],
            Self::Certificates => &["certificate"],
            Self::Roles => &["iam_role"],
        }
    }

    /// Whether AWS keeps it for the account as a whole, in us-east-1.
    pub fn is_global(self) -> bool {
        matches!(self, Self::Distributions | Self::HostedZones | Self::Roles)
    }
}

/// How much the account uses now.
pub async fn of(cx: &Cx, used: Used) -> Result<u64, CallError> {
    let aws = &cx.aws;
    Ok(match used {
        Used::Vpcs => {
            count(aws.ec2.describe_vpcs().into_paginator().items().send().collect::<Result<Vec<_>, _>>().await?)
        }
        Used::InternetGateways => {
            let all = aws.ec2.describe_internet_gateways().into_paginator().items().send();
            count(all.collect::<Result<Vec<_>, _>>().await?)
        }
        Used::Addresses => count(aws.ec2.describe_addresses().send().await?.addresses.unwrap_or_default()),
        Used::Vcpus => vcpus(cx).await?,
        Used::Databases => {
            let all = aws.rds.describe_db_instances().into_paginator().items().send();
            count(all.collect::<Result<Vec<_>, _>>().await?)
        }
        Used::CacheNodes => {
            let all = aws.elasticache.describe_cache_clusters().into_paginator().items().send();
            let clusters = all.collect::<Result<Vec<_>, _>>().await?;
            clusters.iter().map(|cluster| whole(cluster.num_cache_nodes())).sum()
        }
        Used::LoadBalancers => {
            let all = aws.elbv2.describe_load_balancers().into_paginator().items().send();
            let balancers = all.collect::<Result<Vec<_>, _>>().await?;
            let is_application = |b: &&aws_sdk_elasticloadbalancingv2::types::LoadBalancer| {
                b.r#type().is_none_or(|t| t.as_str() == "application")
            };
            count(balancers.iter().filter(is_application).collect())
        }
        Used::Groups => {
            let all = aws.autoscaling.describe_auto_scaling_groups().into_paginator().items().send();
            count(all.collect::<Result<Vec<_>, _>>().await?)
        }
        Used::Buckets => count(aws.s3.list_buckets().send().await?.buckets.unwrap_or_default()),
        Used::Distributions => {
            let pages = aws.cloudfront.list_distributions().into_paginator().send();
            let pages = pages.collect::<Result<Vec<_>, _>>().await?;
            pages
                .iter()
                .filter_map(|page| page.distribution_list())
                .map(|list| whole(Some(list.quantity())))
                .max()
                .unwrap_or(0)
        }
        Used::HostedZones => {
            u64::try_from(aws.route53.get_hosted_zone_count().send().await?.hosted_zone_count()).unwrap_or(0)
        }
        Used::Certificates => {
            let all = aws.acm.list_certificates().into_paginator().items().send();
            count(all.collect::<Result<Vec<_>, _>>().await?)
        }
        Used::Roles => {
            let summary = aws.iam.get_account_summary().send().await?.summary_map.unwrap_or_default();
            whole(summary.get(&aws_sdk_iam::types::SummaryKeyType::from("Roles")).copied())
        }
    })
}

/// The vCPUs of one instance of a type; `None` for the families that have quotas of their own.
pub async fn vcpus_of(cx: &Cx, instance_type: &str) -> Result<Option<u64>, CallError> {
    if !is_standard(instance_type) {
        return Ok(None);
    }
    let answer = cx.aws.ec2.describe_instance_types().instance_types(instance_type.into()).send().await?;
    let vcpus = answer.instance_types().first().and_then(|found| found.v_cpu_info()?.default_v_cpus());
    Ok(vcpus.map(|vcpus| whole(Some(vcpus))))
}

/// The families that "Running On-Demand Standard" counts.
fn is_standard(instance_type: &str) -> bool {
    let family = instance_type.split('.').next().unwrap_or_default();
    let special = ["hpc", "inf", "trn", "dl", "mac", "mx"];
    family.starts_with(['a', 'c', 'd', 'h', 'i', 'm', 'r', 't', 'z']) && !special.iter().any(|s| family.starts_with(s))
}

async fn vcpus(cx: &Cx) -> Result<u64, CallError> {
    let running = Filter::builder().name("instance-state-name").values("pending").values("running").build();
    let all = cx.aws.ec2.describe_instances().filters(running).into_paginator().items().send();
    let reservations = all.collect::<Result<Vec<_>, _>>().await?;
    let standard = reservations.iter().flat_map(|reservation| reservation.instances()).filter(|instance| {
        instance.instance_lifecycle().is_none() && instance.instance_type().is_some_and(|t| is_standard(t.as_str()))
    });
    let of = |instance: &aws_sdk_ec2::types::Instance| {
        let options = instance.cpu_options()?;
        Some(whole(options.core_count()) * whole(options.threads_per_core()))
    };
    Ok(standard.map(|instance| of(instance).unwrap_or(1)).sum())
}

fn count<T>(items: Vec<T>) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

fn whole(number: Option<i32>) -> u64 {
    number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::is_standard;

    #[test]
    fn families_with_quotas_of_their_own_are_left_out() {
        for standard in ["t3.small", "m7g.large", "c6i.xlarge", "r5.large", "i4i.large", "d3.xlarge"] {
            assert!(is_standard(standard), "{standard}");
        }
        for other in [
            "g5.xlarge",
            "p4d.24xlarge",
            "inf2.xlarge",
            "trn1.2xlarge",
            "x2gd.large",
            "hpc6a.48xlarge",
            "mac2.metal",
            "u-6tb1.metal",
        ] {
            assert!(!is_standard(other), "{other}");
        }
    }
}
