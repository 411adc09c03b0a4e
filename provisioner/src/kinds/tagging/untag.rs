//! Takes tags off a resource: those that the blueprint names no more.

use super::{Tagged, arn_of, certificate};
use crate::kinds::{Cx, Observed, Result};

/// Takes `keys` off `live`. What is not there is no error.
pub(super) async fn untag(cx: &Cx, how: Tagged, live: &Observed, keys: Vec<String>) -> Result<()> {
    let (aws, id, keys) = (&cx.aws, live.id.as_str(), Some(keys));
    match how {
        // With what is put on them, in the same breath.
        Tagged::Not | Tagged::Ec2 | Tagged::Bucket | Tagged::Zone => {}
        Tagged::Rds(resource) => {
            let call = aws.rds.remove_tags_from_resource().resource_name(arn_of(cx, "rds", resource, id));
            call.set_tag_keys(keys).send().await?;
        }
        Tagged::ElastiCache(resource) => {
            let arn = arn_of(cx, "elasticache", resource, id);
            aws.elasticache.remove_tags_from_resource().resource_name(arn).set_tag_keys(keys).send().await?;
        }
        Tagged::LoadBalancing => {
            aws.elbv2.remove_tags().resource_arns(id).set_tag_keys(keys).send().await?;
        }
        Tagged::AutoScaling => {
            let tag = |key: &String| {
                let tag = aws_sdk_autoscaling::types::Tag::builder().key(key);
                tag.resource_type("auto-scaling-group").resource_id(id).build()
            };
            let tags = keys.iter().flatten().map(tag).collect();
            aws.autoscaling.delete_tags().set_tags(Some(tags)).send().await?;
        }
        Tagged::Role => drop(aws.iam.untag_role().role_name(id).set_tag_keys(keys).send().await?),
        Tagged::InstanceProfile => {
            aws.iam.untag_instance_profile().instance_profile_name(id).set_tag_keys(keys).send().await?;
        }
        Tagged::Secret => {
            aws.secretsmanager.untag_resource().secret_id(id).set_tag_keys(keys).send().await?;
        }
        Tagged::Table => {
            aws.dynamodb.untag_resource().resource_arn(live.arn()).set_tag_keys(keys).send().await?;
        }
        Tagged::LogGroup => {
            aws.logs.untag_resource().resource_arn(live.arn()).set_tag_keys(keys).send().await?;
        }
        Tagged::Topic => drop(aws.sns.untag_resource().resource_arn(id).set_tag_keys(keys).send().await?),
        Tagged::Alarm => {
            aws.cloudwatch.untag_resource().resource_arn(live.arn()).set_tag_keys(keys).send().await?;
        }
        Tagged::Certificate => {
            let tags = keys.iter().flatten().map(|key| aws_sdk_acm::types::Tag::builder().key(key).build());
            let tags = tags.collect::<std::result::Result<Vec<_>, _>>()?;
            let call = certificate::client(cx, id).remove_tags_from_certificate().certificate_arn(id);
            call.set_tags(Some(tags)).send().await?;
        }
        Tagged::Distribution => {
            let keys = aws_sdk_cloudfront::types::TagKeys::builder().set_items(keys).build();
            aws.cloudfront.untag_resource().resource(live.arn()).tag_keys(keys).send().await?;
        }
    }
    Ok(())
}
