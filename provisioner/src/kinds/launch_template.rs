//! The launch template: what an instance is, and the release it boots.

mod data;
mod environment;

use std::collections::BTreeMap;

use aws_sdk_ec2::types as ec2;
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Impact, Kind, Live, Phase, Place, Progress, Ref, Result, State, Tagged};
use super::tokened::{Presence, tokened};
use super::{Want, attrs, bucket, fleet, game_file, instance_profile};
use crate::aws::error::GoneOk;
use crate::aws::stack::{NameRule, short_hash};
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;
use data::{data, read};
use environment::environment;

pub use data::image;

/// Its address.
pub const ADDRESS: &str = "launch-template";

/// A launch template. The numbered version that the servers' group launches from counts; until there is one, the default.
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
    /// `CreateLaunchTemplateVersion`, `ModifyLaunchTemplate` (it becomes the default).
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
            let version = fleet::current(cx, id).await?;
            let name = template.launch_template_name().unwrap_or_default();
            found.push(Live {
                address,
                id: id.to_owned(),
                attrs: attrs([("version", &number_of(version.as_ref()))]),
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
        Ok(Progress::Ready(attrs([("version", &default_number(cx, id).await?)])))
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::NewVersion => {
                // The version that is left is part of the token: going back to an old state is a new version too.
                let from = change.live.attrs.get("version").cloned().unwrap_or_default();
                let data = data(cx, change.want).await?;
                let image = data.image_id().unwrap_or_default().to_owned();
                let call = cx.aws.ec2.create_launch_template_version().launch_template_id(&change.live.id);
                let call = call.client_token(cx.token(&change.live.address, &(from, change.want, image)));
                let made = call.launch_template_data(data).send().await?.launch_template_version;
                set_default(cx, &change.live.id, &number_of(made.as_ref())).await
            }
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        cx.aws.ec2.delete_launch_template().launch_template_id(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}

/// The version that [`Kind::update`] and a deploy leave as the default: what new instances are to boot.
async fn default_number(cx: &Cx, id: &str) -> Result<String> {
    Ok(number_of(fleet::version(cx, id, "$Default").await?.as_ref()))
}

fn number_of(version: Option<&ec2::LaunchTemplateVersion>) -> String {
    version.and_then(|v| v.version_number).map(|number| number.to_string()).unwrap_or_default()
}

/// The release that each of these numbered versions boots; none of a version that is gone or not provision's.
pub async fn releases(cx: &Cx, id: &str, versions: Vec<String>) -> Result<BTreeMap<String, String>> {
    let call = cx.aws.ec2.describe_launch_template_versions().launch_template_id(id).set_versions(Some(versions));
    let found = call.send().await.gone_ok()?.and_then(|answer| answer.launch_template_versions).unwrap_or_default();
    let release = |version: &ec2::LaunchTemplateVersion| {
        Some((number_of(Some(version)), fleet::boot_of(version.launch_template_data())?.release))
    };
    Ok(found.iter().filter_map(release).collect())
}

/// Makes a numbered version the default.
pub async fn set_default(cx: &Cx, id: &str, number: &str) -> Result<()> {
    cx.aws.ec2.modify_launch_template().launch_template_id(id).default_version(number).send().await?;
    Ok(())
}
