//! The IAM policy that `provision` needs: each action on the resources that it needs it for. Tests hold it to the calls
//! that are made, and to AWS's own list of what an action can be limited by.

mod statements;

use serde_json::{Map, Value, json};
use statements::{Only, PRICES, STATEMENTS, Statement};

/// What the policy is for. What is not known is left open.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The stack's name.
    pub stack: Option<String>,
    /// Its home region.
    pub region: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// An existing VPC that the stack is made in.
    pub vpc: Option<String>,
    /// Hosted zones whose records are changed.
    pub zones: Vec<String>,
}

/// The policy as a document.
pub fn policy(scope: &Scope) -> Value {
    let statements: Vec<Value> = scope.statements().map(|statement| scope.statement(statement)).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The same in as few policies as each is at most `longest` characters of JSON: statements stay whole, in their order.
pub fn parts(scope: &Scope, longest: usize) -> Vec<Value> {
    let mut parts: Vec<Vec<Value>> = vec![Vec::new()];
    let document = |statements: &[Value]| json!({"Version": "2012-10-17", "Statement": statements});
    for statement in scope.statements().map(|statement| scope.statement(statement)) {
        let Some(part) = parts.last_mut() else { break };
        part.push(statement);
        if part.len() > 1 && document(part).to_string().len() > longest {
            let last = part.pop();
            parts.push(last.into_iter().collect());
        }
    }
    parts.iter().map(|part| document(part)).collect()
}

/// One statement as IAM's simulator takes it: may these actions be done to these resources, with these values known?
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The statement's name.
    pub sid: &'static str,
    /// The actions.
    pub actions: Vec<String>,
    /// ARNs; empty: any.
    pub resources: Vec<String>,
    /// Condition keys and their values.
    pub context: Vec<(String, Vec<String>)>,
}

/// Every statement of the policy that a run needs as a question.
pub fn questions(scope: &Scope) -> Vec<Question> {
    let question = |statement: &Statement| Question {
        sid: statement.sid,
        actions: statement.actions.iter().map(|action| (*action).to_owned()).collect(),
        resources: statement.resources.iter().filter(|arn| **arn != "*").map(|arn| scope.filled(arn)).collect(),
        context: scope.test(&statement.only).map(|(_, key, values)| (key, values)).into_iter().collect(),
    };
    let of_others = |statement: &&Statement| statement.sid == PRICES || statement.sid.starts_with("Drill");
    scope.statements().filter(|statement| !of_others(statement)).map(question).collect()
}

impl Scope {
    /// The statements that it needs.
    fn statements(&self) -> impl Iterator<Item = &'static Statement> {
        STATEMENTS.iter().filter(|statement| statement.sid != "NetworkUse" || self.vpc.is_some())
    }

    fn statement(&self, statement: &Statement) -> Value {
        let resources: Vec<String> = statement.resources.iter().map(|arn| self.filled(arn)).collect();
        let mut document = json!({
            "Sid": statement.sid,
            "Effect": "Allow",
            "Action": statement.actions,
            "Resource": one_or_all(resources),
        });
        if let Some(condition) = self.condition(&statement.only) {
            document["Condition"] = condition;
        }
        document
    }

    fn condition(&self, only: &Only) -> Option<Value> {
        let (operator, key, values) = self.test(only)?;
        let test = Map::from_iter([(key, one_or_all(values))]);
        Some(Value::Object(Map::from_iter([(operator.to_owned(), Value::Object(test))])))
    }

    /// Operator, key and values of a limit.
    fn test(&self, only: &Only) -> Option<(&'static str, String, Vec<String>)> {
        Some(match only {
            Only::Listed => return None,
            Only::Tagging => self.tag("aws:RequestTag"),
            Only::Tagged => self.tag("aws:ResourceTag"),
            Only::If(operator, key, values) => {
                (*operator, (*key).to_owned(), values.iter().map(|value| self.filled(value)).collect())
            }
            Only::Records if self.zones.is_empty() => return None,
            Only::Records => {
                let names = self.zones.iter().flat_map(|zone| [zone.clone(), format!("*.{zone}")]).collect();
                ("ForAllValues:StringLike", "route53:ChangeResourceRecordSetsNormalizedRecordNames".to_owned(), names)
            }
        })
    }

    fn tag(&self, of: &str) -> (&'static str, String, Vec<String>) {
        let key = format!("{of}/{}", super::stack::TAG_STACK);
        match &self.stack {
            Some(stack) => ("StringEquals", key, vec![stack.clone()]),
            None => ("StringLike", key, vec!["*".to_owned()]),
        }
    }

    fn filled(&self, template: &str) -> String {
        let any = |value: &Option<String>| value.clone().unwrap_or_else(|| "*".to_owned());
        let partition = self.region.as_deref().map_or("aws", super::stack::partition_of);
        let mut text = template
            .replace("{partition}", partition)
            .replace("{region}", &any(&self.region))
            .replace("{account}", &any(&self.account))
            .replace("{vpc}", &any(&self.vpc))
            .replace("{name}", &any(&self.stack));
        for (place, longest) in [("{stack}", 64), ("{stack23}", 23), ("{stack31}", 31), ("{stack50}", 50)] {
            text = text.replace(&format!("{place}*"), &self.beginning(longest));
        }
        text
    }

    /// How the names of the stack's resources begin, where the stack's own name is cut after `longest` characters.
    fn beginning(&self, longest: usize) -> String {
        match &self.stack {
            None => "*".to_owned(),
            Some(stack) if stack.len() < longest => format!("{stack}-*"),
            Some(stack) => format!("{}*", stack[..longest].trim_end_matches('-')),
        }
    }
}

fn one_or_all(mut values: Vec<String>) -> Value {
    if values.len() == 1 { values.swap_remove(0).into() } else { values.into() }
}
