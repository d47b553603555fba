import { readDescriptor } from '../../support/independent/messages.ts'
import type { SimulatedDisk } from '../../support/simulated-disk.ts'
import { DATA_PATH, SimulationFailure } from '../store-process.ts'
import type { Eviction } from './model.ts'

/** The records of a block that is about to go: it is cold by then. */
export function evictionOf(
  disk: SimulatedDisk,
  { bucket, entry, blockId, records }: { bucket: string; entry: string; blockId: number; records: number },
): Eviction {
  const path = `${DATA_PATH}/${bucket}/${entry}/${blockId}.meta`
  const bytes = disk.peek(path)
  if (bytes === undefined) throw new SimulationFailure(`evicts ${path}, which is not there`)
  const ids = readDescriptor(bytes, true).records.map(({ labels }) => new Map(labels).get('id') as string)
  if (ids.length !== records)
    throw new SimulationFailure(`evicts ${records} records of ${path}, which has ${ids.length}`)
  return { ids }
}
