//! A stack that is nothing but a place for assets, as pushes and clients see it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::held::Held;
use crate::{LocalAws, Ran, ask};

/// A stack of assets alone.
pub const BLUEPRINT: &str =
    "[stack]\nname = \"game\"\nenvironment = \"dev\"\nregion = \"eu-central-1\"\n\n[assets]\nkeep = 3\n";

/// What a client finds: the manifest and each of its objects, read through the distribution, hashed, and with its type.
const WHOLE: &str = "
import collections, hashlib, json, urllib.request
def get(path):
    answer = urllib.request.urlopen('URL/' + path)
    return answer.headers, answer.read()
headers, text = get('manifest.json')
manifest = json.loads(text)
types = collections.Counter()
for file in manifest['files']:
    found, body = get(file['url'])
    assert hashlib.sha256(body).hexdigest() == file['sha256'] and len(body) == file['size'], file
    assert found['cache-control'] == 'public, max-age=31536000, immutable', found
    types[found['content-type']] += 1
print(json.dumps({'version': manifest['version'], 'files': len(manifest['files']), 'types': types,
    'cache': headers['cache-control'], 'sha256': hashlib.sha256(text).hexdigest()}))";

/// The keys in the bucket, and the uploads that were never finished.
const KEYS: &str = "
import json
bucket = next(b['Name'] for b in api.list_buckets()['Buckets'] if '-assets-' in b['Name'])
pages = api.get_paginator('list_objects_v2').paginate(Bucket=bucket)
keys = [item['Key'] for page in pages for item in page.get('Contents', [])]
uploads = api.list_multipart_uploads(Bucket=bucket).get('Uploads', [])
print(json.dumps({'keys': keys, 'uploads': len(uploads)}))";

/// A stack that is nothing but a place for assets, and a directory of them.
pub struct Stack {
    /// The local AWS.
    pub aws: LocalAws,
    /// The blueprint's path.
    pub blueprint: String,
    /// Where clients find the assets.
    pub url: String,
    /// The directory that is pushed.
    pub files: TempDir,
}

impl Stack {
    /// Brings it up.
    pub fn up() -> Self {
        let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
        let blueprint = aws.blueprint("provision.toml", BLUEPRINT);
        aws.done(&["up", &blueprint, "--yes"]);
        let outputs = aws.done(&["outputs", &blueprint, "--json"]).json();
        let url = outputs["assets_url"].as_str().expect("an address").to_owned();
        Self { aws, blueprint, url, files: tempfile::tempdir().expect("a directory") }
    }

    /// Writes a file of the directory.
    pub fn write(&self, path: &str, contents: &[u8]) {
        let path = self.files.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, contents).expect("written");
    }

    /// The directory.
    pub fn path(&self) -> &str {
        self.files.path().to_str().expect("UTF-8")
    }

    /// Runs a verb of `assets`.
    pub fn run(&self, verb: &str, more: &[&str]) -> Ran {
        self.aws.run(&self.arguments(verb, more))
    }

    /// What a verb of `assets` is given.
    pub fn arguments<'a>(&'a self, verb: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = vec!["assets", verb];
        if matches!(verb, "push" | "diff") {
            arguments.push(self.path());
        }
        arguments.push(&self.blueprint);
        arguments.extend(more);
        arguments
    }

    /// The last event of a push or a rollback that does its work.
    pub fn published(&self, verb: &str, more: &[&str]) -> Value {
        let arguments = self.arguments(verb, &[&["--json"], more].concat());
        last(&self.aws.done(&arguments))
    }

    /// The version that clients find, read whole.
    pub fn whole(&self) -> Value {
        serde_json::from_str(&self.aws.boto3("s3", &WHOLE.replace("URL", &self.url))).expect("JSON")
    }

    /// The manifest as a client sees it now.
    pub fn manifest(&self) -> Value {
        let path = self.url.strip_prefix(&self.aws.url).expect("the bucket is at the endpoint");
        ask(&self.aws.url, "GET", &format!("{path}/manifest.json"), "").expect("an answer")
    }

    /// The keys in the bucket, and how many uploads were never finished.
    pub fn keys(&self) -> (BTreeSet<String>, u64) {
        let found: Value = serde_json::from_str(&self.aws.boto3("s3", KEYS)).expect("JSON");
        let keys = found["keys"].as_array().expect("keys").iter().filter_map(Value::as_str).map(str::to_owned);
        (keys.collect(), found["uploads"].as_u64().expect("a count"))
    }

    /// The keys that were put since calls were last forgotten, and how often CloudFront was told; lease left out.
    pub fn put(&self) -> (Vec<String>, usize) {
        let calls = self.aws.control("GET", "/_local/calls?list=1", "");
        let (mut put, mut told) = (Vec::new(), 0);
        for call in
            calls["list"].as_array().expect("calls").iter().filter(|c| c["status"].as_u64().is_some_and(|s| s < 400))
        {
            match (call["action"].as_str(), call["key"].as_str()) {
                (Some("PutObject" | "CompleteMultipartUpload"), Some(key)) if !key.starts_with("lease/") => {
                    put.push(key.to_owned());
                }
                (Some("CreateInvalidation"), _) => told += 1,
                _ => {}
            }
        }
        (put, told)
    }

    /// A command that is stopped or slowed at the uploads of contents by a fault with its number in it.
    pub fn begin(&self, verb: &str, fault: impl Fn(u32) -> Value) -> Held {
        let mut held = Held::new(&self.aws.provision(&self.arguments(verb, &[])));
        self.aws.control("POST", "/_local/faults", &fault(held.pid()).to_string());
        held.go();
        held
    }

    /// Waits until such a call has come, answered or not.
    pub fn await_call(&self, action: &str, key: &str) {
        let begun = Instant::now();
        let is_it =
            |call: &Value| call["action"] == action && call["key"].as_str().unwrap_or_default().starts_with(key);
        loop {
            let calls = self.aws.control("GET", "/_local/calls?list=1", "");
            if calls["list"].as_array().is_some_and(|list| list.iter().any(is_it)) {
                return;
            }
            assert!(begun.elapsed() < Duration::from_secs(60), "{action} {key} does not come");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The last event that a run printed.
fn last(ran: &Ran) -> Value {
    let line = ran.out.lines().last().expect("an event");
    let event: Value = serde_json::from_str(line).expect("JSON");
    let name = event["event"].as_str().expect("a name");
    event[name].clone()
}

/// How many of the keys are contents.
pub fn objects(keys: &[String]) -> usize {
    keys.iter().filter(|key| key.starts_with("objects/")).count()
}

/// Writes of such keys take a while.
pub fn slow(key: &'static str, ms: u64) -> impl Fn(u32) -> Value {
    move |_| json!({"service": "s3", "action": "PutObject", "resource": key, "kind": "latency", "ms": ms})
}
