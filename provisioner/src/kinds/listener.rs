//! The load balancer's listeners: HTTPS where there is a domain, and HTTP that redirects to it or serves.

use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::types as elb;
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Impact, Kind, Live, Phase, Place, Ref, Result, State, Want, attrs, Tagged};
use super::{load_balancer, target_group};
use crate::aws::error::GoneOk;
use crate::aws::tags::pairs;
use crate::blueprint::{Blueprint, HttpMode};

/// TLS 1.2 and 1.3; the API's own default is a policy of 2016.
const TLS_POLICY: &str = "ELBSecurityPolicy-TLS13-1-2-2021-06";

/// A listener of the load balancer.
pub struct Listener;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// The load balancer's ARN.
    pub load_balancer: Ref,
    /// Its port.
    pub port: u16,
    /// `HTTP` or `HTTPS`.
    pub protocol: String,
    /// The certificate's ARN, for HTTPS.
    pub certificate: Option<Ref>,
    /// The TLS policy, for HTTPS.
    pub tls_policy: Option<String>,
    /// The target group's ARN, where it serves.
    pub forward: Option<Ref>,
    /// The port that clients are redirected to, where it does not serve.
    pub redirect: Option<u16>,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `ModifyListener`.
    Modify,
}

impl Kind for Listener {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "listener";
    const TAGGED: Tagged = Tagged::LoadBalancing;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("load_balancer"),
        Field::update("port", Op::Modify, Impact::InPlace),
        Field::update("protocol", Op::Modify, Impact::InPlace),
        Field::update("certificate", Op::Modify, Impact::InPlace),
        Field::update("tls_policy", Op::Modify, Impact::InPlace),
        Field::update("forward", Op::Modify, Impact::InPlace),
        Field::update("redirect", Op::Modify, Impact::InPlace),
    ];
    const AFTER: &'static [&'static str] =
        &["certificate", "certificate_validation", "load_balancer", "target_group"];

    fn desired(&self, blueprint: &Blueprint, _place: &Place) -> Vec<Want<Spec>> {
        let Some(servers) = &blueprint.servers else { return Vec::new() };
        let balancer = || Ref::to(load_balancer::ADDRESS, "arn");
        let group = || Some(Ref::to(target_group::ADDRESS, "arn"));
        let secure = blueprint.domain.as_ref().is_some_and(|domain| domain.api.is_some());
        let redirects = secure && servers.http == HttpMode::Redirect;
        let mut wanted = vec![Want::new(
            "listener/http",
            Spec {
                load_balancer: balancer(),
                port: servers.http_port,
                protocol: "HTTP".into(),
                certificate: None,
                tls_policy: None,
                forward: if redirects { None } else { group() },
                redirect: redirects.then_some(servers.https_port),
            },
        )];
        if secure {
            let spec = Spec {
                load_balancer: balancer(),
                port: servers.https_port,
                protocol: "HTTPS".into(),
                certificate: Some(Ref::to("certificate-validation/api", "arn")),
                tls_policy: Some(TLS_POLICY.into()),
                forward: group(),
                redirect: None,
            };
            wanted.push(Want::new("listener/https", spec));
        }
        wanted
    }

    fn expected(&self, _phase: Phase, _spec: &Spec) -> Duration {
        Duration::from_secs(2)
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let Some(balancer) = load_balancer::find(cx).await? else { return Ok(Vec::new()) };
        let arn = balancer.load_balancer_arn().unwrap_or_default();
        let answer = cx.aws.elbv2.describe_listeners().load_balancer_arn(arn).send().await.gone_ok()?;
        let listeners = answer.and_then(|answer| answer.listeners).unwrap_or_default();
        if listeners.is_empty() {
            return Ok(Vec::new());
        }
        let arns = listeners.iter().filter_map(|l| l.listener_arn().map(str::to_owned)).collect();
        let tags = cx.aws.elbv2.describe_tags().set_resource_arns(Some(arns)).send().await.gone_ok()?;
        let mut found = Vec::new();
        for description in tags.as_ref().map(|t| t.tag_descriptions()).unwrap_or_default() {
            let arn = description.resource_arn().unwrap_or_default();
            let Some(address) = cx.node_of(Self::NAME, arn, pairs(description.tags())) else { continue };
            let Some(listener) = listeners.iter().find(|l| l.listener_arn() == description.resource_arn()) else {
                continue;
            };
            let id = listener.listener_arn().unwrap_or_default().to_owned();
            found.push(Live { address, attrs: attrs([("arn", &id)]), id, spec: read(listener), state: State::Ready });
        }
        Ok(found)
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let spec = &want.spec;
        let answer = cx
            .aws
            .elbv2
            .create_listener()
            .load_balancer_arn(spec.load_balancer.get())
            .port(i32::from(spec.port))
            .protocol(elb::ProtocolEnum::from(spec.protocol.as_str()))
            .set_certificates(certificates(spec))
            .set_ssl_policy(spec.tls_policy.clone())
            .default_actions(action(spec))
            .set_tags(Some(cx.tags(&want.address).elbv2()))
            .send()
            .await?;
        let arn = answer
            .listeners
            .and_then(|all| all.into_iter().next()?.listener_arn)
            .ok_or(Error::Incomplete { call: "elbv2 CreateListener", what: "ListenerArn" })?;
        Ok(Created { attrs: attrs([("arn", &arn)]), id: arn })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        let spec = change.want;
        match op {
            Op::Modify => {
                cx.aws
                    .elbv2
                    .modify_listener()
                    .listener_arn(&change.live.id)
                    .port(i32::from(spec.port))
                    .protocol(elb::ProtocolEnum::from(spec.protocol.as_str()))
                    .set_certificates(certificates(spec))
                    .set_ssl_policy(spec.tls_policy.clone())
                    .default_actions(action(spec))
                    .send()
                    .await?;
                Ok(())
            }
        }
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        cx.aws.elbv2.delete_listener().listener_arn(&live.id).send().await.gone_ok()?;
        Ok(())
    }
}

