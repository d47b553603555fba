import type { FileSystem } from '../../fs/file-system.ts'
import type { LedgerRow } from '../../ledger/ledger-codec.ts'
import { ReadableLedger } from './readable-ledger.ts'
import {
  companionDirectory,
  verifyDirectory,
  type Finding,
  type OwedRecord,
  type VerifyOptions,
  type VerifyReport,
} from '../../storage/index.ts'
import { checkLedger } from './check-ledger.ts'
import { StoredOffsets, type PartitionOffsets } from './stored-offsets.ts'

export interface StoreReport extends VerifyReport {
  readonly ledger: LedgerReport
}

interface LedgerReport {
  /** Why the ledger was not held against the records; `undefined` when it was. */
  readonly unchecked: string | undefined
  readonly partitions: readonly PartitionReport[]
}

interface PartitionReport {
  readonly topic: string
  readonly partition: number
  readonly nextOffset: number
  /** Offsets that the ledger says are stored. */
  readonly records: number
}

export interface CheckedStore {
  readonly report: StoreReport
  /** As far as it could be read. */
  readonly rows: readonly LedgerRow[]
  readonly stored: readonly PartitionOffsets[]
}

/** Verifies the directory, and the ledger against its records. @throws as `verifyDirectory` */
export async function checkStore(
  fs: FileSystem,
  dataPath: string,
  options: Pick<VerifyOptions, 'checkContent' | 'progress' | 'clock'>,
): Promise<CheckedStore> {
  const ledger = new ReadableLedger()
  const offsets = new StoredOffsets()
  const owed: OwedRecord[] = []
  const verified = await verifyDirectory(fs, dataPath, {
    ...options,
    companion: ledger,
    visitLogged: (record) => offsets.visitLogged(record),
    visitOwed: (record) => owed.push(record),
    visit: (record) => offsets.visit(record),
  })
  const rows = ledger.positions()
  for (const record of owed) offsets.visitOwed(record, rows)
  const stored = offsets.partitions()
  const unchecked = ledger.failure ?? uncheckedWhy(verified)
  const { findings, notes } =
    unchecked === undefined
      ? await checkLedger(rows, stored, {
          dataPath,
          disk: { fs, directory: companionDirectory(dataPath) },
          hasRemovals: verified.hasRemovals,
        })
      : { findings: [], notes: [] }
  const partitions = rows.map(({ topic, partition, nextOffset, records }) => ({
    topic,
    partition,
    nextOffset,
    records,
  }))
  const report: StoreReport = {
    ...verified,
    findings: [...verified.findings, ...ledgerDamage(dataPath, ledger.failure), ...findings],
    notes: [...verified.notes, ...notes],
    ledger: { unchecked, partitions },
  }
  return { report, rows, stored }
}

function ledgerDamage(dataPath: string, failure: string | undefined): Finding[] {
  if (failure === undefined) return []
  return [{ severity: 'damaged', path: `${dataPath}/.sediment/checkpoint`, message: failure }]
}

function uncheckedWhy({ isLive, isLogWhole, identity }: VerifyReport): string | undefined {
  if (isLive) return 'a writer has the directory, and moves both'
  if (isLogWhole) return undefined
  return identity === undefined ? 'there is none' : 'the log or its checkpoint is damaged'
}
