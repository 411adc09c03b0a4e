//! The servers' group as AWS has it, and what its instances boot: the truth about which release serves.

pub mod refresh;

use aws_sdk_autoscaling::types as asg;
use aws_sdk_ec2::types as ec2;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{Cx, Result};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::{NameRule, Stack, TAG_HOME, TAG_NODE, TAG_STACK};
use crate::release::user_data::Boot;

/// The address of the group.
pub const ADDRESS: &str = "servers";

/// The group's name.
pub fn name(stack: &Stack) -> String {
    stack.name_for(ADDRESS, NameRule::max(255))
}

/// The stack's group, by name, with its tags proving that it is the stack's.
pub async fn find(cx: &Cx) -> Result<Option<asg::AutoScalingGroup>> {
    let request = cx.aws.autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(name(&cx.stack));
    let group = request.send().await?.auto_scaling_groups.and_then(|all| all.into_iter().next());
    Ok(group.filter(|group| {
        let has =
            |key: &str, value: &str| group.tags().iter().any(|t| t.key() == Some(key) && t.value() == Some(value));
        let is_node = group.tags().iter().any(|t| t.key() == Some(TAG_NODE));
        has(TAG_STACK, &cx.stack.name) && has(TAG_HOME, &cx.stack.home) && is_node
    }))
}

/// How many members are in service.
pub fn in_service(group: &asg::AutoScalingGroup) -> usize {
    group.instances().iter().filter(|i| i.lifecycle_state() == Some(&asg::LifecycleState::InService)).count()
}

/// The launch template and the numbered version that a group launches from.
pub fn launched_from(group: &asg::AutoScalingGroup) -> Option<(String, String)> {
    let template = group.launch_template()?;
    let version = template.version()?;
    let is_numbered = version.bytes().all(|b| b.is_ascii_digit());
    Some((template.launch_template_id()?.to_owned(), version.to_owned())).filter(|_| is_numbered)
}

/// A version of a launch template, by number, `$Default` or `$Latest`; `None` where there is none.
pub async fn version(cx: &Cx, template: &str, version: &str) -> Result<Option<ec2::LaunchTemplateVersion>> {
    let request = cx.aws.ec2.describe_launch_template_versions().launch_template_id(template).versions(version);
    Ok(request.send().await.gone_ok()?.and_then(|answer| answer.launch_template_versions?.into_iter().next()))
}

/// The boot script of a version, where provision wrote it.
pub fn boot_of(data: Option<&ec2::ResponseLaunchTemplateData>) -> Option<Boot> {
    let bytes = BASE64_STANDARD.decode(data?.user_data()?).ok()?;
    Boot::read(&String::from_utf8(bytes).ok()?)
}

/// What the servers' group launches.
#[derive(Debug, Clone)]
pub struct Serving {
    /// The group.
    pub group: asg::AutoScalingGroup,
    /// The launch template's id.
    pub template: String,
    /// The numbered version.
    pub version: String,
    /// The image of that version.
    pub image: String,
    /// What it boots.
    pub boot: Boot,
}

/// What the servers' group launches; `None` where there is no group, or one that boots what provision did not write.
pub async fn serving(cx: &Cx) -> Result<Option<Serving>> {
    let Some(group) = find(cx).await? else { return Ok(None) };
    let Some((template, number)) = launched_from(&group) else { return Ok(None) };
    let data = version(cx, &template, &number).await?.and_then(|version| version.launch_template_data);
    let image = data.as_ref().and_then(|data| data.image_id.clone()).unwrap_or_default();
    let boot = boot_of(data.as_ref());
    Ok(boot.map(|boot| Serving { group, template, version: number, image, boot }))
}

/// The version that new instances of the stack are to boot: the group's own, or the template's default while there is no
/// group.
pub async fn current(cx: &Cx, template: &str) -> Result<Option<ec2::LaunchTemplateVersion>> {
    let launched = find(cx).await?.as_ref().and_then(launched_from);
    let number = launched.filter(|(id, _)| id == template).map(|(_, number)| number);
    match version(cx, template, number.as_deref().unwrap_or("$Default")).await? {
        None if number.is_some() => version(cx, template, "$Default").await,
        found => Ok(found),
    }
}

/// Auto Scaling says `ValidationError` for a group that does not exist.
pub fn is_absent(error: &CallError) -> bool {
    let says_so = |message: &str| message.contains("not found") || message.contains("does not exist");
    error.is(&["ValidationError"]) && error.message.as_deref().is_some_and(says_so)
}
