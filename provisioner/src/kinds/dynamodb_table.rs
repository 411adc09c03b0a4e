//! The table that the players' logs are kept in.

mod backup;

use std::time::Duration;

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, ContinuousBackupsStatus, KeySchemaElement, KeyType,
    PointInTimeRecoverySpecification, PointInTimeRecoveryStatus, ScalarAttributeType, TableDescription, TableStatus,
    TimeToLiveSpecification, TimeToLiveStatus,
};
use serde::{Deserialize, Serialize};

use super::settle::settle;
use super::{
    Attrs, Change, Created, Cx, Error, Field, Impact, Kind, Live, Phase, Place, Progress, Result, State, Want, attrs, Tagged};
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::NameRule;
use crate::aws::tags::pairs;
use crate::blueprint::Blueprint;

/// The address of the log table.
pub const LOG_TABLE: &str = "log-table";
/// Items expire at the epoch second in this attribute.
const TTL_ATTRIBUTE: &str = "expires_at";
/// Long enough for a table or a backup of it.
const SETTLES_WITHIN: Duration = Duration::from_secs(600);

/// An on-demand table with string keys `pk` and `sk`.
pub struct DynamodbTable;

/// What it can be told to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// The attribute by which items expire; empty: they do not.
    pub ttl_attribute: String,
    /// It can be restored to any second of the last 35 days.
    pub point_in_time_recovery: bool,
    /// It cannot be deleted while this is on.
    pub deletion_protection: bool,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `UpdateTimeToLive`.
    TimeToLive,
    /// `UpdateContinuousBackups`.
    Recovery,
    /// `UpdateTable`.
    Protection,
}

impl Kind for DynamodbTable {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "dynamodb_table";
    const TAGGED: Tagged = Tagged::Table;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("name"),
        Field::update("ttl_attribute", Op::TimeToLive, Impact::InPlace),
        Field::update("point_in_time_recovery", Op::Recovery, Impact::InPlace),
        Field::update("deletion_protection", Op::Protection, Impact::None),
    ];
    const AFTER: &'static [&'static str] = &[];
    const DATA: Option<&'static str> = Some("the players' logs");

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let Some(log) = &blueprint.log else { return Vec::new() };
        let spec = Spec {
            name: place.stack.name_for(LOG_TABLE, NameRule::max(255)),
            ttl_attribute: TTL_ATTRIBUTE.into(),
            point_in_time_recovery: log.point_in_time_recovery,
            // One switch protects all that players lose by.
            deletion_protection: blueprint.database.as_ref().is_some_and(|database| database.deletion_protection),
        };
        vec![Want::new(LOG_TABLE, spec)]
    }

    fn expected(&self, phase: Phase, _spec: &Spec) -> Duration {
        Duration::from_secs(match phase {
            Phase::Create => 20,
            Phase::Update => 5,
            Phase::Delete => 15,
        })
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        let name = cx.stack.name_for(LOG_TABLE, NameRule::max(255));
        let Some(table) = describe(cx, &name).await? else { return Ok(Vec::new()) };
        let arn = table.table_arn().unwrap_or_default();
        let tags = cx.aws.dynamodb.list_tags_of_resource().resource_arn(arn).send().await.gone_ok()?;
        let Some(address) = tags.and_then(|tags| cx.node_of(Self::NAME, &name, pairs(tags.tags()))) else { return Ok(Vec::new()) };
        let (ttl_attribute, point_in_time_recovery) = futures::try_join!(ttl(cx, &name), recovery(cx, &name))?;
        let spec = Spec {
            name: name.clone(),
            ttl_attribute,
            point_in_time_recovery,
            deletion_protection: table.deletion_protection_enabled().unwrap_or(false),
        };
        Ok(vec![Live { address, attrs: outputs(&table), id: name, spec, state: state(&table) }])
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let name = &want.spec.name;
        make(cx, want).await?;
        active(cx, name).await?;
        // Killed before these calls, the next run finds both off and switches them on.
        if !want.spec.ttl_attribute.is_empty() {
            set_ttl(cx, name, &want.spec.ttl_attribute, true).await?;
        }
        if want.spec.point_in_time_recovery {
            set_recovery(cx, name, true).await?;
        }
        Ok(Created { id: name.clone(), attrs: Attrs::new() })
    }

    async fn ready(&self, cx: &Cx, _address: &str, id: &str) -> Result<Progress> {
        let Some(table) = describe(cx, id).await? else { return Ok(Progress::Pending("not visible yet".into())) };
        Ok(match state(&table) {
            State::Ready => Progress::Ready(outputs(&table)),
            _ => Progress::Pending(status_text(&table)),
        })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        let (name, want) = (&change.live.id, change.want);
        active(cx, name).await?;
        match op {
            Op::TimeToLive if want.ttl_attribute.is_empty() => {
                set_ttl(cx, name, &change.live.spec.ttl_attribute, false).await
            }
            Op::TimeToLive => set_ttl(cx, name, &want.ttl_attribute, true).await,
            Op::Recovery => set_recovery(cx, name, want.point_in_time_recovery).await,
            Op::Protection => set_protection(cx, name, want.deletion_protection).await,
        }
    }

    async fn guarded(&self, cx: &Cx, live: &Live<Spec>) -> Result<Option<String>> {
        let guarded = live.spec.deletion_protection && !cx.options.allow_data_loss;
        Ok(guarded.then(|| format!("table {} has deletion protection", live.id)))
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        let name = &live.id;
        if describe(cx, name).await?.is_none_or(|table| table.table_status == Some(TableStatus::Deleting)) {
            return Ok(());
        }
        if !cx.options.allow_data_loss {
            backup::take(cx, name).await?;
        }
        if live.spec.deletion_protection && cx.options.allow_data_loss {
            set_protection(cx, name, false).await?;
            active(cx, name).await?;
        }
        cx.aws.dynamodb.delete_table().table_name(name).send().await.gone_ok()?;
        Ok(())
    }

    async fn gone(&self, cx: &Cx, live: &Live<Spec>) -> Result<Progress> {
        Ok(match describe(cx, &live.id).await? {
            None => Progress::Ready(Attrs::new()),
            Some(table) => Progress::Pending(status_text(&table)),
        })
    }
}

