//! The blueprints that ship with `provision`, to begin with.

use toml_edit::{DocumentMut, Formatted, Value};

use super::findings::BlueprintErrors;
use super::parse::parse;

/// A blueprint to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Template {
    /// As it is asked for: `starter`.
    pub name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    text: &'static str,
}

/// Every template, the usual one first.
pub const TEMPLATES: [Template; 3] = [
    Template {
        name: "starter",
        about: "cheap, still safe: what a small studio begins with",
        text: include_str!("../../../blueprints/starter.toml"),
    },
    Template {
        name: "production",
        about: "three zones, nothing that stands alone, deletion protection, alarms",
        text: include_str!("../../../blueprints/production.toml"),
    },
    Template {
        name: "rehearsal",
        about: "everything that production has, in small sizes, for a local AWS",
        text: include_str!("../../../blueprints/rehearsal.toml"),
    },
];

/// What is put into a template's `[stack]`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fill<'a> {
    /// The game's name.
    pub name: Option<&'a str>,
    /// The environment.
    pub environment: Option<&'a str>,
    /// The home region.
    pub region: Option<&'a str>,
}

impl Template {
    /// The template of this name.
    pub fn named(name: &str) -> Option<Self> {
        TEMPLATES.into_iter().find(|template| template.name == name)
    }

    /// The text as it ships.
    pub fn text(&self) -> &'static str {
        self.text
    }

    /// The text with `fill` in its `[stack]`, comments kept. What comes out is a blueprint that parses, or the reasons
    /// why it cannot be one.
    pub fn filled(&self, fill: Fill<'_>) -> Result<String, BlueprintErrors> {
        let mut document: DocumentMut = self.text.parse().expect("a test parses every template that ships");
        for (key, value) in [("name", fill.name), ("environment", fill.environment), ("region", fill.region)] {
            let Some(value) = value else { continue };
            if let Some(slot) = document["stack"].get_mut(key).and_then(toml_edit::Item::as_value_mut) {
                let decor = slot.decor().clone();
                let mut new = Formatted::new(value.to_owned());
                *new.decor_mut() = decor;
                *slot = Value::String(new);
            }
        }
        let text = document.to_string();
        let text = text.replace(&self.example(), &example(&fill, self));
        parse(self.name, &text).map(|_| text)
    }

    /// The stack's name in the comment beside `name`.
    fn example(&self) -> String {
        format!("<name>-<environment>: {}", self.stack_name(Fill::default()))
    }

    fn stack_name(&self, fill: Fill<'_>) -> String {
        let shipped = parse(self.name, self.text).expect("a test parses every template that ships").stack;
        format!("{}-{}", fill.name.unwrap_or(&shipped.name), fill.environment.unwrap_or(&shipped.environment))
    }
}

fn example(fill: &Fill<'_>, template: &Template) -> String {
    // A line break in a name is a mistake that the parser reports; it must not leave the comment.
    let name: String = template.stack_name(*fill).chars().filter(|c| !c.is_control()).collect();
    format!("<name>-<environment>: {name}")
}
