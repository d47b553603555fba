import { StorageError, type EntryName, type RecordWriter } from '../../../src/storage/index.ts'
import { SimulationFailure } from '../store-process.ts'
import { entries, type CommandOf } from './commands.ts'
import { Change, isQuota, keyOf, type ModelRecord, type State } from './model.ts'
import { failedContent, isFailed, labelled, labelsOf, printedLabels, relabelled } from './shown.ts'
import { SECOND_US, T0, knownRecords, nothing, type Stage, type Work } from './stage.ts'

interface OpenUpload {
  readonly id: string
  readonly target: EntryName
  readonly labels: readonly string[]
  readonly content: Buffer
  /** Of an attachment. */
  readonly key: string | undefined
  readonly writer: RecordWriter
  sentBytes: number
  /** A command has it that ends it. */
  isEnding: boolean
}

/** Records whose content is uploaded in pieces, several at once. */
export class Uploads {
  #open: OpenUpload[] = []
  /** Times of uploads differ from all others, so that none is taken. */
  #begun = 0

  isOpenIn(place: Partial<EntryName>): boolean {
    return this.#open.some((upload) => isIn(upload, place))
  }

  /** @throws {SimulationFailure} where content could still be written */
  async requireEndedIn(place: Partial<EntryName>): Promise<void> {
    for (const upload of this.#open.filter((one) => isIn(one, place))) {
      if (await send(upload, 0)) throw new SimulationFailure(`${upload.id} was moved under its upload`)
      this.#ended(upload)
    }
  }

  /** The process has ended: what it was sent is lost. */
  forget(): void {
    this.#open = []
  }

  beginning(stage: Stage, { entry, time, contentBytes }: CommandOf<'begin'>): Work {
    return this.#beginning(stage, entries[entry] as EntryName, time, contentBytes, undefined)
  }

  attaching(stage: Stage, { entry, key, contentBytes }: CommandOf<'attach'>): Work {
    const of = entries[entry] as EntryName
    return this.#beginning(stage, { ...of, entry: `${of.entry}/$meta` }, 0, contentBytes, String(key))
  }

