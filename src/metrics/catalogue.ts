import type { GapClass } from '../ledger/gap.ts'
import type { HoldReason } from '../sink/start-plan.ts'
import type { PauseReason } from '../sink/status.ts'
import { counter, gauge, histogram, type MetricSpecification } from './specification.ts'

/**
 * Every metric there is, and nothing else knows their names. Frozen: dashboards and alerts are built on them. A
 * change here needs METRICS.md and the list in `test/metrics/` changed in the same commit.
 */

const CACHES = ['write', 'read']
const FILE_KINDS = ['log', 'data', 'wal', 'descriptor', 'index', 'directory']
/** Keyed by the type they mirror, so that a new member cannot be forgotten here. */
const GAP_CLASSES = Object.keys({
  'before-start': true,
  elsewhere: true,
  control: true,
  aborted: true,
  compacted: true,
  deleted: true,
  filtered: true,
  quarantined: true,
  unknown: true,
} satisfies Record<GapClass, true>)
const HOLD_REASONS = Object.keys({
  'topic-recreated': true,
  'log-truncated': true,
  'ledger-behind': true,
  deleted: true,
  undecodable: true,
  'batch-too-large': true,
  'damaged-block': true,
  quota: true,
  clock: true,
  'too-many-entries': true,
  'entry-conflict': true,
  'no-rule': true,
  stopping: true,
} satisfies Record<HoldReason, true>)
const PAUSE_REASONS = Object.keys({
  memory: true,
  'disk-space': true,
  hold: true,
  'dead-letters': true,
} satisfies Record<PauseReason, true>)
const PARTITION = { topic: 'open', partition: 'open' } as const

