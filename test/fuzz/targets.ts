import { loadCrc64 } from '../../src/base/crc64.ts'
import type { FuzzTarget } from './fuzz.ts'
import { kafkaTargets } from './kafka-targets.ts'
import { ledgerTargets } from './ledger-targets.ts'
import { logTargets } from './log-targets.ts'
import { mappingTargets } from './mapping-targets.ts'
import { storageTargets } from './storage-targets.ts'

/** Every decoder of bytes that come from a disk, a broker or a producer. */
export async function fuzzTargets(): Promise<FuzzTarget[]> {
  await loadCrc64()
  return [...storageTargets, ...(await logTargets()), ...ledgerTargets, ...kafkaTargets, ...mappingTargets]
}
