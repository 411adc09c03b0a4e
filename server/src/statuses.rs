//! The problems that any route may answer with, described once.

use utoipa::openapi::{
    Content, OpenApi, Ref, RefOr, Response, ResponseBuilder,
    path::{Operation, Parameter, ParameterIn, PathItem},
};

const ALWAYS: &[(&str, &str)] = &[
    ("400", "The request cannot be read."),
    ("429", "Too many requests of this player or address; with `Retry-After`."),
    ("500", "Something went wrong here."),
    ("503", "Overloaded, or a part of the service is not available; with `Retry-After`."),
];
const WITH_BODY: &[(&str, &str)] = &[("413", "The body is too large."), ("415", "The body is not `application/json`.")];
const WITH_VALUES: &[(&str, &str)] = &[("422", "Wrong values; `errors` names each.")];

/// Adds what is not described yet.
pub fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        // Probes are neither limited nor shed, and say themselves what is wrong.
        if matches!(path.as_str(), "/livez" | "/readyz") {
            continue;
        }
        for operation in operations(item) {
            let body = if operation.request_body.is_some() { WITH_BODY } else { &[] };
            let values = !body.is_empty() || operation.parameters.iter().flatten().any(is_query);
            let values = if values { WITH_VALUES } else { &[] };
            for (status, description) in ALWAYS.iter().chain(body).chain(values) {
                let responses = &mut operation.responses.responses;
                responses.entry((*status).to_owned()).or_insert_with(|| RefOr::T(problem(description)));
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

fn is_query(parameter: &RefOr<Parameter>) -> bool {
    matches!(parameter, RefOr::T(parameter) if parameter.parameter_in == ParameterIn::Query)
}

fn problem(description: &str) -> Response {
    let content = Content::new(Some(RefOr::Ref(Ref::from_schema_name("ProblemDocument"))));
    ResponseBuilder::new().description(description).content("application/problem+json", content).build()
}
