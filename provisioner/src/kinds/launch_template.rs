//! The launch template: what an instance is, and the release it boots.

use std::collections::BTreeMap;

use aws_sdk_ec2::types as ec2;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Impact, Kind, Live, Phase, Place, Progress, Ref, Result, State, Tagged};
use super::tokened::{Presence, tokened};
use super::{Want, attrs, bucket, game_file, instance_profile};
use crate::aws::error::GoneOk;
use crate::aws::stack::{NameRule, short_hash};
use crate::aws::tags::pairs;
use crate::blueprint::{Blueprint, Servers};
use crate::release::user_data::{Boot, GAME_FILE};

/// Its address.
pub const ADDRESS: &str = "launch-template";

/// Root volume of an instance: room for a few releases and the journal.
const DISK_GIB: i32 = 16;

/// A launch template whose latest numbered version counts.
pub struct LaunchTemplate;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Name, unique in account and region.
    pub name: String,
    /// EC2 instance type.
    pub instance_type: String,
    /// `x86_64` or `arm64`: which Amazon Linux 2023 image is looked up for a new version.
    pub architecture: String,
    /// Name of the instance profile.
    pub profile: Ref,
    /// Security groups of the instances.
    pub security_groups: Vec<Ref>,
    /// IMDSv2 alone.
    pub imdsv2_required: bool,
    /// The stack bucket, which holds the release.
    pub bucket: Ref,
    /// SHA-256 of the release.
    pub release: Ref,
    /// SHA-256 of the game file; empty: none.
    pub game_file: Ref,
    /// The server's environment.
    pub environment: BTreeMap<String, Ref>,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `CreateLaunchTemplateVersion`.
    NewVersion,
}

