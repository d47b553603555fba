import { Agent, request, type IncomingMessage } from 'node:http'
import type { EntryName } from '../../src/storage/index.ts'
import { differenceOf, nameOf, shownRecord, type Shown, type ShownRecord } from './shown.ts'

/** The server's own limit for the metadata of a batch; Node's is smaller. */
const HEADER_BYTES_MAX = 1024 * 1024
const REQUEST_LIMIT_MS = 30_000

interface Answer {
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
  readonly body: Buffer
}

/** The server refused; `status` is that of the answer. */
export class StockRefusal extends Error {
  override readonly name = 'StockRefusal'
  readonly status: number

  constructor(what: string, answer: Answer) {
    super(`${what}: ${answer.status} ${headerOf(answer, 'x-reduct-error') ?? ''}`)
    this.status = answer.status
  }
}

export interface NewRecord {
  readonly target: EntryName
  readonly timestampUs: bigint
  readonly labels: Readonly<Record<string, string>>
  readonly contentType: string
  readonly content: Uint8Array
}

/** As much of ReductStore's HTTP API as the comparison needs, one request at a time (several hung the server). */
export class StockClient {
  readonly #port: number
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1 })

  constructor(port: number) {
    this.#port = port
  }

  close(): void {
    this.#agent.destroy()
  }

  async isReady(): Promise<boolean> {
    try {
      return (await this.#ask('GET', '/list')).status === 200
    } catch {
      return false
    }
  }

  async version(): Promise<string> {
    const answer = await this.#get('/info')
    return (JSON.parse(answer.body.toString()) as { version: string }).version
  }

  async buckets(): Promise<string[]> {
    const answer = await this.#get('/list')
    return (JSON.parse(answer.body.toString()) as { buckets: { name: string }[] }).buckets.map(
      ({ name }) => name,
    )
  }

  async entries(bucket: string): Promise<string[]> {
    const answer = await this.#get(`/b/${bucket}`)
    return (JSON.parse(answer.body.toString()) as { entries: { name: string }[] }).entries.map(
      ({ name }) => name,
    )
  }

  async createBucket(bucket: string): Promise<void> {
    await this.#change('POST', `/b/${bucket}`, {}, Buffer.from('{}'))
  }

  async write({ target, timestampUs, labels, contentType, content }: NewRecord): Promise<void> {
    const headers = { ...labelHeaders(labels), 'content-type': contentType }
    await this.#change('POST', pathOf(target, timestampUs), headers, content)
  }

  /** An empty value removes the label. */
  async updateLabels(
    target: EntryName,
    timestampUs: bigint,
    labels: Readonly<Record<string, string>>,
  ): Promise<void> {
    await this.#change('PATCH', pathOf(target, timestampUs), labelHeaders(labels))
  }

  async remove(target: EntryName, timestampUs: bigint): Promise<void> {
    await this.#change('DELETE', pathOf(target, timestampUs))
  }

  /** Everything the server shows, by query and every record once more by its time. */
  async readAll(): Promise<Shown> {
    const records: ShownRecord[] = []
    const problems: string[] = []
    for (const bucket of await this.buckets()) {
      if (bucket.startsWith('$')) continue
      for (const entry of await this.entries(bucket)) {
        const name = { bucket, entry }
        try {
          for await (const record of this.query(name)) {
            records.push(record)
            const difference = differenceOf(await this.read(name, record.timestampUs), record)
            if (difference !== undefined) problems.push(`${nameOf(record)}: by its time ${difference}`)
          }
        } catch (error) {
          problems.push(`${bucket}/${entry}: ${String(error)}`)
        }
      }
    }
    return { records, problems }
  }

  async read(name: EntryName, timestampUs: bigint): Promise<ShownRecord> {
    const answer = await this.#get(pathOf(name, timestampUs))
    const labels: Record<string, string> = {}
    for (const [header, value] of answer.headers) {
      if (header.startsWith(LABEL_PREFIX)) labels[header.slice(LABEL_PREFIX.length)] = value
    }
    const contentType = headerOf(answer, 'content-type') ?? ''
    return shownRecord(
      name,
      BigInt(headerOf(answer, 'x-reduct-time') ?? -1),
      labels,
      contentType,
      answer.body,
    )
  }

  /** A query over all time, in the server's batches. */
  async *query(name: EntryName): AsyncGenerator<ShownRecord> {
    const path = `/b/${name.bucket}/${name.entry}`
    const begun = await this.#ask('POST', `${path}/q`, {}, Buffer.from('{"query_type":"QUERY"}'))
    if (begun.status !== 200) throw new StockRefusal(`POST ${path}/q`, begun)
    const { id } = JSON.parse(begun.body.toString()) as { id: number }
    for (;;) {
      const batch = await this.#ask('GET', `${path}/batch?q=${id}`)
      if (batch.status === 204) return
      if (batch.status !== 200) throw new StockRefusal(`GET ${path}/batch`, batch)
      yield* recordsOf(name, batch)
      if (headerOf(batch, 'x-reduct-last') === 'true') return
    }
  }

  async #get(path: string): Promise<Answer> {
    const answer = await this.#ask('GET', path)
    if (answer.status !== 200) throw new StockRefusal(`GET ${path}`, answer)
    return answer
  }

  async #change(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body: Uint8Array = new Uint8Array(0),
  ): Promise<void> {
    const answer = await this.#ask(method, path, headers, body)
    if (answer.status !== 200) throw new StockRefusal(`${method} ${path}`, answer)
  }

  #ask(
    method: string,
    path: string,
    headers: Readonly<Record<string, string>> = {},
    body: Uint8Array = new Uint8Array(0),
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = request(
        {
          host: '127.0.0.1',
          port: this.#port,
          agent: this.#agent,
          method,
          path: `/api/v1${path}`,
          maxHeaderSize: HEADER_BYTES_MAX,
          timeout: REQUEST_LIMIT_MS,
          headers: { ...headers, 'content-length': String(body.byteLength) },
        },
        (answer) => void collect(answer).then(resolve, reject),
      )
      asked.once('timeout', () => asked.destroy(new Error(`${method} ${path}: no answer`)))
      asked.once('error', reject)
      asked.end(body)
    })
  }
}

