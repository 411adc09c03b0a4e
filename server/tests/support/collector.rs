//! A collector of traces: takes what is sent by OTLP over HTTP, and reads as much of it as tests ask for.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

/// A span that arrived.
#[derive(Debug, Clone, Default)]
pub struct Span {
    pub trace_id: String,
    pub span_id: String,
    pub parent_id: String,
    pub name: String,
    /// Those whose value is text.
    pub attributes: Vec<(String, String)>,
}

impl Span {
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Clone)]
pub struct Collector {
    pub url: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let collector = Self { url, spans: Arc::default() };
        let taking = collector.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let taking = taking.clone();
                std::thread::spawn(move || while taking.take(&stream).is_some() {});
            }
        });
        collector
    }

    /// What has arrived.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.lock().expect("not poisoned").clone()
    }

    /// One request; none: the connection is closed.
    fn take(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let (mut first, mut length) = (String::new(), 0);
        reader.read_line(&mut first).ok().filter(|read| *read > 0)?;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line.is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        if first.starts_with("POST /v1/traces ") {
            self.spans.lock().expect("not poisoned").extend(spans(&body));
        }
        let mut stream = stream;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n").ok()
    }
}

/// The fields of a protobuf message that have a length, each with its number.
fn fields(mut message: &[u8]) -> Vec<(u64, &[u8])> {
    let mut found = Vec::new();
    while !message.is_empty() {
        let key = varint(&mut message);
        match key & 7 {
            0 => drop(varint(&mut message)),
            1 => message = &message[8..],
            5 => message = &message[4..],
            _ => {
                let length = usize::try_from(varint(&mut message)).expect("a length");
                let (value, rest) = message.split_at(length);
                found.push((key >> 3, value));
                message = rest;
            }
        }
    }
    found
}

fn varint(message: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = message[0];
        *message = &message[1..];
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte < 0x80 {
            return value;
        }
    }
}

fn inside(message: &[u8], number: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).into_iter().filter(move |(field, _)| *field == number).map(|(_, value)| value)
}

/// The spans of an ExportTraceServiceRequest: resource_spans 1, scope_spans 2, spans 2.
fn spans(request: &[u8]) -> Vec<Span> {
    let scopes = inside(request, 1).flat_map(|resource| inside(resource, 2).collect::<Vec<_>>());
    scopes.flat_map(|scope| inside(scope, 2).map(span).collect::<Vec<_>>()).collect()
}

fn span(message: &[u8]) -> Span {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut span = Span::default();
    for (number, value) in fields(message) {
        match number {
            1 => span.trace_id = hex::encode(value),
            2 => span.span_id = hex::encode(value),
            4 => span.parent_id = hex::encode(value),
            5 => span.name = text(value),
            9 => {
                let key = inside(value, 1).next().map(text).unwrap_or_default();
                // AnyValue 2, of which text is 1.
                let told = inside(value, 2).next().and_then(|any| inside(any, 1).next().map(text));
                span.attributes.extend(told.map(|told| (key, told)));
            }
            _ => {}
        }
    }
    span
}
