import { loadCrc32c } from '../../src/base/crc32c.ts'
import { loadCrc64 } from '../../src/base/crc64.ts'
import type { FuzzTarget } from './fuzz.ts'
import { kafkaTargets } from './kafka-targets.ts'
import { ledgerTargets } from './ledger-targets.ts'
import { logTargets } from './log-targets.ts'
import { storageTargets } from './storage-targets.ts'

/** Every decoder of bytes that come from a disk or a broker. */
export async function fuzzTargets(): Promise<FuzzTarget[]> {
  await Promise.all([loadCrc64(), loadCrc32c()])
  return [...storageTargets, ...(await logTargets()), ...ledgerTargets, ...kafkaTargets]
}