const LABEL_PREFIX = 'x-reduct-label-'
const TIME_PREFIX = 'x-reduct-time-'

function labelHeaders(labels: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [`${LABEL_PREFIX}${name}`, value]))
}

function pathOf({ bucket, entry }: EntryName, timestampUs: bigint): string {
  return `/b/${bucket}/${entry}?ts=${timestampUs}`
}

async function collect(answer: IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  const headers: [string, string][] = []
  for (let index = 0; index < answer.rawHeaders.length; index += 2) {
    headers.push([(answer.rawHeaders[index] as string).toLowerCase(), answer.rawHeaders[index + 1] as string])
  }
  return { status: answer.statusCode ?? 0, headers, body: Buffer.concat(chunks) }
}

function headerOf({ headers }: Answer, wanted: string): string | undefined {
  return headers.find(([name]) => name === wanted)?.[1]
}

/** Contents stand one behind the other, in the order of the times. */
function recordsOf(name: EntryName, batch: Answer): ShownRecord[] {
  const heads = batch.headers
    .filter(([header]) => header.startsWith(TIME_PREFIX))
    .map(([header, value]) => ({ timestampUs: BigInt(header.slice(TIME_PREFIX.length)), value }))
    .sort((one, other) => (one.timestampUs < other.timestampUs ? -1 : 1))
  let atBytes = 0
  return heads.map(({ timestampUs, value }) => {
    const { contentBytes, contentType, labels } = parseHead(value)
    const content = batch.body.subarray(atBytes, atBytes + contentBytes)
    atBytes += contentBytes
    return shownRecord(name, timestampUs, labels, contentType, content)
  })
}

/** `<size>,<type>[,<name>=<value>…]`; a value with a comma stands between quotes, and nothing is escaped. */
function parseHead(text: string): {
  contentBytes: number
  contentType: string
  labels: Record<string, string>
} {
  const [size = '', contentType = ''] = text.split(',', 2)
  const labels: Record<string, string> = {}
  let rest = text.slice(size.length + 1 + contentType.length + 1)
  while (rest !== '') {
    const [, name = '', quoted, plain = ''] = /^([^=]*)=(?:"([^"]*)"(?=,|$)|([^,]*))/.exec(rest) ?? []
    labels[name] = quoted ?? plain
    const lengthBytes = name.length + 1 + (quoted === undefined ? plain.length : quoted.length + 2)
    rest = rest.slice(lengthBytes + 1)
  }
  return { contentBytes: Number(size), contentType, labels }
}