fn certificates(spec: &Spec) -> Option<Vec<elb::Certificate>> {
    let arn = spec.certificate.as_ref()?;
    Some(vec![elb::Certificate::builder().certificate_arn(arn.get()).build()])
}

fn action(spec: &Spec) -> elb::Action {
    if let Some(port) = spec.redirect {
        let redirect = elb::RedirectActionConfig::builder()
            .protocol("HTTPS")
            .port(port.to_string())
            .host("#{host}")
            .path("/#{path}")
            .query("#{query}")
            .status_code(elb::RedirectActionStatusCodeEnum::Http301)
            .build();
        return elb::Action::builder().r#type(elb::ActionTypeEnum::Redirect).redirect_config(redirect).build();
    }
    let group = spec.forward.as_ref().map_or("", Ref::get);
    elb::Action::builder().r#type(elb::ActionTypeEnum::Forward).target_group_arn(group).build()
}

fn read(listener: &elb::Listener) -> Spec {
    let action = listener.default_actions().first();
    let redirect = action.and_then(|a| a.redirect_config()?.port()?.parse().ok());
    let forward = action.and_then(|a| a.target_group_arn()).map(Ref::from);
    let secure = listener.protocol() == Some(&elb::ProtocolEnum::Https);
    Spec {
        load_balancer: listener.load_balancer_arn().unwrap_or_default().into(),
        port: listener.port().and_then(|port| u16::try_from(port).ok()).unwrap_or_default(),
        protocol: listener.protocol().map(|p| p.as_str().to_owned()).unwrap_or_default(),
        certificate: listener.certificates().first().and_then(|c| c.certificate_arn()).map(Ref::from),
        tls_policy: listener.ssl_policy().filter(|_| secure).map(str::to_owned),
        forward,
        redirect,
    }
}
