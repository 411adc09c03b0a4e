//! The instance profile through which the servers take on their role.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Field, Impact, Kind, Live, Phase, Place, Ref, Result, State, Want, attrs, iam_role, Tagged};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::NameRule;
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// Its address.
pub const ADDRESS: &str = "instance-profile";

/// An instance profile with one role.
pub struct InstanceProfile;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Name, unique in the account.
    pub name: String,
    /// The role's name; empty while there is none.
    pub role: Ref,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `RemoveRoleFromInstanceProfile`, `AddRoleToInstanceProfile`.
    Role,
}

impl Kind for InstanceProfile {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "instance_profile";
    const TAGGED: Tagged = Tagged::InstanceProfile;
    const FIELDS: &'static [Field<Op>] = &[Field::replace("name"), Field::update("role", Op::Role, Impact::None)];
    const AFTER: &'static [&'static str] = &["iam_role"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        if blueprint.servers.is_none() {
            return Vec::new();
        }
        let name = place.stack.global_name_for(ADDRESS, NameRule::max(128));
        vec![Want::new(ADDRESS, Spec { name, role: Ref::to(iam_role::SERVERS, "name") })]
    }

    fn expected(&self, _phase: Phase, _spec: &Spec) -> Duration {
        Duration::from_secs(3)
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let name = cx.stack.global_name_for(ADDRESS, NameRule::max(128));
        let answer = cx.aws.iam.get_instance_profile().instance_profile_name(&name).send().await.gone_ok()?;
        let Some(profile) = answer.and_then(|answer| answer.instance_profile) else { return Ok(Vec::new()) };
        let Some(address) = cx.node_of(Self::NAME, &name, pairs(profile.tags())) else { return Ok(Vec::new()) };
        let role = profile.roles().first().map_or("", |role| role.role_name());
        Ok(vec![Live {
            address,
            id: name.clone(),
            attrs: attrs([("name", &name), ("arn", profile.arn())]),
            spec: Spec { name, role: role.into() },
            state: State::Ready,
        }])
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let name = &want.spec.name;
        let made = cx
            .aws
            .iam
            .create_instance_profile()
            .instance_profile_name(name)
            .set_tags(Some(cx.tags(&want.address).iam()))
            .send()
            .await
            .map_err(CallError::from);
        let profile = match made {
            Ok(answer) => answer.instance_profile,
            // An answer was lost: it is ours where its tags say so.
            Err(error) if error.is(&["EntityAlreadyExists"]) => {
                let found = cx.aws.iam.get_instance_profile().instance_profile_name(name).send().await?;
                match found.instance_profile {
                    Some(profile) if cx.stack.owns(pairs(profile.tags())) => Some(profile),
                    _ => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        };
        let arn = profile.as_ref().map(|p| p.arn().to_owned()).unwrap_or_default();
        if profile.is_none_or(|p| p.roles().is_empty()) {
            add(cx, name, want.spec.role.get()).await?;
        }
        Ok(Created { id: name.clone(), attrs: attrs([("name", name), ("arn", &arn)]) })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::Role => {
                remove(cx, change.live).await?;
                add(cx, &change.live.id, change.want.role.get()).await
            }
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        remove(cx, live).await?;
        cx.aws.iam.delete_instance_profile().instance_profile_name(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}

async fn add(cx: &Cx, profile: &str, role: &str) -> Result<()> {
    cx.aws.iam.add_role_to_instance_profile().instance_profile_name(profile).role_name(role).send().await?;
    Ok(())
}

async fn remove(cx: &Cx, live: &Live<Spec>) -> Result<()> {
    let role = live.spec.role.get();
    if !role.is_empty() {
        let removed = cx.aws.iam.remove_role_from_instance_profile().instance_profile_name(&live.id).role_name(role);
        removed.send().await.gone_ok()?;
    }
    Ok(())
}
