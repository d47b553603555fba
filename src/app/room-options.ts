import { parseQuota } from '../config/quota-format.ts'
import type { Settings } from '../config/settings.ts'
import { bucketPattern, QUARANTINE_BUCKET } from '../mapping/entry-template.ts'
import type { MappingRule } from '../mapping/rule.ts'
import { defaultSinkLimits, type SinkLimits } from '../sink/options.ts'
import type { StartPolicy } from '../sink/start-plan.ts'
import {
  defaultBucketSettings,
  type BucketInfo,
  type BucketSettings,
  type StorageLimits,
} from '../storage/index.ts'

export function storageLimitsOf(settings: Settings['storage']): StorageLimits {
  const { bucket: _bucket, spaceReserveBytes: _reserve, ...limits } = settings
  return limits
}

/** Settings of a bucket that is made new: what the first rule with it says, and for the rest what all new ones get. */
export function bucketSettingsOf({ mapping, storage }: Settings): (bucket: string) => BucketSettings {
  return (bucket) => ({ ...defaultBucketSettings, ...storage.bucket, ...limitsOf(mapping.rules, bucket) })
}

/** What the configuration asks of buckets that are there with other settings: they keep theirs. */
export function differingBuckets(
  { mapping: { rules } }: Settings,
  buckets: readonly BucketInfo[],
): { readonly bucket: string; readonly wanted: Partial<BucketSettings>; readonly kept: BucketSettings }[] {
  return buckets.flatMap(({ name, settings }) => {
    const wanted = limitsOf(rules, name)
    const { quota, blockBytesMax, blockRecordsMax } = { ...settings, ...wanted }
    const isSame =
      quota.kind === settings.quota.kind &&
      (quota.kind === 'none' || quota.bytes === settings.quota.bytes) &&
      blockBytesMax === settings.blockBytesMax &&
      blockRecordsMax === settings.blockRecordsMax
    return isSame ? [] : [{ bucket: name, wanted, kept: settings }]
  })
}

function limitsOf(rules: readonly MappingRule[], bucket: string): Partial<BucketSettings> {
  if (bucket === QUARANTINE_BUCKET) return {}
  const isSaying = ({ limits }: MappingRule): boolean => Object.values(limits).some((value) => value !== null)
  const limits = rules.find((rule) => isSaying(rule) && bucketPattern(rule).test(bucket))?.limits
  const quota = limits?.quota == null ? undefined : parseQuota(limits.quota)
  return {
    ...(quota && { quota }),
    ...(limits?.blockBytesMax != null && { blockBytesMax: limits.blockBytesMax }),
    ...(limits?.blockRecordsMax != null && { blockRecordsMax: limits.blockRecordsMax }),
  }
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
