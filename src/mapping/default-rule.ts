import type { MappingRule } from './rule.ts'

/** What a rule is where it says nothing, and what becomes of a topic that no other rule names. */
export const defaultRule: MappingRule = {
  topics: ['/.*/'],
  exclude: [],
  bucket: 'kafka',
  entry: '{topic}/{partition}',
  entries: { max: 10_000, beyond: 'quarantine' },
  filters: [],
  tombstones: 'store',
  contentBytesMax: null,
  contentType: 'application/octet-stream',
  labels: { constants: {}, headers: ['*'], key: true, json: {}, valuesMax: null },
  timestamp: {
    sources: ['record', 'arrival'],
    minMs: 0,
    aheadMsMax: 24 * 60 * 60 * 1000,
    outside: 'next',
  },
  limits: { quota: null, blockBytesMax: null, blockRecordsMax: null },
}
