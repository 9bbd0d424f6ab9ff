//! Appending and rolling.

use parking_lot::MutexGuard;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Log, Writer};
use crate::append::{AppendContext, AppendInfo};
use crate::batch::{self, Batches};
use crate::config::LogConfig;
use crate::error::{AppendError, LogError};
use crate::names::Suffix;
use crate::producer::{Claim, ProducerBatch, Updates, Verdict, end_marker};
use crate::segment::{RollRequest, Segment};
use crate::validate::{self, Prepared};

impl Log {
    /// Appends the batches in `bytes` (one for a client), and says where they are. The bytes change: base offset, leader
    /// epoch, for LogAppendTime the timestamp and CRC. Where the topic's settings demand other bytes (compression,
    /// older formats) those are written instead. One `write` for all batches; fsync only as `flush.messages` says.
    ///
    /// Readers see the batches, up to the log end, once this returns. To let consumers see them, advance the high
    /// watermark.
    ///
    /// # Errors
    /// See [`AppendError`]: but for [`AppendError::Log`], the log is as it was.
    pub fn append(&self, bytes: &mut [u8], context: &AppendContext) -> Result<AppendInfo, AppendError> {
        self.check_running()?;
        let config = self.config();
        let mut prepared = validate::prepare(bytes, context, &config, &self.name)?;
        let info = if prepared.count == 0 {
            let first_offset = -1;
            AppendInfo { bytes: 0, ..self.info(first_offset, first_offset, &prepared, context, &config) }
        } else {
            self.append_prepared(self.writer.lock(), &mut prepared, context, &config)?
        };
        if info.last_offset + 1 - self.recovery_point() >= config.flush_messages && !info.duplicate {
            self.flush()?;
        }
        Ok(info)
    }

    fn append_prepared(
        &self,
        mut writer: MutexGuard<'_, Writer>,
        prepared: &mut Prepared<'_>,
        context: &AppendContext,
        config: &LogConfig,
    ) -> Result<AppendInfo, AppendError> {
        self.check_running()?;
        let first_offset = self.view.read().log_end;
        let last_offset = place(&mut prepared.bytes, first_offset, context.leader_epoch)
            .ok_or_else(|| AppendError::invalid("the log has no offsets left"))?;
        let rolled = self.roll_for(&mut writer, prepared, last_offset, context, config)?;
        let mut info = self.info(first_offset, last_offset, prepared, context, config);
        info.rolled = rolled;

        let updates = match self.check_producers(prepared, context)? {
            Verdict::Accept(updates) => updates,
            Verdict::Duplicate(batch) => {
                info.first_offset = batch.first_offset();
                info.last_offset = batch.last_offset;
                info.log_append_time = batch.timestamp;
                (info.duplicate, info.bytes) = (true, 0);
                return Ok(info);
            }
        };
        self.write(&mut writer, prepared, &info, context, config, updates).map_err(|error| self.fail(error))?;
        Ok(info)
    }

    /// Everything that touches the disk for an append. After an error the log must go offline.
    fn write(
        &self,
        writer: &mut Writer,
        prepared: &Prepared<'_>,
        info: &AppendInfo,
        context: &AppendContext,
        config: &LogConfig,
        updates: Updates,
    ) -> Result<(), LogError> {
        let active = self.active();
        active.append(&prepared.bytes, config)?;
        writer.touched = true;
        if writer.latest_epoch != Some(context.leader_epoch) {
            self.epochs.assign(context.leader_epoch, info.first_offset)?;
            writer.latest_epoch = Some(context.leader_epoch);
        }
        let (aborted, first_unstable) = {
            let mut producers = self.producers.lock();
            let aborted = producers.commit(updates);
            producers.end = info.last_offset + 1;
            (aborted, producers.first_unstable())
        };
        for txn in &aborted {
            active.txns.push(txn)?;
        }
        let mut view = self.view.write();
        view.log_end = info.last_offset + 1;
        view.end_position = active.size();
        view.first_unstable = first_unstable;
        Ok(())
    }

    fn check_producers(&self, prepared: &Prepared<'_>, context: &AppendContext) -> Result<Verdict, AppendError> {
        let with_producer: Vec<ProducerBatch> = Batches::new(&prepared.bytes)
            .filter(|(header, _)| header.has_producer_id())
            .map(|(header, bytes)| ProducerBatch {
                header,
                marker: if header.is_control() { end_marker(bytes) } else { None },
            })
            .collect();
        if with_producer.is_empty() {
            return Ok(Verdict::Accept(Updates::default()));
        }
        let claim = Claim {
            log: &self.name,
            origin: Some(context.origin),
            guard: context.verification,
            verification_enabled: self.folder.env.transaction_verification(),
            transaction_version: context.transaction_version,
        };
        self.producers.lock().check(&with_producer, &claim)
    }

