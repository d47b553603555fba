import type { ContentReader } from '../../../src/storage/index.ts'
import { SimulationFailure } from '../store-process.ts'
import { entries, type CommandOf } from './commands.ts'
import { isFailed } from './shown.ts'
import { knownRecords, nothing, type Stage, type Work } from './stage.ts'

interface OpenReader {
  readonly id: string
  readonly content: string
  readonly reader: ContentReader
}

/** Contents that somebody is reading: they stay readable whatever is removed meanwhile. */
export class Readers {
  #open: OpenReader[] = []

  async opening(stage: Stage, { entry, pick }: CommandOf<'read'>): Promise<Work> {
    const { process, expectation } = stage
    const name = entries[entry]!
    const known = await knownRecords(stage, name)
    const chosen = known[pick % known.length]
    const content = chosen && expectation.state.records.get(chosen.id)?.content
    if (chosen === undefined || content === undefined || isFailed(content)) return nothing
    return async () => {
      const record = await process.storage.get(name, chosen.timestampUs)
      if (record !== undefined) this.#open.push({ id: chosen.id, content, reader: await record.open() })
    }
  }

  /** @throws {SimulationFailure} where other bytes are read than were there */
  async finish(): Promise<void> {
    for (const { id, content, reader } of this.#open.splice(0)) {
      const bytes = await reader.read(0, reader.contentBytes)
      reader.close()
      if (Buffer.from(bytes).toString() !== content)
        throw new SimulationFailure(`record ${id} was opened and shows other content now`)
    }
  }
}
