import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  closeSync,
  ftruncateSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createGunzip } from 'node:zlib'

/** See test/golden/README.md. Numbers of 2^53 and more are decimal strings. */
export interface GoldenRecord {
  readonly ts: number | string
  readonly labels: Readonly<Record<string, string>>
  readonly content_type: string
  readonly size: number
  readonly sha256: string
  /** Not readable: HTTP status of the point read, or what happened instead. */
  readonly status?: number | string
  readonly state?: 'STARTED' | 'ERRORED'
}

export interface GoldenEntry {
  readonly query_all: readonly (number | string)[] | { readonly error: number | string }
  readonly records: readonly GoldenRecord[]
}

export type GoldenBuckets = Readonly<
  Record<string, { readonly entries: Readonly<Record<string, GoldenEntry>> }>
>

export interface GoldenManifest {
  readonly name: string
  readonly server_version: string
  readonly stopped_by: 'SIGTERM' | 'SIGKILL'
  readonly damage_after_stop: string | null
  readonly buckets: GoldenBuckets
  readonly files: Readonly<Record<string, { readonly length: number; readonly sha256: string }>>
  readonly stock_after_reopen: readonly {
    readonly server_version: string
    readonly starts: boolean
    readonly same_records_as_before_stop?: boolean
    readonly buckets?: GoldenBuckets
  }[]
  readonly recoverable?: Readonly<Record<string, readonly GoldenRecord[]>>
}

const directory = join(dirname(fileURLToPath(import.meta.url)), '../golden')

function readJson(name: string): unknown {
  return JSON.parse(readFileSync(join(directory, name), 'utf8'))
}

/** All cases, in the order of the index. */
export function goldenManifests(): GoldenManifest[] {
  const { cases } = readJson('index.json') as { cases: { name: string }[] }
  return cases.map(({ name }) => readJson(`${name}.json`) as GoldenManifest)
}

/** Stopped properly and not damaged afterwards. */
export function isClean(manifest: GoldenManifest): boolean {
  return manifest.stopped_by === 'SIGTERM' && manifest.damage_after_stop === null
}

/** Unpacks a case, sparsely, into a new temporary directory, which the caller removes. */
export async function unpackGolden(name: string): Promise<string> {
  const root = mkdtempSync(join(tmpdir(), `golden-${name}-`))
  const writer = new TarWriter(root)
  for await (const chunk of createReadStream(join(directory, `${name}.tar.gz`)).pipe(createGunzip())) {
    writer.take(chunk as Buffer)
  }
  return root
}

const blockBytes = 512

interface OpenFile {
  readonly handle: number
  atBytes: number
  readonly lengthBytes: number
}

/** Plain ustar, regular files and directories only; runs of zeros become holes. */
class TarWriter {
  readonly #root: string
  #pending: Buffer = Buffer.alloc(0)
  #file: OpenFile | undefined

  constructor(root: string) {
    this.#root = root
  }

  take(chunk: Buffer): void {
    let rest = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk])
    while (rest.length >= blockBytes) {
      const whole = rest.length - (rest.length % blockBytes)
      rest = rest.subarray(
        this.#file === undefined ? this.#header(rest) : this.#content(rest.subarray(0, whole)),
      )
    }
    this.#pending = rest
  }

  #header(block: Buffer): number {
    const text = (from: number, to: number): string =>
      block.toString('latin1', from, to).replace(/\0.*$/s, '')
    const name = join(text(345, 500), text(0, 100))
    const type = text(156, 157)
    if (type === '5') mkdirSync(join(this.#root, name), { recursive: true })
    else if (type === '0') {
      const path = join(this.#root, name)
      mkdirSync(dirname(path), { recursive: true })
      const lengthBytes = parseInt(text(124, 136), 8)
      this.#file = { handle: openSync(path, 'wx'), atBytes: 0, lengthBytes }
      this.#endFile()
    } else if (type !== '') throw new Error(`${name}: tar entry of type ${type}`)
    return blockBytes
  }

  /** Takes whole blocks of the current file's content. */
  #content(blocks: Buffer): number {
    const file = this.#file as OpenFile
    const bytes = blocks.subarray(0, file.lengthBytes - file.atBytes)
    if (!isZero(bytes)) writeSync(file.handle, bytes, 0, bytes.length, file.atBytes)
    file.atBytes += bytes.length
    this.#endFile()
    return Math.ceil(bytes.length / blockBytes) * blockBytes
  }

  #endFile(): void {
    if (this.#file === undefined || this.#file.atBytes < this.#file.lengthBytes) return
    ftruncateSync(this.#file.handle, this.#file.lengthBytes)
    closeSync(this.#file.handle)
    this.#file = undefined
  }
}

const zeros = Buffer.alloc(64 * 1024)

function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += zeros.length) {
    const part = bytes.subarray(at, at + zeros.length)
    if (!part.equals(zeros.subarray(0, part.length))) return false
  }
  return true
}
