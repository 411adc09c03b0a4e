//! The servers' role: exactly what the server does, on exactly this stack's resources.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Change, Created, Cx, Error, Field, Impact, Kind, Live, Phase, Place, Ref, Result, State, Want, attrs, bucket, log_group, Tagged};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::NameRule;
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// The address of the servers' role.
pub const SERVERS: &str = "role/servers";
const POLICY: &str = "servers";
/// Session Manager, instead of SSH.
const SESSION_MANAGER: &str = "policy/AmazonSSMManagedInstanceCore";
/// What may follow a resource's ARN in the policy.
const SUFFIXES: &[&str] = &["/releases/*", "/game/*", "/manifest/*", ":*"];

/// A role that EC2 instances take on.
pub struct IamRole;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Name, unique in the account.
    pub name: String,
    /// The statements of its one inline policy, by Sid.
    pub statements: BTreeMap<String, Statement>,
    /// ARNs of attached managed policies.
    pub managed: Vec<String>,
}

/// One statement that allows something.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Statement {
    /// IAM actions.
    pub actions: Vec<String>,
    /// What they are allowed on.
    pub resources: Vec<Resource>,
}

/// An ARN and what follows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resource {
    /// The ARN of a node.
    pub arn: Ref,
    /// Follows the ARN, for example `/releases/*`.
    pub suffix: String,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `PutRolePolicy`.
    Policy,
    /// `AttachRolePolicy`, `DetachRolePolicy`.
    Managed,
}

