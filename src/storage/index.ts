/** The door of the engine: what other rooms may import. */
export { StorageError, type StorageErrorCode, type StorageErrorFacts } from './errors.ts'
export {
  silentStorageObserver,
  type CacheName,
  type RecoveryEvent,
  type StorageObserver,
} from './observer.ts'
export {
  defaultBucketSettings,
  defaultLimits,
  type LogCompanion,
  type StorageLimits,
  type StorageOptions,
} from './options.ts'
export type { DamagedPlace } from './damage.ts'
export type {
  BatchOptions,
  BucketInfo,
  BucketSettings,
  ContentReader,
  EntryInfo,
  EntryName,
  LabelList,
  RecordBegin,
  ListOptions,
  RecordReader,
  RecordState,
  RecordWrite,
  RecordWriter,
  StoredRecord,
  TimeRange,
} from './record.ts'
export { labelMap } from './label-map.ts'
export { weighRecord } from './record-weight.ts'
export { Storage, type StoreIdentity } from './storage.ts'
export { attachmentsOf, companionDirectory, entryBytesMax, isAttachment, segmentBytesMax } from './paths.ts'
export { attachmentKey, isTakenAway } from './mutation/attachments.ts'
export { requireDirectory } from './store-files.ts'
export { hasRemovals } from './has-removals.ts'
export { isStore } from './is-store.ts'
export { openDirectory } from './query/directory-reader.ts'
export type { OwedRecord } from './recovery/owed-content.ts'
export { readCompanion } from './query/read-companion.ts'
export type { RecordResult } from './mutation/mutations.ts'
export { repairDirectory, type RepairReport } from './repair.ts'
export type { Finding, Note, VerifyReport } from './verify/report.ts'
export type { LoggedRecord } from './verify/verify-log.ts'
export { verifyDirectory, type VerifyOptions } from './verify/verify-directory.ts'
