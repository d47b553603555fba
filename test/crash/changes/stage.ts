import type { EntryName } from '../../../src/storage/index.ts'
import { SimulationFailure, type StoreProcess } from '../store-process.ts'
import type { Expectation } from './expectation.ts'
import { labelled } from './shown.ts'

export const T0 = 1_750_000_000_000_000
export const SECOND_US = 1_000_000

/** Where commands are played. */
export interface Stage {
  readonly process: StoreProcess
  readonly expectation: Expectation
  /** Records that commands which run at once have named: two never name the same, so that it does not matter which comes first. */
  readonly touched: Set<string>
  newId(): string
  /** Whether content is being uploaded into this entry, or was a moment ago. */
  hasUploads(name: EntryName): boolean
}

/** A command that knows what it will do. */
export type Work = () => Promise<unknown>

export const nothing: Work = () => Promise.resolve()

export interface Known {
  readonly timestampUs: bigint
  readonly id: string
}

/** The records of an entry, in any state, while nothing is under way. @throws {SimulationFailure} where one is unknown */
export async function knownRecords({ process, expectation }: Stage, name: EntryName): Promise<Known[]> {
  const read = async (): Promise<Known[]> => {
    const known: Known[] = []
    for await (const { timestampUs, labels } of process.storage.records(name, { anyState: true }))
      known.push({ timestampUs, id: labelled(labels).get('id') as string })
    return known
  }
  const known = await process.run(read())
  const unknown = known.find(({ id }) => !expectation.state.records.has(id))
  if (unknown !== undefined)
    throw new SimulationFailure(`shows record ${unknown.id} in ${name.bucket}/${name.entry}, which is gone`)
  return known
}