fn outputs(table: &TableDescription) -> Attrs {
    attrs([("name", table.table_name().unwrap_or_default()), ("arn", table.table_arn().unwrap_or_default())])
}

fn status_text(table: &TableDescription) -> String {
    table.table_status().map_or_else(|| "unknown".to_owned(), |status| status.as_str().to_lowercase())
}

fn state(table: &TableDescription) -> State {
    match table.table_status() {
        Some(TableStatus::Active) => State::Ready,
        Some(TableStatus::Deleting) => State::Deleting,
        _ => State::Pending(status_text(table)),
    }
}

async fn describe(cx: &Cx, name: &str) -> Result<Option<TableDescription>> {
    Ok(cx.aws.dynamodb.describe_table().table_name(name).send().await.gone_ok()?.and_then(|answer| answer.table))
}

async fn active(cx: &Cx, name: &str) -> Result<()> {
    settle(name, SETTLES_WITHIN, || async {
        let table = describe(cx, name).await?;
        // Not listed yet is on its way.
        Ok(match table {
            Some(table) if state(&table) == State::Ready => None,
            Some(table) => Some(status_text(&table)),
            None => Some("not visible".to_owned()),
        })
    })
    .await
}

async fn make(cx: &Cx, want: &Want<Spec>) -> Result<()> {
    let attribute = |name| {
        AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
    };
    let key = |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    let answer = cx
        .aws
        .dynamodb
        .create_table()
        .table_name(&want.spec.name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute("pk")?)
        .attribute_definitions(attribute("sk")?)
        .key_schema(key("pk", KeyType::Hash)?)
        .key_schema(key("sk", KeyType::Range)?)
        .deletion_protection_enabled(want.spec.deletion_protection)
        .set_tags(Some(cx.tags(&want.address).dynamodb()))
        .send()
        .await;
    let error = match answer.map_err(CallError::from) {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    if !error.is(&["ResourceInUseException"]) {
        return Err(error.into());
    }
    // The name is taken: by an attempt whose answer was lost, or by somebody else.
    let table = describe(cx, &want.spec.name).await?;
    let arn = table.as_ref().and_then(TableDescription::table_arn).unwrap_or_default();
    let tags = cx.aws.dynamodb.list_tags_of_resource().resource_arn(arn).send().await?;
    if cx.stack.node_of(pairs(tags.tags())).as_deref() == Some(want.address.as_str()) {
        return Ok(());
    }
    Err(Error::taken(format_args!("the table {}", want.spec.name)))
}

async fn ttl(cx: &Cx, name: &str) -> Result<String> {
    let answer = cx.aws.dynamodb.describe_time_to_live().table_name(name).send().await.gone_ok()?;
    let on = |status: &TimeToLiveStatus| matches!(status, TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling);
    let description = answer.and_then(|answer| answer.time_to_live_description);
    let description = description.filter(|d| d.time_to_live_status().is_some_and(on));
    Ok(description.and_then(|d| d.attribute_name).unwrap_or_default())
}

async fn recovery(cx: &Cx, name: &str) -> Result<bool> {
    let answer = cx.aws.dynamodb.describe_continuous_backups().table_name(name).send().await.gone_ok()?;
    let description = answer.and_then(|answer| answer.continuous_backups_description);
    Ok(description
        .filter(|d| d.continuous_backups_status == ContinuousBackupsStatus::Enabled)
        .and_then(|d| d.point_in_time_recovery_description)
        .is_some_and(|d| d.point_in_time_recovery_status == Some(PointInTimeRecoveryStatus::Enabled)))
}

/// AWS takes one such change an hour, so it is made only where it changes something.
async fn set_ttl(cx: &Cx, name: &str, attribute: &str, on: bool) -> Result<()> {
    if on == (ttl(cx, name).await? == attribute) {
        return Ok(());
    }
    let specification = TimeToLiveSpecification::builder().attribute_name(attribute).enabled(on).build()?;
    let call = cx.aws.dynamodb.update_time_to_live().table_name(name).time_to_live_specification(specification);
    match call.send().await.map_err(CallError::from) {
        // Refused as a second change within the hour, where the answer to the first was lost.
        Err(error) if error.is(&["ValidationException"]) && on == (ttl(cx, name).await? == attribute) => Ok(()),
        result => Ok(result.map(drop)?),
    }
}

async fn set_recovery(cx: &Cx, name: &str, on: bool) -> Result<()> {
    let specification = PointInTimeRecoverySpecification::builder().point_in_time_recovery_enabled(on).build()?;
    let call =
        cx.aws.dynamodb.update_continuous_backups().table_name(name).point_in_time_recovery_specification(specification);
    call.send().await?;
    Ok(())
}

async fn set_protection(cx: &Cx, name: &str, on: bool) -> Result<()> {
    cx.aws.dynamodb.update_table().table_name(name).deletion_protection_enabled(on).send().await?;
    Ok(())
}