impl Kind for IamRole {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "iam_role";
    const TAGGED: Tagged = Tagged::Role;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("name"),
        Field::update("statements", Op::Policy, Impact::None),
        Field::update("managed", Op::Managed, Impact::None),
    ];
    const AFTER: &'static [&'static str] = &["bucket", "dynamodb_table", "secret", "log_group"];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        if blueprint.servers.is_none() {
            return Vec::new();
        }
        let name = place.stack.global_name_for(SERVERS, NameRule::max(64));
        let managed = vec![format!("arn:{}:iam::aws:{SESSION_MANAGER}", place.stack.partition())];
        vec![Want::new(SERVERS, Spec { name, statements: statements(blueprint, place), managed })]
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let name = cx.stack.global_name_for(SERVERS, NameRule::max(64));
        let iam = &cx.aws.iam;
        let Some(answer) = iam.get_role().role_name(&name).send().await.gone_ok()? else { return Ok(Vec::new()) };
        let Some(role) = answer.role() else { return Ok(Vec::new()) };
        let Some(address) = cx.node_of(Self::NAME, &name, pairs(role.tags())) else { return Ok(Vec::new()) };
        let (policy, attached) = futures::join!(
            iam.get_role_policy().role_name(&name).policy_name(POLICY).send(),
            iam.list_attached_role_policies().role_name(&name).send(),
        );
        let statements = policy.gone_ok()?.map(|p| read_document(p.policy_document())).unwrap_or_default();
        let managed = attached.gone_ok()?.map_or_else(Vec::new, |answer| {
            answer.attached_policies().iter().filter_map(|p| p.policy_arn().map(str::to_owned)).collect()
        });
        Ok(vec![Live {
            address,
            id: name.clone(),
            attrs: attrs([("name", &name), ("arn", role.arn())]),
            spec: Spec { name, statements, managed },
            state: State::Ready,
        }])
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let name = &want.spec.name;
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
        let made = cx
            .aws
            .iam
            .create_role()
            .role_name(name)
            .assume_role_policy_document(trust.to_string())
            .description(format!("Game servers of {}", cx.stack.name))
            .set_tags(Some(cx.tags(&want.address).iam()))
            .send()
            .await
            .map_err(CallError::from);
        let arn = match made {
            Ok(answer) => answer.role.map(|role| role.arn).unwrap_or_default(),
            Err(error) if error.is(&["EntityAlreadyExists"]) => owned(cx, name, error).await?,
            Err(error) => return Err(error.into()),
        };
        put_policy(cx, name, &want.spec).await?;
        attach(cx, name, &[], &want.spec.managed).await?;
        Ok(Created { id: name.clone(), attrs: attrs([("name", name), ("arn", &arn)]) })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        match op {
            Op::Policy => put_policy(cx, &change.live.id, change.want).await,
            Op::Managed => attach(cx, &change.live.id, &change.live.spec.managed, &change.want.managed).await,
        }
    }

    fn expected(&self, _phase: Phase, _spec: &Spec) -> Duration {
        Duration::from_secs(3)
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        attach(cx, &live.id, &live.spec.managed, &[]).await?;
        cx.aws.iam.delete_role_policy().role_name(&live.id).policy_name(POLICY).send().await.gone_ok()?;
        cx.aws.iam.delete_role().role_name(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}

/// What the server does: fetch its release, read its secrets, write the players' logs, ship its own, and ask which
/// replicas the database has.
fn statements(blueprint: &Blueprint, place: &Place) -> BTreeMap<String, Statement> {
    let mut all = BTreeMap::new();
    let mut allow = |sid: &str, actions: &[&str], resources: Vec<(Ref, &str)>| {
        let resources = resources.into_iter().map(|(arn, suffix)| Resource { arn, suffix: suffix.into() }).collect();
        let actions = actions.iter().map(|a| (*a).to_owned()).collect();
        all.insert(sid.to_owned(), Statement { actions, resources });
    };
    allow("FetchRelease", &["s3:GetObject"], vec![
        (Ref::to(bucket::STACK, "arn"), "/releases/*"),
        (Ref::to(bucket::STACK, "arn"), "/game/*"),
    ]);
    let mut secrets = vec![(Ref::to("secret/signing", "arn"), "")];
    if blueprint.database.is_some() {
        secrets.push((Ref::to("secret/database", "arn"), ""));
    }
    if blueprint.cache.as_ref().is_some_and(|cache| cache.tls) {
        secrets.push((Ref::to("secret/cache", "arn"), ""));
    }
    allow("ReadSecrets", &["secretsmanager:GetSecretValue"], secrets);
    if blueprint.log.is_some() {
        let actions = ["dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:Query", "dynamodb:DescribeTable"];
        allow("WriteLog", &actions, vec![(Ref::to("log-table", "arn"), "")]);
    }
    if let Some(database) = &blueprint.database {
        // By name: the role need not wait for the databases.
        let instances = log_group::database_addresses(database.read_replicas);
        let arns = instances.map(|address| (log_group::database_arn(&place.stack, &address).into(), ""));
        allow("AskForReplicas", &["rds:DescribeDBInstances"], arns.collect());
    }
    let actions = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"];
    allow("ShipLog", &actions, vec![(Ref::to("log-group/servers", "arn"), ":*")]);
    all
}

fn document(spec: &Spec) -> String {
    let statement = |(sid, s): (&String, &Statement)| {
        let resources: Vec<String> = s.resources.iter().map(|r| format!("{}{}", r.arn.get(), r.suffix)).collect();
        json!({"Sid": sid, "Effect": "Allow", "Action": s.actions, "Resource": resources})
    };
    json!({"Version": "2012-10-17", "Statement": spec.statements.iter().map(statement).collect::<Vec<_>>()}).to_string()
}

/// IAM answers URL-encoded JSON.
fn read_document(encoded: &str) -> BTreeMap<String, Statement> {
    let plain = percent_decode(encoded);
    let document: Value = serde_json::from_str(&plain).unwrap_or_default();
    let texts = |value: &Value| -> Vec<String> {
        match value {
            Value::String(one) => vec![one.clone()],
            Value::Array(many) => many.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        }
    };
    let resource = |text: String| {
        let suffix = SUFFIXES.iter().find(|suffix| text.ends_with(*suffix)).copied().unwrap_or("");
        let arn = text.strip_suffix(suffix).unwrap_or(&text).to_owned();
        Resource { arn: arn.into(), suffix: suffix.to_owned() }
    };
    let mut all = BTreeMap::new();
    for (number, statement) in document["Statement"].as_array().into_iter().flatten().enumerate() {
        let sid = statement["Sid"].as_str().map_or_else(|| format!("statement {number}"), str::to_owned);
        let resources = texts(&statement["Resource"]).into_iter().map(resource).collect();
        all.insert(sid, Statement { actions: texts(&statement["Action"]), resources });
    }
    all
}

fn percent_decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

async fn put_policy(cx: &Cx, role: &str, spec: &Spec) -> Result<()> {
    cx.aws.iam.put_role_policy().role_name(role).policy_name(POLICY).policy_document(document(spec)).send().await?;
    Ok(())
}

async fn attach(cx: &Cx, role: &str, have: &[String], want: &[String]) -> Result<()> {
    for arn in want.iter().filter(|arn| !have.contains(arn)) {
        cx.aws.iam.attach_role_policy().role_name(role).policy_arn(arn).send().await?;
    }
    for arn in have.iter().filter(|arn| !want.contains(arn)) {
        cx.aws.iam.detach_role_policy().role_name(role).policy_arn(arn).send().await.gone_ok()?;
    }
    Ok(())
}

/// The ARN of a role that exists already, if it is this stack's (an answer was lost); `error` otherwise.
async fn owned(cx: &Cx, name: &str, error: CallError) -> Result<String> {
    let found = cx.aws.iam.get_role().role_name(name).send().await?;
    match found.role {
        Some(role) if cx.stack.owns(pairs(role.tags())) => Ok(role.arn),
        _ => Err(Error::Call(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_back_as_it_was_written() {
        let resource = Resource { arn: "arn:aws:s3:::b".into(), suffix: "/releases/*".into() };
        let statement = Statement { actions: vec!["s3:GetObject".into()], resources: vec![resource] };
        let statements = BTreeMap::from([("FetchRelease".to_owned(), statement)]);
        let spec = Spec { name: "n".into(), statements: statements.clone(), managed: Vec::new() };
        let encoded = document(&spec).replace('"', "%22").replace('{', "%7B");
        assert_eq!(read_document(&encoded), statements);
    }
}
