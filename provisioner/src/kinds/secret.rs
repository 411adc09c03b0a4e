//! Secrets of generated values: database password, cache token, signing keys.

use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType};
use base64::Engine as _;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::{Change, Created, Cx, Error, Field, Kind, Live, Place, Result, State, Want, attrs, Tagged};
use super::tokened::{Presence, tokened};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::{NameRule, Stack, TAG_STACK};
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// `{"username", "password"}` of the database's master user.
pub const DATABASE: &str = "secret/database";
/// `{"auth_token"}` of the cache; only where it is reached over TLS, because AUTH needs that.
pub const CACHE: &str = "secret/cache";
/// `{"current", "operator"}`: the HMAC key of access tokens (base64) and the operator's key.
pub const SIGNING: &str = "secret/signing";

/// The database's master user.
const USERNAME: &str = "game";
/// Letters and digits alone: legal in an RDS password (no `/ " @` or space) and in an ElastiCache token.
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// A secret whose value is made up when it is created, and is never read by the engine.
pub struct Secret;

/// What it can be told to be. Its value is no part of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its name.
    pub name: String,
}

/// The secret's name, the same in every run.
pub fn name(stack: &Stack, address: &str) -> String {
    stack.name_for(address, NameRule::max(128))
}

impl Kind for Secret {
    type Spec = Spec;
    type Op = std::convert::Infallible;
    const NAME: &'static str = "secret";
    const TAGGED: Tagged = Tagged::Secret;
    const FIELDS: &'static [Field<Self::Op>] = &[Field::replace("name")];
    const AFTER: &'static [&'static str] = &[];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let wanted = [
            (DATABASE, blueprint.database.is_some()),
            (CACHE, blueprint.cache.as_ref().is_some_and(|cache| cache.tls)),
            (SIGNING, blueprint.servers.is_some()),
        ];
        let node = |address| Want::new(address, Spec { name: name(&place.stack, address) });
        wanted.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(address, _)| node(address)).collect()
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        // The filters match prefixes, so the tags themselves decide. What is scheduled for deletion is left out.
        let filter = |key, value: &str| Filter::builder().key(key).values(value).build();
        let tagged = || {
            let stack = filter(FilterNameStringType::TagKey, TAG_STACK);
            vec![stack, filter(FilterNameStringType::TagValue, &cx.stack.name)]
        };
        let filters = (!cx.claims_any(Self::NAME)).then(tagged);
        let call = cx.aws.secretsmanager.list_secrets().set_filters(filters);
        let pages = call.into_paginator().send().collect::<Result<Vec<_>, _>>().await?;
        let live = |secret: aws_sdk_secretsmanager::types::SecretListEntry| {
            let address = cx.node_of(Self::NAME, secret.arn().unwrap_or_default(), pairs(secret.tags()))?;
            if secret.deleted_date.is_some() {
                return None;
            }
            let (name, arn) = (secret.name.unwrap_or_default(), secret.arn.unwrap_or_default());
            Some(Live {
                address,
                attrs: attrs([("arn", &arn), ("name", &name)]),
                id: arn,
                spec: Spec { name },
                state: State::Ready,
            })
        };
        let secrets = pages.into_iter().flat_map(|page| page.secret_list.unwrap_or_default());
        Ok(secrets.filter_map(live).collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let name = &want.spec.name;
        let value = value_of(cx, &want.address)?;
        let value = &value;
        let create = |token: String| async move {
            let answer = cx
                .aws
                .secretsmanager
                .create_secret()
                .name(name)
                .description(format!("{} of stack {}", want.address, cx.stack.name))
                .client_request_token(token)
                .secret_string(value.expose_secret())
                .set_tags(Some(cx.tags(&want.address).secretsmanager()))
                .send()
                .await;
            match answer.map_err(CallError::from) {
                Ok(answer) => {
                    answer.arn.ok_or(Error::Incomplete { call: "secretsmanager CreateSecret", what: "ARN" })
                }
                // Made by an attempt whose answer was lost: its value stays.
                Err(error) if error.is(&["ResourceExistsException"]) => existing(cx, want).await,
                Err(error) => Err(error.into()),
            }
        };
        let look = |arn: String| async move {
            let found = cx.aws.secretsmanager.describe_secret().secret_id(arn).send().await.gone_ok()?;
            let alive = found.is_some_and(|secret| secret.deleted_date().is_none());
            Ok(if alive { Presence::Alive } else { Presence::Dead })
        };
        let arn = tokened(cx, want, create, look).await?;
        Ok(Created { attrs: attrs([("arn", &arn), ("name", name)]), id: arn })
    }

    async fn update(&self, _cx: &Cx, op: Self::Op, _change: &Change<'_, Spec>) -> Result<()> {
        match op {}
    }

    /// No recovery window: the value is worthless once what it opens is gone, and the window would block the name.
    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        let call = cx.aws.secretsmanager.delete_secret().secret_id(&live.id).force_delete_without_recovery(true);
        call.send().await.gone_ok()?;
        Ok(())
    }
}

async fn existing(cx: &Cx, want: &Want<Spec>) -> Result<String> {
    let name = &want.spec.name;
    let secret = cx.aws.secretsmanager.describe_secret().secret_id(name).send().await.gone_ok()?;
    // Only the token is remembered: the name stands for what is gone.
    let Some(secret) = secret else { return Ok(name.clone()) };
    if cx.stack.node_of(pairs(secret.tags())).as_deref() == Some(want.address.as_str()) {
        return Ok(secret.arn.unwrap_or_default());
    }
    Err(Error::taken(format_args!("the secret {name}")))
}

fn value_of(cx: &Cx, address: &str) -> Result<SecretString> {
    let text = |length| cx.random_text(ALPHANUMERIC, length);
    let value = match address {
        DATABASE => serde_json::json!({ "username": USERNAME, "password": text(40).expose_secret() }),
        CACHE => serde_json::json!({ "auth_token": text(64).expose_secret() }),
        SIGNING => {
            let key = base64::engine::general_purpose::STANDARD.encode(cx.random_bytes(32));
            serde_json::json!({ "current": key, "operator": text(48).expose_secret() })
        }
        other => {
            return Err(Error::Refused {
                what: format!("nobody knows what the secret {other} holds"),
                help: "this is a defect of provision: please report it".into(),
            });
        }
    };
    Ok(value.to_string().into())
}

/// Reads one field of a secret of the stack; it stays in memory.
pub async fn read(cx: &Cx, id: &str, field: &'static str) -> Result<SecretString> {
    let answer = cx.aws.secretsmanager.get_secret_value().secret_id(id).send().await?;
    let text = answer.secret_string.unwrap_or_default();
    let json = |source| Error::Json { what: format!("the secret {id}"), source };
    let mut fields: std::collections::BTreeMap<String, String> = serde_json::from_str(&text).map_err(json)?;
    let value = fields.remove(field);
    value.map(SecretString::from).ok_or(Error::Incomplete { call: "secretsmanager GetSecretValue", what: field })
}