    fn info(
        &self,
        first_offset: i64,
        last_offset: i64,
        prepared: &Prepared<'_>,
        context: &AppendContext,
        config: &LogConfig,
    ) -> AppendInfo {
        let mut max = (-1, -1);
        for (header, _) in Batches::new(&prepared.bytes) {
            if header.max_timestamp > max.0 {
                max = (header.max_timestamp, header.last_offset());
            }
        }
        let stamped = config.message_timestamp_type == crate::config::TimestampType::LogAppendTime;
        AppendInfo {
            first_offset,
            last_offset,
            max_timestamp: max.0,
            offset_of_max_timestamp: max.1,
            log_append_time: if stamped { context.now_ms } else { -1 },
            log_start_offset: self.view.read().log_start,
            bytes: prepared.bytes.len(),
            duplicate: false,
            rolled: false,
        }
    }

    fn roll_for(
        &self,
        writer: &mut Writer,
        prepared: &Prepared<'_>,
        last_offset: i64,
        context: &AppendContext,
        config: &LogConfig,
    ) -> Result<bool, LogError> {
        let max_timestamp = Batches::new(&prepared.bytes).map(|(header, _)| header.max_timestamp).max();
        let request = RollRequest { bytes: prepared.bytes.len(), last_offset, max_timestamp, now_ms: context.now_ms };
        if !self.active().should_roll(&request, config)? {
            return Ok(false);
        }
        self.roll_locked(writer, context.now_ms, config).map_err(|error| self.fail(error))
    }

    /// Closes the active segment and begins the next one at the log end. Does nothing if the active one is empty and
    /// begins there already.
    ///
    /// # Errors
    /// A failed write takes the log offline.
    pub fn roll(&self, now_ms: i64) -> Result<bool, LogError> {
        self.check_running()?;
        let mut writer = self.writer.lock();
        self.roll_locked(&mut writer, now_ms, &self.config()).map_err(|error| self.fail(error))
    }

    /// Rolls a segment that `segment.ms` (`max.compaction.lag.ms` if that is shorter) has made due, judged by `now_ms`.
    /// Kafka looks at this only when something is appended; a caller that does so too need not call this.
    ///
    /// # Errors
    /// A failed write takes the log offline.
    pub fn maybe_roll(&self, now_ms: i64) -> Result<bool, LogError> {
        self.check_running()?;
        let config = self.config();
        let mut writer = self.writer.lock();
        let last_offset = self.view.read().log_end;
        let request = RollRequest { bytes: 0, last_offset, max_timestamp: None, now_ms };
        if !self.active().should_roll(&request, &config)? {
            return Ok(false);
        }
        self.roll_locked(&mut writer, now_ms, &config).map_err(|error| self.fail(error))
    }

    pub(super) fn roll_locked(&self, writer: &mut Writer, now_ms: i64, config: &LogConfig) -> Result<bool, LogError> {
        let active = self.active();
        let (base, log_start) = {
            let view = self.view.read();
            (view.log_end, view.log_start)
        };
        if active.base_offset == base {
            return Ok(false);
        }
        active.seal()?;
        writer.snapshots.take(&self.producers.lock(), log_start)?;
        let segment = Segment::create(&self.folder, base, Suffix::None, config, now_ms)?;
        let mut view = self.view.write();
        view.segments.push(Arc::new(segment));
        view.end_position = 0;
        Ok(true)
    }

    /// What lies between the recovery point and the log end, in records.
    pub fn unflushed_records(&self) -> i64 {
        self.view.read().log_end - self.recovery_point.load(Ordering::Acquire)
    }
}

/// Numbers the batches from `first_offset` on; the last offset, or `None` if offsets run out.
fn place(bytes: &mut [u8], first_offset: i64, leader_epoch: i32) -> Option<i64> {
    let mut next = first_offset;
    let mut rest = bytes;
    while let Some(header) = batch::BatchHeader::parse(rest) {
        let size = header.size()?;
        let (this, others) = rest.split_at_mut_checked(size)?;
        batch::set_place(this, next, leader_epoch);
        next = next.checked_add(i64::from(header.last_offset_delta) + 1)?;
        rest = others;
    }
    Some(next - 1)
}
