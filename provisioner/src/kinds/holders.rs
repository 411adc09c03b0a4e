//! Who holds on to a subnet or VPC that cannot be deleted.

use aws_sdk_ec2::types::Filter;

use super::{Cx, Error, Result};
use crate::aws::error::CallError;

/// GuardDuty puts this tag on the endpoint that it makes in a VPC by itself, and leaves there.
const GUARD_DUTY: &str = "GuardDutyManaged";

/// The error to report for a refused delete in the VPC `vpc`: the call's own, unless GuardDuty holds on, which never
/// goes by itself.
pub async fn explain(cx: &Cx, resource: &str, vpc: &str, error: CallError) -> Error {
    if !error.is(&["DependencyViolation"]) {
        return error.into();
    }
    match guard_duty(cx, vpc).await {
        Ok(held) if !held.is_empty() => {
            let ids = held.join(" ");
            Error::Refused {
                what: format!("GuardDuty's own endpoint or group ({ids}) holds on to {resource}"),
                help: format!(
                    "delete it (`aws ec2 delete-vpc-endpoints --vpc-endpoint-ids ...`, then `aws ec2 \
                     delete-security-group --group-id ...`, region {}) and run the command again",
                    cx.stack.home
                ),
            }
        }
        // What else holds on may still be going: the engine asks again.
        _ => error.into(),
    }
}

async fn guard_duty(cx: &Cx, vpc: &str) -> Result<Vec<String>> {
    let only = |name: &str, value: &str| Filter::builder().name(name).values(value).build();
    let filters = vec![only("vpc-id", vpc), only(&format!("tag:{GUARD_DUTY}"), "true")];
    let (endpoints, groups) = futures::join!(
        cx.aws.ec2.describe_vpc_endpoints().set_filters(Some(filters.clone())).send(),
        cx.aws.ec2.describe_security_groups().set_filters(Some(filters)).send(),
    );
    let mut held = Vec::new();
    held.extend(endpoints?.vpc_endpoints().iter().filter_map(|e| e.vpc_endpoint_id()).map(str::to_owned));
    held.extend(groups?.security_groups().iter().filter_map(|g| g.group_id()).map(str::to_owned));
    Ok(held)
}