  #beginning(
    stage: Stage,
    target: EntryName,
    time: number,
    contentBytes: number,
    key: string | undefined,
  ): Work {
    const { process, expectation } = stage
    const id = stage.newId()
    const labels = ['id', id, ...(key === undefined ? [] : ['key', key])]
    const timestampUs = T0 + time * SECOND_US + SECOND_US / 2 + ++this.#begun
    const content = Buffer.from(`${id}:`.padEnd(contentBytes, id).slice(0, contentBytes))
    const change = new Change(
      (state) =>
        state.put(id, {
          entry: target,
          labels: printedLabels(labelled(labels)),
          content: failedContent(contentBytes),
        }),
      [target],
    )
    stage.touched.add(id)
    const begin = { target, timestampUs, labels, contentType: 'text/plain', contentBytes }
    const work = async (): Promise<void> => {
      const writer = await process.storage.beginRecord(begin)
      this.#open.push({ id, target, labels, content, key, writer, sentBytes: 0, isEnding: false })
    }
    return async () => {
      const isDone = await expectation.attempt(change, work, (error) => isQuota(error, expectation.state))
      // Its entry is made before anybody asks for room in it.
      if (!isDone) expectation.state.addEntry(target)
    }
  }

  /** A record whose upload has failed, with another label. */
  async beginningAgain(stage: Stage, { pick }: CommandOf<'beginAgain'>): Promise<Work> {
    const { process, expectation, touched } = stage
    const failed = [...expectation.state.records].filter(
      ([id, { content }]) =>
        isFailed(content) && !touched.has(id) && !this.#open.some((upload) => upload.id === id),
    )
    const chosen = failed[pick % failed.length]
    if (chosen === undefined || expectation.evictionsCount > 0) return nothing
    const [id, { entry: target, content }] = chosen
    touched.add(id)
    const known = (await knownRecords(stage, target)).find((record) => record.id === id)
    if (known === undefined) return nothing
    const contentBytes = Number.parseInt(content, 10)
    const key = keyIn(expectation.state.records.get(id))
    const labels = ['id', id, ...(key === undefined ? [] : ['key', key]), 'again', stage.newId()]
    const bytes = Buffer.from(`${id} again:`.padEnd(contentBytes, id).slice(0, contentBytes))
    const timestampUs = Number(known.timestampUs)
    return async () => {
      const begin = { target, timestampUs, labels, contentType: 'text/plain', contentBytes }
      const writer = await process.storage.beginRecord(begin)
      this.#open.push({ id, target, labels, content: bytes, key, writer, sentBytes: 0, isEnding: false })
    }
  }

  /** Half of what is left. */
  sendingPiece(pick: number): Work {
    const upload = this.#choose(pick)
    if (upload === undefined) return nothing
    return async () => {
      const bytes = Math.ceil((upload.content.byteLength - upload.sentBytes) / 2)
      if (!(await send(upload, bytes))) this.#ended(upload)
    }
  }

  finishing(stage: Stage, pick: number): Work {
    const { expectation, touched } = stage
    const upload = this.#choose(pick)
    if (upload === undefined || touched.has(upload.id)) return nothing
    touched.add(upload.id)
    upload.isEnding = true
    const { id, target, labels, content, key } = upload
    const change = new Change((state) => {
      if (key !== undefined) takeAway(state, target, key)
      state.put(id, { entry: target, labels: printedLabels(labelled(labels)), content: content.toString() })
    })
    const replaced = key === undefined ? [] : this.#withKey(expectation.state, target, key)
    const removals = new Map(
      replaced.filter((other) => other !== id).map((other) => [other, removalBy(id, other)]),
    )
    const hadUploads = stage.hasUploads(target)
    return async () => {
      const isWhole = await send(upload, content.byteLength - upload.sentBytes)
      const finish = async (): Promise<void> => {
        await upload.writer.finish()
        this.#ended(upload)
        for await (const record of stage.process.storage.records(target)) {
          const values = labelled(record.labels)
          const shown = values.get('id') as string
          const removal = removals.get(shown)
          if (removal === undefined) continue
          if (values.get('remove') === 'true' && !hadUploads && !stage.hasUploads(target))
            throw new SimulationFailure(`attachment ${shown} is still there, ${id} has taken its place`)
          removal.isRefused = true
        }
      }
      if (isWhole) await expectation.attempt([change, ...removals.values()], finish, isIdle)
      this.#ended(upload)
    }
  }

  /** Attachments that are there, or may be before long. */
  #withKey({ records }: State, target: EntryName, key: string): string[] {
    const stored = [...records].filter(([, record]) => isAttachmentOf(record, target, key)).map(([id]) => id)
    const open = this.#open.filter((one) => one.key === key && keyOf(one.target) === keyOf(target))
    return [...new Set([...stored, ...open.map(({ id }) => id)])]
  }

  aborting(pick: number): Work {
    const upload = this.#choose(pick)
    if (upload === undefined) return nothing
    upload.isEnding = true
    return async () => {
      await upload.writer.abort()
      this.#ended(upload)
    }
  }

  #choose(pick: number): OpenUpload | undefined {
    const open = this.#open.filter(({ isEnding }) => !isEnding)
    return open[pick % open.length]
  }

  #ended(upload: OpenUpload): void {
    this.#open = this.#open.filter((other) => other !== upload)
  }
}

/** The attachments of a key are not shown by queries any more. */
function takeAway(state: State, target: EntryName, key: string): void {
  for (const [id, record] of state.records) {
    if (isAttachmentOf(record, target, key) && !isFailed(record.content))
      state.records.set(
        id,
        relabelled(record, (labels) => labels.set('remove', 'true')),
      )
  }
}

/** Once `id` has taken the place of `other`, that goes for good. */
function removalBy(id: string, other: string): Change {
  return new Change((state) => {
    const by = state.records.get(id)
    const replaced = state.records.get(other)
    const isTaken = replaced !== undefined && labelsOf(replaced).get('remove') === 'true'
    if (by !== undefined && !isFailed(by.content) && isTaken) state.records.delete(other)
  })
}

function isAttachmentOf(record: ModelRecord, target: EntryName, key: string): boolean {
  return keyOf(record.entry) === keyOf(target) && keyIn(record) === key
}

function keyIn(record: ModelRecord | undefined): string | undefined {
  return record && labelsOf(record).get('key')
}

function isIn({ target }: OpenUpload, { bucket, entry }: Partial<EntryName>): boolean {
  if (target.bucket !== bucket) return false
  return entry === undefined || target.entry === entry || target.entry.startsWith(`${entry}/`)
}

/** @returns whether the upload still goes on */
async function send(upload: OpenUpload, bytes: number): Promise<boolean> {
  const chunk = upload.content.subarray(upload.sentBytes, upload.sentBytes + bytes)
  upload.sentBytes += bytes
  try {
    await upload.writer.write(chunk)
    return true
  } catch (error) {
    if (error instanceof StorageError && isIdle(error)) return false
    throw error
  }
}

/** Time passes as it likes: the upload was given up. */
function isIdle({ code, message }: StorageError): boolean {
  return code === 'ERR_RECORD_STATE' && message.includes('nothing was written')
}
