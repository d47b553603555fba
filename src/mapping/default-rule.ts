import type { MappingRule } from './rule.ts'

/** What a rule is where it says nothing, and what becomes of a topic that no other rule names. */
export const defaultRule: MappingRule = {
  topics: ['/.*/'],
  exclude: [],
  bucket: 'kafka',
  entry: '{topic}/{partition}',
  contentType: 'application/octet-stream',
  labels: { constants: {}, headers: ['*'], key: true },
  timestamp: { minMs: 0, aheadMsMax: 24 * 60 * 60 * 1000 },
  limits: { quota: null, blockBytesMax: null, blockRecordsMax: null },
}
