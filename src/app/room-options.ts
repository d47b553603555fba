import type { Settings } from '../config/settings.ts'
import { defaultSinkLimits, type SinkLimits } from '../sink/options.ts'
import type { StartPolicy } from '../sink/start-plan.ts'
import { defaultBucketSettings, type BucketSettings, type StorageLimits } from '../storage/index.ts'

export function storageLimitsOf(settings: Settings['storage']): StorageLimits {
  const { bucket: _bucket, spaceReserveBytes: _reserve, ...limits } = settings
  return limits
}

export function bucketSettingsOf({ bucket }: Settings['storage']): () => BucketSettings {
  return () => ({ ...defaultBucketSettings, ...bucket })
}

/** The source keeps what it has fetched within `fetchBytesMax`: the rest of the budget is for what is accepted. */
export function sinkLimitsOf({ memory, kafka, storage }: Settings): Partial<SinkLimits> {
  return {
    memoryBytesMax: memory.budgetBytes - kafka.fetchBytesMax,
    commitIntervalMs: kafka.commitIntervalMs,
    spareBytesResume: spareBytesResumeOf(storage),
  }
}

/** Far enough above 0 that consumption does not stop again at once; in proportion where the reserve is small. */
export function spareBytesResumeOf({ spaceReserveBytes }: Settings['storage']): number {
  return Math.min(defaultSinkLimits.spareBytesResume, Math.floor(spaceReserveBytes / 4))
}

export function startPolicyOf(start: Settings['kafka']['start']): StartPolicy {
  return typeof start === 'string' ? { kind: start } : { kind: 'time', timestampMs: start.timestampMs }
}
