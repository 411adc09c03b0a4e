//! A version's data: written from the spec, and read back.

use aws_sdk_ec2::types as ec2;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::Spec;
use crate::kinds::{Cx, Error, Result, fleet};
use crate::release::user_data::Boot;

/// Root volume of an instance: room for a few releases and the journal.
const DISK_GIB: i32 = 16;

/// The data of a new version, with the newest Amazon Linux 2023 image.
pub(super) async fn data(cx: &Cx, spec: &Spec) -> Result<ec2::RequestLaunchTemplateData> {
    let boot = Boot {
        bucket: spec.bucket.get().to_owned(),
        release: spec.release.get().to_owned(),
        game_file: spec.game_file.get().to_owned(),
        region: cx.stack.home.clone(),
        environment: spec.environment.iter().map(|(k, v)| (k.clone(), v.get().to_owned())).collect(),
    };
    let tagged = |resource: ec2::ResourceType| {
        ec2::LaunchTemplateTagSpecificationRequest::builder()
            .resource_type(resource)
            .set_tags(Some(cx.stack_tags().with("Name", &cx.stack.name).ec2()))
            .build()
    };
    let disk = ec2::LaunchTemplateEbsBlockDeviceRequest::builder()
        .encrypted(true)
        .delete_on_termination(true)
        .volume_type(ec2::VolumeType::Gp3)
        .volume_size(DISK_GIB)
        .build();
    let required = if spec.imdsv2_required {
        ec2::LaunchTemplateHttpTokensState::Required
    } else {
        ec2::LaunchTemplateHttpTokensState::Optional
    };
    Ok(ec2::RequestLaunchTemplateData::builder()
        .image_id(image(cx, &spec.architecture).await?)
        .instance_type(ec2::InstanceType::from(spec.instance_type.as_str()))
        .iam_instance_profile(
            ec2::LaunchTemplateIamInstanceProfileSpecificationRequest::builder().name(spec.profile.get()).build(),
        )
        .set_security_group_ids(Some(spec.security_groups.iter().map(|g| g.get().to_owned()).collect()))
        .metadata_options(
            ec2::LaunchTemplateInstanceMetadataOptionsRequest::builder()
                .http_tokens(required)
                .http_endpoint(ec2::LaunchTemplateInstanceMetadataEndpointState::Enabled)
                .http_put_response_hop_limit(1)
                .build(),
        )
        .block_device_mappings(
            ec2::LaunchTemplateBlockDeviceMappingRequest::builder().device_name("/dev/xvda").ebs(disk).build(),
        )
        .tag_specifications(tagged(ec2::ResourceType::Instance))
        .tag_specifications(tagged(ec2::ResourceType::Volume))
        .user_data(BASE64_STANDARD.encode(boot.script()))
        .build())
}

/// The newest Amazon Linux 2023 image.
pub async fn image(cx: &Cx, architecture: &str) -> Result<String> {
    let name = format!("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}");
    let answer = cx.aws.ssm.get_parameter().name(name).send().await?;
    answer
        .parameter
        .and_then(|parameter| parameter.value)
        .ok_or(Error::Incomplete { call: "ssm GetParameter", what: "the value" })
}

/// The spec that a version was made from.
pub(super) fn read(name: &str, data: Option<&ec2::ResponseLaunchTemplateData>) -> Spec {
    let boot = fleet::boot_of(data);
    let architecture = boot.as_ref().map(|_| data.and_then(|d| d.instance_type()).map_or("x86_64", architecture_of));
    let (bucket, release, game_file, environment) =
        boot.map(|b| (b.bucket, b.release, b.game_file, b.environment)).unwrap_or_default();
    Spec {
        name: name.to_owned(),
        instance_type: data.and_then(|d| d.instance_type()).map(|t| t.as_str().to_owned()).unwrap_or_default(),
        architecture: architecture.unwrap_or_default().to_owned(),
        profile: data.and_then(|d| d.iam_instance_profile()?.name()).unwrap_or_default().into(),
        security_groups: data.map_or_else(Vec::new, |d| {
            d.security_group_ids().iter().map(|group| group.as_str().into()).collect()
        }),
        imdsv2_required: data
            .and_then(|d| d.metadata_options()?.http_tokens())
            .is_some_and(|tokens| *tokens == ec2::LaunchTemplateHttpTokensState::Required),
        bucket: bucket.into(),
        release: release.into(),
        game_file: game_file.into(),
        environment: environment.into_iter().map(|(k, v)| (k, v.into())).collect(),
    }
}

/// Graviton families carry a `g` behind their generation: `t4g`, `m7gd`, `c8gn`.
fn architecture_of(instance_type: &ec2::InstanceType) -> &'static str {
    let family = instance_type.as_str().split('.').next().unwrap_or_default();
    let behind = family.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let options = behind.trim_start_matches(|c: char| c.is_ascii_digit());
    if options.starts_with('g') || family.starts_with("a1") { "arm64" } else { "x86_64" }
}

