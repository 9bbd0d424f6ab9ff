//! Producer ids, drawn from blocks that the metadata log hands out once and never again. Source: `RPCProducerIdManager`.

use tokio::sync::Mutex;

use crate::metadata::{Controller, ControllerError, ProducerIdBlock};

/// The block in use.
#[derive(Debug, Default)]
pub struct ProducerIds {
    left: Mutex<Option<ProducerIdBlock>>,
}

impl ProducerIds {
    /// An id that no producer of this cluster ever had.
    ///
    /// # Errors
    /// The metadata log could not be written.
    pub async fn next(&self, controller: &Controller) -> Result<i64, ControllerError> {
        let mut left = self.left.lock().await;
        let block = match left.filter(|block| block.len > 0) {
            Some(block) => block,
            None => controller.allocate_producer_ids().await?,
        };
        *left = Some(ProducerIdBlock { first: block.first + 1, len: block.len - 1 });
        Ok(block.first)
    }
}