impl Kind for LaunchTemplate {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "launch_template";
    const TAGGED: Tagged = Tagged::Ec2;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("name"),
        Field::update("instance_type", Op::NewVersion, Impact::Rolling),
        Field::update("architecture", Op::NewVersion, Impact::Rolling),
        Field::update("profile", Op::NewVersion, Impact::Rolling),
        Field::update("security_groups", Op::NewVersion, Impact::Rolling),
        Field::update("imdsv2_required", Op::NewVersion, Impact::Rolling),
        Field::update("bucket", Op::NewVersion, Impact::Rolling),
        Field::update("release", Op::NewVersion, Impact::Rolling),
        Field::update("game_file", Op::NewVersion, Impact::Rolling),
        Field::update("environment", Op::NewVersion, Impact::Rolling),
    ];
    const AFTER: &'static [&'static str] = &[
        "bucket",
        "cache_parameter_group",
        "db_instance",
        "dynamodb_table",
        "game_file",
        "instance_profile",
        "log_group",
        "release",
        "replication_group",
        "secret",
        "security_group",
    ];
    const CHANGED_BY_UPDATE: &'static [&'static str] = &["version"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let Some(servers) = &blueprint.servers else { return Vec::new() };
        let spec = Spec {
            name: place.stack.name_for(ADDRESS, NameRule::max(128)),
            instance_type: servers.instance_type.clone(),
            architecture: servers.architecture.as_str().to_owned(),
            profile: Ref::to(instance_profile::ADDRESS, "name"),
            security_groups: vec![Ref::to("security-group/servers", "id")],
            imdsv2_required: true,
            bucket: Ref::to(bucket::STACK, "name"),
            release: Ref::to("release", "sha256"),
            game_file: match &place.game_file {
                Some(_) => Ref::to(game_file::ADDRESS, "sha256"),
                None => "".into(),
            },
            environment: environment(blueprint, servers, place),
        };
        vec![Want::new(ADDRESS, spec)]
    }

    fn expected(&self, _phase: Phase, _spec: &Spec) -> std::time::Duration {
        std::time::Duration::from_secs(2)
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let answer = cx.aws.ec2.describe_launch_templates().set_filters(Some(cx.filters_of(Self::NAME))).send().await?;
        let mut found = Vec::new();
        for template in answer.launch_templates() {
            let id = template.launch_template_id().unwrap_or_default();
            let Some(address) = cx.node_of(Self::NAME, id, pairs(template.tags())) else { continue };
            let version = latest(cx, id).await?;
            let name = template.launch_template_name().unwrap_or_default();
            found.push(Live {
                address,
                id: id.to_owned(),
                attrs: attrs([("version", &version_number(version.as_ref()))]),
                spec: read(name, version.and_then(|v| v.launch_template_data).as_ref()),
                state: State::Ready,
            });
        }
        Ok(found)
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let data = data(cx, &want.spec).await?;
        let create = |token: String| {
            let data = data.clone();
            async move {
                let call = cx.aws.ec2.create_launch_template().launch_template_name(&want.spec.name);
                let call = call.tag_specifications(cx.tags(&want.address).ec2_spec("launch-template"));
                // The image is no part of the spec, and another one under the same token is an error.
                let token = short_hash(&format!("{token}|{}", data.image_id().unwrap_or_default()), 32);
                let answer = call.client_token(token).launch_template_data(data).send().await?;
                let id = answer.launch_template.and_then(|template| template.launch_template_id);
                id.ok_or(Error::Incomplete { call: "ec2 CreateLaunchTemplate", what: "LaunchTemplateId" })
            }
        };
        let look = |id: String| async move {
            let found = cx.aws.ec2.describe_launch_templates().launch_template_ids(id).send().await.gone_ok()?;
            let found = found.is_some_and(|found| !found.launch_templates().is_empty());
            Ok(if found { Presence::Alive } else { Presence::Unseen })
        };
        let id = tokened(cx, want, create, look).await?;
        Ok(Created { attrs: attrs([("version", "1")]), id })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        let version = latest(cx, id).await?;
        Ok(Progress::Ready(attrs([("version", &version_number(version.as_ref()))])))
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::NewVersion => {
                // The version that is left is part of the token: going back to an old state is a new version too.
                let from = change.live.attrs.get("version").cloned().unwrap_or_default();
                let data = data(cx, change.want).await?;
                let image = data.image_id().unwrap_or_default().to_owned();
                cx.aws
                    .ec2
                    .create_launch_template_version()
                    .launch_template_id(&change.live.id)
                    .client_token(cx.token(&change.live.address, &(from, change.want, image)))
                    .launch_template_data(data)
                    .send()
                    .await?;
                Ok(())
            }
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        cx.aws.ec2.delete_launch_template().launch_template_id(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}

/// The server's environment: where its stores are. Secrets go by name. Read replicas are left out, so that adding one
/// does not exchange the servers: these ask RDS for them.
fn environment(blueprint: &Blueprint, servers: &Servers, place: &Place) -> BTreeMap<String, Ref> {
    let mut all: BTreeMap<String, Ref> = BTreeMap::new();
    let mut set = |name: &str, value: Ref| all.insert(name.to_owned(), value);
    let on_aws = blueprint.database.is_some() && blueprint.cache.is_some() && blueprint.log.is_some();
    set("AWS_REGION", place.stack.home.as_str().into());
    set("GAME_STORE", if on_aws { "aws" } else { "embedded" }.into());
    set("GAME_STACK", place.stack.name.as_str().into());
    set("GAME_PORT", servers.port.to_string().into());
    set("GAME_RELEASE", Ref::to("release", "sha256"));
    set("GAME_SIGNING_SECRET", Ref::to("secret/signing", "name"));
    set("GAME_LOG_GROUP", Ref::to("log-group/servers", "name"));
    if place.game_file.is_some() {
        set("GAME_FILE", GAME_FILE.into());
    }
    if !on_aws {
        set("GAME_DATA_DIR", "/var/lib/game-server".into());
    }
    let tls = |on: bool| Ref::from(if on { "required" } else { "off" });
    if let Some(database) = &blueprint.database {
        set("GAME_DATABASE_HOST", Ref::to("database", "endpoint"));
        set("GAME_DATABASE_PORT", Ref::to("database", "port"));
        set("GAME_DATABASE_INSTANCE", Ref::to("database", "name"));
        set("GAME_DATABASE_NAME", "game".into());
        set("GAME_DATABASE_SECRET", Ref::to("secret/database", "name"));
        set("GAME_DATABASE_TLS", tls(database.tls));
    }
    if let Some(cache) = &blueprint.cache {
        set("GAME_CACHE_HOST", Ref::to("cache", "endpoint"));
        set("GAME_CACHE_READER_HOST", Ref::to("cache", "reader_endpoint"));
        set("GAME_CACHE_PORT", Ref::to("cache", "port"));
        set("GAME_CACHE_TLS", tls(cache.tls));
        if cache.tls {
            set("GAME_CACHE_SECRET", Ref::to("secret/cache", "name"));
        }
    }
    if let Some(log) = &blueprint.log {
        set("GAME_LOG_TABLE", Ref::to("log-table", "name"));
        set("GAME_LOG_RETENTION_DAYS", log.retention_days.to_string().into());
    }
    all
}

async fn latest(cx: &Cx, id: &str) -> Result<Option<ec2::LaunchTemplateVersion>> {
    let request = cx.aws.ec2.describe_launch_template_versions().launch_template_id(id).versions("$Latest");
    Ok(request.send().await.gone_ok()?.and_then(|answer| answer.launch_template_versions?.into_iter().next()))
}

/// The release that each of these numbered versions boots; none of a version that is gone or not provision's.
pub async fn releases(cx: &Cx, id: &str, versions: Vec<String>) -> Result<BTreeMap<String, String>> {
    let call = cx.aws.ec2.describe_launch_template_versions().launch_template_id(id).set_versions(Some(versions));
    let found = call.send().await.gone_ok()?.and_then(|answer| answer.launch_template_versions).unwrap_or_default();
    let release = |version: &ec2::LaunchTemplateVersion| {
        let release = read("", version.launch_template_data()).release;
        (version_number(Some(version)), release.get().to_owned())
    };
    Ok(found.iter().map(release).filter(|(_, release)| !release.is_empty()).collect())
}

fn version_number(version: Option<&ec2::LaunchTemplateVersion>) -> String {
    version.and_then(|v| v.version_number).map(|number| number.to_string()).unwrap_or_default()
}

/// The data of a new version, with the newest Amazon Linux 2023 image.
async fn data(cx: &Cx, spec: &Spec) -> Result<ec2::RequestLaunchTemplateData> {
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

async fn image(cx: &Cx, architecture: &str) -> Result<String> {
    let name = format!("/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-{architecture}");
    let answer = cx.aws.ssm.get_parameter().name(name).send().await?;
    answer
        .parameter
        .and_then(|parameter| parameter.value)
        .ok_or(Error::Incomplete { call: "ssm GetParameter", what: "the value" })
}

fn read(name: &str, data: Option<&ec2::ResponseLaunchTemplateData>) -> Spec {
    let script = data
        .and_then(|d| d.user_data())
        .and_then(|encoded| BASE64_STANDARD.decode(encoded).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_default();
    let boot = Boot::read(&script);
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

