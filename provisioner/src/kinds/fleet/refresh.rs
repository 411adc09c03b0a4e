//! Instance refreshes: how new instances take the place of old ones.

use aws_sdk_autoscaling::types as asg;

use super::name;
use crate::aws::error::CallError;
use crate::kinds::{Cx, Error, Result};

/// Seconds after launch in which a failed health check does not count.
pub const GRACE: i32 = 120;
/// Seconds before a new instance counts as healthy. Longer than the grace: one that the load balancer calls unhealthy at
/// its end is replaced before any old instance leaves for it.
pub const WARM_UP: i32 = GRACE + 30;

/// What watches a roll-out.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    /// Names of alarms; one that goes off turns the refresh back. AWS takes ten.
    pub alarms: Vec<String>,
    /// Seconds for which they are watched after the last instance was exchanged.
    pub bake: i32,
}

/// New instances of the numbered version first, then the old ones leave; turned back by itself where they do not become
/// healthy or an alarm goes off. Instances that have the version already stay. Its id.
pub async fn start(cx: &Cx, template: &str, version: &str, watch: &Watch) -> Result<String, CallError> {
    let configuration =
        asg::LaunchTemplateSpecification::builder().launch_template_id(template).version(version).build();
    let mut preferences = asg::RefreshPreferences::builder()
        .min_healthy_percentage(100)
        .max_healthy_percentage(200)
        .instance_warmup(WARM_UP)
        .skip_matching(true)
        .auto_rollback(true);
    if !watch.alarms.is_empty() {
        let alarms = asg::AlarmSpecification::builder().set_alarms(Some(watch.alarms.clone())).build();
        preferences = preferences.alarm_specification(alarms).bake_time(watch.bake);
    }
    let request = cx
        .aws
        .autoscaling
        .start_instance_refresh()
        .auto_scaling_group_name(name(&cx.stack))
        .strategy(asg::RefreshStrategy::Rolling)
        .desired_configuration(asg::DesiredConfiguration::builder().launch_template(configuration).build())
        .preferences(preferences.build());
    Ok(request.send().await?.instance_refresh_id.unwrap_or_default())
}

/// Another refresh is under way.
pub fn is_in_progress(error: &CallError) -> bool {
    error.is(&["InstanceRefreshInProgress", "InstanceRefreshInProgressFault"])
}

/// The newest refresh of the group.
pub async fn newest(cx: &Cx) -> Result<Option<asg::InstanceRefresh>> {
    let request = cx.aws.autoscaling.describe_instance_refreshes().auto_scaling_group_name(name(&cx.stack));
    Ok(request.max_records(1).send().await?.instance_refreshes.and_then(|all| all.into_iter().next()))
}

/// One refresh, by id.
pub async fn by_id(cx: &Cx, id: &str) -> Result<asg::InstanceRefresh> {
    let request = cx.aws.autoscaling.describe_instance_refreshes().auto_scaling_group_name(name(&cx.stack));
    let found = request.instance_refresh_ids(id).send().await?.instance_refreshes;
    let lacking = Error::Incomplete { call: "autoscaling DescribeInstanceRefreshes", what: "the refresh" };
    found.and_then(|all| all.into_iter().next()).ok_or(lacking)
}

/// Whether it goes on.
pub fn is_running(refresh: &asg::InstanceRefresh) -> bool {
    use asg::InstanceRefreshStatus as Status;
    let over =
        [Status::Successful, Status::Failed, Status::Cancelled, Status::RollbackFailed, Status::RollbackSuccessful];
    !refresh.status().is_some_and(|status| over.contains(status))
}

/// The numbered version that it leads to.
pub fn target(refresh: &asg::InstanceRefresh) -> Option<&str> {
    refresh.desired_configuration()?.launch_template()?.version()
}

/// Turns a refresh under way back. One that ended meanwhile, or turns back already, is left as it is.
pub async fn roll_back(cx: &Cx) -> Result<()> {
    let request = cx.aws.autoscaling.rollback_instance_refresh().auto_scaling_group_name(name(&cx.stack));
    match request.send().await.map_err(CallError::from) {
        Err(error) if error.is(&["ActiveInstanceRefreshNotFound", "ActiveInstanceRefreshNotFoundFault"]) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Ok(()),
    }
}
