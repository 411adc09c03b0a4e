//! Counts what has arrived, and tells it now and then.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::engine::events::{Event, Listener};

/// Told at most so often.
const OFTEN: Duration = Duration::from_secs(1);

/// What an upload has done so far.
pub struct Meter {
    listener: Listener,
    objects: usize,
    bytes: u64,
    begun: Instant,
    done: Mutex<Done>,
}

struct Done {
    objects: usize,
    bytes: u64,
    told: Instant,
}

impl Meter {
    /// Begins: so many objects of so many bytes in all are to be uploaded.
    pub fn new(listener: Listener, objects: usize, bytes: u64) -> Self {
        listener(Event::Uploading { objects, bytes });
        let begun = Instant::now();
        Self { listener, objects, bytes, begun, done: Mutex::new(Done { objects: 0, bytes: 0, told: begun }) }
    }

    /// Bytes have arrived, and with them the end of an object where `whole`.
    pub fn arrived(&self, bytes: u64, whole: bool) {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        done.bytes += bytes;
        done.objects += usize::from(whole);
        if done.objects == self.objects || done.told.elapsed() >= OFTEN {
            done.told = Instant::now();
            let seconds = self.begun.elapsed().as_secs_f64().max(0.001);
            (self.listener)(Event::Uploaded {
                objects: done.objects,
                of_objects: self.objects,
                bytes: done.bytes,
                of_bytes: self.bytes,
                bytes_per_second: (done.bytes as f64 / seconds) as u64,
            });
        }
    }
}
