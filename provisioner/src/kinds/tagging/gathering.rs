//! Tags for many EC2 resources in one call: those that ask within a moment of each other go together.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_ec2::Client;
use aws_sdk_ec2::types::Tag;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared};

use crate::aws::error::CallError;
use crate::aws::tags::Tags;

/// How long the first waits for others.
const MOMENT: Duration = Duration::from_millis(50);
/// How many go together; AWS takes a thousand.
const MOST: usize = 200;

/// What is put on a resource, and which keys are taken off it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub put: Tags,
    pub drop: BTreeSet<String>,
}

/// The call that is being gathered for.
#[derive(Default)]
pub struct Gathering {
    round: Mutex<Option<Round>>,
}

struct Round {
    edit: Edit,
    /// None once the call is on its way.
    ids: Arc<Mutex<Option<Vec<String>>>>,
    went_well: Shared<BoxFuture<'static, bool>>,
}

impl Gathering {
    /// Makes the edit together with whoever asks for the same one at this moment. Where that fails, alone: then the error is
    /// of this resource.
    pub(super) async fn edit(&self, ec2: &Client, id: &str, edit: &Edit) -> Result<(), CallError> {
        let went_well = self.join(ec2, id, edit);
        if went_well.await { Ok(()) } else { send(ec2, &[id.to_owned()], edit).await }
    }

    fn join(&self, ec2: &Client, id: &str, edit: &Edit) -> Shared<BoxFuture<'static, bool>> {
        let mut round = self.round.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = round.as_ref().filter(|open| open.edit == *edit) {
            let mut ids = open.ids.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(ids) = ids.as_mut().filter(|ids| ids.len() < MOST) {
                ids.push(id.to_owned());
                return open.went_well.clone();
            }
        }
        let ids = Arc::new(Mutex::new(Some(vec![id.to_owned()])));
        let (ec2, gathered, same) = (ec2.clone(), ids.clone(), edit.clone());
        let went_well = async move {
            tokio::time::sleep(MOMENT).await;
            let ids = gathered.lock().unwrap_or_else(PoisonError::into_inner).take().unwrap_or_default();
            send(&ec2, &ids, &same).await.is_ok()
        };
        let went_well = went_well.boxed().shared();
        *round = Some(Round { edit: edit.clone(), ids, went_well: went_well.clone() });
        went_well
    }
}

/// What is to go before what is to come, so that no resource has more tags than it may.
pub(super) async fn send(ec2: &Client, ids: &[String], edit: &Edit) -> Result<(), CallError> {
    if !edit.drop.is_empty() {
        let keys = edit.drop.iter().map(|key| Tag::builder().key(key).build()).collect();
        ec2.delete_tags().set_resources(Some(ids.to_vec())).set_tags(Some(keys)).send().await?;
    }
    ec2.create_tags().set_resources(Some(ids.to_vec())).set_tags(Some(edit.put.ec2())).send().await?;
    Ok(())
}
