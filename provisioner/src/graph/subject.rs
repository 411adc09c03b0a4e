//! What is drawn: the resources that the blueprint asks for, and, where it is planned, those that go.

use serde_json::Value;

use crate::blueprint::Blueprint;
use crate::engine::plan::{Plan, PlannedChange};
use crate::engine::up::Planned;
use crate::kinds::{self, Node, Place};
use crate::ui::duration;

/// A resource of the stack.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its address.
    pub address: String,
    /// Its kind's name.
    pub kind: &'static str,
    /// Its spec: what it shall be, or what it is where it goes.
    pub props: Value,
    /// What the plan does to it.
    pub change: Option<PlannedChange>,
}

/// What is drawn.
#[derive(Debug, Clone)]
pub struct Subject {
    /// The stack's name.
    pub stack: String,
    /// Its home region.
    pub region: String,
    /// The VPC: its range, and its id where it exists already.
    pub vpc: String,
    /// The hosted zone that exists already.
    pub existing_zone: Option<String>,
    /// Every resource.
    pub resources: Vec<Resource>,
    /// The plan in a line, where it is drawn.
    pub plan: Option<String>,
}

impl Subject {
    /// The topology that the blueprint asks for. Nothing is called on AWS, so zones without a name are numbered.
    pub fn of_blueprint(blueprint: &Blueprint) -> Self {
        let place = Place::unseen(blueprint);
        let nodes = kinds::all().iter().flat_map(|kind| kind.desired(blueprint, &place));
        Self::new(blueprint, nodes.map(|node| resource(node, None)).collect())
    }

    /// The topology with what the plan changes of it.
    pub fn of_plan(blueprint: &Blueprint, planned: &Planned) -> Self {
        let Planned { desired, inventory, plan, .. } = planned;
        let change = |address: &str| plan.changes.iter().find(|change| change.address == address).cloned();
        let wanted = desired.nodes.values().cloned();
        let mut resources: Vec<Resource> = wanted
            .map(|node| {
                let change = change(&node.address);
                resource(node, change)
            })
            .collect();
        let going = inventory.live.values().filter(|live| !desired.nodes.contains_key(&live.address));
        resources.extend(going.map(|live| Resource {
            address: live.address.clone(),
            kind: live.kind,
            props: live.props.clone(),
            change: change(&live.address),
        }));
        Self { plan: Some(line(plan)), ..Self::new(blueprint, resources) }
    }

    fn new(blueprint: &Blueprint, resources: Vec<Resource>) -> Self {
        let vpc = blueprint.network.as_ref().map_or(String::new(), |network| match &network.vpc {
            Some(id) => format!("{} in {id}", network.cidr),
            None => network.cidr.to_string(),
        });
        let existing_zone = blueprint.domain.as_ref().filter(|domain| !domain.create_zone);
        Self {
            stack: blueprint.stack_name(),
            region: blueprint.stack.region.clone(),
            vpc,
            existing_zone: existing_zone.map(|domain| domain.zone.clone()),
            resources,
            plan: None,
        }
    }

    /// The resources of a kind, by address.
    pub fn of_kind(&self, kind: &str) -> Vec<&Resource> {
        let mut found: Vec<&Resource> = self.resources.iter().filter(|resource| resource.kind == kind).collect();
        found.sort_by(|a, b| a.address.cmp(&b.address));
        found
    }

    /// The resource at an address.
    pub fn at(&self, address: &str) -> Option<&Resource> {
        self.resources.iter().find(|resource| resource.address == address)
    }
}

impl Resource {
    /// A text of the spec; empty where there is none, or where it is another node's to give.
    pub fn text(&self, field: &str) -> &str {
        self.props.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number of the spec.
    pub fn number(&self, field: &str) -> u64 {
        self.props.get(field).and_then(Value::as_u64).unwrap_or_default()
    }

    /// Whether the spec says so.
    pub fn is(&self, field: &str) -> bool {
        self.props.get(field).and_then(Value::as_bool).unwrap_or_default()
    }

    /// What a field that changes was before.
    pub fn before(&self, field: &str) -> Option<&Value> {
        let fields = &self.change.as_ref()?.fields;
        fields.iter().find(|change| change.name == field)?.before.as_ref()
    }
}

fn resource(node: Node, change: Option<PlannedChange>) -> Resource {
    Resource { address: node.address, kind: node.kind, props: node.props, change }
}

fn line(plan: &Plan) -> String {
    if plan.changes.is_empty() {
        return "plan: no changes".to_owned();
    }
    let counts: Vec<String> = plan.summary.iter().map(|(action, count)| format!("{count} to {action}")).collect();
    format!("plan: {}, about {}", counts.join(", "), duration(plan.critical_path_seconds))
}