/** A local SSD syncs in 0.1–5 ms, a cloud disk in 1–50 ms; from a second on the disk is in trouble. */
const SYNC_SECONDS = [0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** A group takes about one sync; the goals are 200 ms under load and 1 s idle. */
const GROUP_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1, 2.5, 5, 10]
/** From one small record to groups far beyond the default 8 MiB: a single larger submission is a group of its own. */
const GROUP_BYTES = [1e3, 1e4, 1e5, 5e5, 1e6, 2e6, 4e6, 8e6, 16e6, 64e6, 256e6]
/** From single records on a quiet topic to beyond the default limit of 16,384. */
const GROUP_RECORDS = [1, 10, 100, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000]
/** Milliseconds when idle; tens of seconds with thousands of dirty files on a slow disk. */
const CHECKPOINT_SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60]
/** One round trip to the coordinator; one that does not answer is waited for much longer. */
const COMMIT_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export const catalogue = {
  buildInfo: gauge('sediment_build_info', 'Always 1; the labels say which release runs on which Node.js.', {
    version: 'open',
    node_version: 'open',
  }),

  cacheHits: counter(
    'sediment_block_cache_hits_total',
    'Appends and reads that found their block in memory.',
    {
      cache: CACHES,
    },
  ),
  cacheMisses: counter(
    'sediment_block_cache_misses_total',
    'Appends and reads that had to load their block.',
    {
      cache: CACHES,
    },
  ),
  cacheEvictions: counter(
    'sediment_block_cache_evictions_total',
    'Blocks that left the cache for lack of room.',
    {
      cache: CACHES,
    },
  ),
  cacheBytes: gauge('sediment_block_cache_bytes', 'Memory held by the cache.', { cache: CACHES }),
  cacheBlocks: gauge('sediment_block_cache_blocks', 'Blocks held by the cache.', { cache: CACHES }),

  fsync: histogram('sediment_fsync_duration_seconds', 'Time a sync took, by kind of file.', SYNC_SECONDS, {
    kind: FILE_KINDS,
  }),

  groupBytes: histogram(
    'sediment_group_bytes',
    'Content made durable by one frame of the commit log, without keys, headers and other labels.',
    GROUP_BYTES,
  ),
  groupRecords: histogram('sediment_group_records', 'Records made durable by one frame.', GROUP_RECORDS),
  groupDuration: histogram(
    'sediment_group_duration_seconds',
    'Time from building a group to its acknowledgement, projection included.',
    GROUP_SECONDS,
  ),
  groupDurable: histogram(
    'sediment_group_durable_seconds',
    'Time from building a group until its frame was durable.',
    GROUP_SECONDS,
  ),
  storedRecords: counter('sediment_stored_records_total', 'Records made durable.'),
  storedBytes: counter('sediment_stored_bytes_total', 'Content made durable, without labels.'),
  directBytes: counter(
    'sediment_direct_bytes_total',
    'Content that went straight into its data file instead of through the commit log.',
  ),

  blocksStarted: counter('sediment_blocks_started_total', 'New blocks.'),
  blocksSealed: counter(
    'sediment_blocks_sealed_total',
    'Blocks that were full and got their final descriptor.',
  ),
  blocksClosed: counter(
    'sediment_blocks_closed_total',
    'Blocks folded into their descriptor before they were full.',
  ),
  blocksReopened: counter(
    'sediment_blocks_reopened_total',
    'Blocks opened again for a record of their time.',
  ),
  blocksRewritten: counter(
    'sediment_blocks_rewritten_total',
    'Blocks split because late records had made them too large, or copied because removals left holes.',
  ),
  checksumsAdded: counter(
    'sediment_checksums_added_total',
    'Records that got the CRC-32 of their content, which ReductStore had dropped or never known.',
  ),

  checkpoint: histogram(
    'sediment_checkpoint_duration_seconds',
    'Time a checkpoint took.',
    CHECKPOINT_SECONDS,
  ),
  checkpointFiles: counter(
    'sediment_checkpoint_synced_files_total',
    'Files and directories synced by checkpoints.',
  ),
  checkpointLogBytes: counter(
    'sediment_checkpoint_dropped_log_bytes_total',
    'Commit log freed by checkpoints.',
  ),

  lateRecords: counter('sediment_late_records_total', 'Records older than the latest of their entry.'),
  slotSpills: counter(
    'sediment_slot_spills_total',
    'Records stored a millisecond or more after their own time, because every microsecond before was taken.',
  ),
  slotSpillSeconds: counter('sediment_slot_spill_seconds_total', 'Sum of the distances of those spills.'),

  recoveryDuration: gauge('sediment_recovery_duration_seconds', 'Time the recovery at start took.'),
  recoveryFrames: gauge('sediment_recovery_frames', 'Frames of the commit log redone at start.'),
  recoveryBlocks: gauge('sediment_recovery_redone_blocks', 'Blocks written afresh at start.'),
  recoveryLogBytes: gauge('sediment_recovery_log_bytes', 'Commit log read at start.'),
  recoveryTornBytes: gauge('sediment_recovery_torn_tail_bytes', 'Unacknowledged bytes dropped at start.'),
  recoveryQuarantined: gauge(
    'sediment_recovery_quarantined_items',
    'Things set aside at start, never deleted.',
  ),

  storePoisoned: gauge('sediment_store_poisoned', '1 after a failed write or sync; the process then ends.'),
  spareBytes: gauge(
    'sediment_store_spare_bytes',
    'Free disk beyond the reserve and what the commit log may still need; below 0 consumption pauses.',
  ),

  bucketUsedBytes: gauge(
    'sediment_bucket_used_bytes',
    'Content and descriptors of the blocks of a bucket, attachments too: what its quota counts.',
    { bucket: 'open' },
  ),
  bucketQuotaBytes: gauge('sediment_bucket_quota_bytes', 'Quota of a bucket; not there without one.', {
    bucket: 'open',
  }),
  bucketOldestAge: gauge(
    'sediment_bucket_oldest_record_age_seconds',
    'Age of the oldest record of a bucket; once a FIFO quota binds, the time until a new record is lost.',
    { bucket: 'open' },
  ),
  owedRecords: gauge(
    'sediment_owed_records',
    'Records whose content ReductStore cut off between a kill and a start: failed until it is read again from Kafka.',
  ),
  damagedPlaces: gauge(
    'sediment_damaged_places',
    'Damaged or unreadable: the bucket itself, and entries of it. They take nothing until a restart finds them whole.',
    { bucket: 'open' },
  ),
  evictedBlocks: counter('sediment_evicted_blocks_total', 'Blocks let go to keep a FIFO quota.', {
    bucket: 'open',
  }),
  evictedRecords: counter('sediment_evicted_records_total', 'Records in those blocks.', { bucket: 'open' }),
  evictedBytes: counter('sediment_evicted_bytes_total', 'Content and descriptors of those blocks.', {
    bucket: 'open',
  }),
  evictedUnreadRecords: counter(
    'sediment_evicted_unread_records_total',
    'Records in those blocks that nobody had read in this process.',
    { bucket: 'open' },
  ),
  quotaRefusals: counter(
    'sediment_quota_refusals_total',
    'Submissions refused because they did not fit into a quota.',
    { bucket: 'open' },
  ),

  receivedRecords: counter('sediment_received_records_total', 'Records accepted from Kafka.', {
    topic: 'open',
  }),
  receivedBytes: counter('sediment_received_bytes_total', 'Bytes of batches accepted from Kafka.', {
    topic: 'open',
  }),
  durableRecords: counter('sediment_durable_records_total', 'Records from Kafka made durable.', {
    topic: 'open',
  }),
  recordDurable: histogram(
    'sediment_record_durable_seconds',
    'Time from accepting a batch until it was durable.',
    GROUP_SECONDS,
  ),
  duplicateRecords: counter(
    'sediment_duplicate_records_total',
    'Records delivered again by Kafka and dropped, because they were accepted before.',
  ),
  rejectedRecords: counter('sediment_rejected_records_total', 'Records that went to quarantine, by cause.', {
    cause: 'open',
  }),
  deadLetters: counter(
    'sediment_dead_letters_total',
    'Rejected records that the dead-letter topic has, by the topic they come from.',
    { topic: 'open' },
  ),
  deadLetterFailures: counter(
    'sediment_dead_letter_failures_total',
    'Times that the dead-letter topic did not take records; they are sent again until it does.',
    { topic: 'open' },
  ),
  discardedRecords: counter(
    'sediment_discarded_records_total',
    'Accepted records given up by a drain that ran out of time; Kafka delivers them again.',
  ),

  lagRecords: gauge('sediment_lag_records', 'Records in Kafka that are not durable here yet.', PARTITION),
  lagDurableSeconds: gauge(
    'sediment_lag_durable_seconds',
    'Age of the oldest record known to be in Kafka and not durable here; 0 when there is none.',
    PARTITION,
  ),
  durableOffset: gauge(
    'sediment_durable_offset',
    'Next offset to be stored; all below are durable.',
    PARTITION,
  ),
  assignments: counter('sediment_assignments_total', 'Assignments received from the consumer group.'),
  assignedPartitions: gauge(
    'sediment_assigned_partitions',
    'Partitions that Kafka has given to this process.',
  ),
  unreadablePartitions: gauge(
    'sediment_unreadable_partitions',
    'Partitions of this process whose leader is missing or does not answer; their lag is not known.',
  ),
  heldPartitions: gauge('sediment_held_partitions', 'Partitions held until a person decides, by reason.', {
    reason: HOLD_REASONS,
  }),
  pausedPartitions: gauge('sediment_paused_partitions', 'Partitions that are not read on now, by reason.', {
    reason: PAUSE_REASONS,
  }),
  pauses: counter('sediment_pauses_total', 'Times that consumption began to wait, by reason.', {
    reason: PAUSE_REASONS,
  }),
  memoryWait: counter('sediment_memory_wait_seconds_total', 'Time batches waited for the memory budget.'),
  budgetUsed: gauge('sediment_memory_budget_used_bytes', 'Memory of records fetched and not durable yet.'),
  budgetLimit: gauge('sediment_memory_budget_limit_bytes', 'The most it may be; then fetching waits.'),
  gapOffsets: gauge('sediment_gap_offsets', 'Offsets that are not stored here and will not be, by class.', {
    class: GAP_CLASSES,
  }),
  gapRanges: gauge('sediment_gap_ranges', 'Ranges of such offsets, by where they are listed.', {
    place: ['checkpoint', 'file'],
  }),

  commit: histogram(
    'sediment_commit_duration_seconds',
    'Time a commit of offsets to Kafka took.',
    COMMIT_SECONDS,
  ),
  commitFailures: counter(
    'sediment_commit_failures_total',
    'Commits of offsets that failed; they are tried again.',
  ),
  foreignCommits: counter(
    'sediment_foreign_commits_total',
    'Committed offsets found that no store of this group wrote; they are not followed.',
  ),
} satisfies Record<string, MetricSpecification>

export type Catalogue = typeof catalogue
