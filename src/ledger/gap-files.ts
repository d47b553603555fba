import { dirname } from 'node:path'
import { FileSystemError, isReadFailure, type FileReader, type FileSystem } from '../fs/file-system.ts'
import type { Gap, SpilledGaps } from './gap.ts'
import { decodePage, PAGE_BYTES } from './gap-page.ts'
import type { LedgerKey, LedgerRow } from './ledger-codec.ts'

const READ_PAGES = 128

type RowKey = LedgerKey & Pick<LedgerRow, 'incarnation'>

/** What the names of a row's files begin with, below the directory of the ledger's own files. */
export function rowPath({ clusterId, topic, partition, incarnation }: RowKey): string {
  return `${segment(clusterId)}/${segment(topic)}/${partition}-${incarnation}`
}

/**
 * The file of a row below the directory of the ledger's own files: `<cluster>/<topic>/<partition>-<incarnation>-<edition>`.
 * It is page behind page; those that the row of the checkpoint counts never change, and what is behind them means nothing.
 */
export function gapFileOf(row: RowKey, edition: number): string {
  return `${rowPath(row)}-${edition}`
}

/** Gaps of a row that cannot be read. */
export interface DamagedGaps {
  readonly path: string
  readonly message: string
}

/** Where the ledger's own files are. */
export interface GapDisk {
  readonly fs: FileSystem
  readonly directory: string
}

/**
 * All gaps of a row, ascending, in pieces: those on disk and those in memory.
 * @param onDamaged - called once when pages are missing or damaged; their gaps are left out
 */
export async function* readGaps(
  row: LedgerRow,
  disk: GapDisk,
  onDamaged: (damaged: DamagedGaps) => void,
): AsyncGenerator<readonly Gap[]> {
  const merge = new ListedGaps([...row.gaps])
  for await (const { gaps } of readPages(row, disk, onDamaged)) yield merge.upTo(gaps)
  yield merge.rest()
}

/**
 * The pages that are there for a partition whose row is lost: of the edition that reaches furthest, up to the first that
 * cannot be read; a newer one that a repair has not finished reaches less far. Such as no row has counted may be among
 * them. `undefined` without any, and for a partition that has begun anew.
 */
export async function findSpilled(key: LedgerKey, disk: GapDisk): Promise<SpilledGaps | undefined> {
  const row = { ...key, incarnation: 0 }
  const files = await listFiles(row, disk)
  if (files.some(({ incarnation }) => incarnation > 0)) return undefined
  let furthest = { edition: 0, pages: 0, ranges: 0, end: 0 }
  for (const { edition } of files.sort((one, other) => other.edition - one.edition)) {
    const found = await readablePages(row, edition, disk)
    if (found.end > furthest.end) furthest = found
  }
  const { edition, pages, ranges } = furthest
  return pages === 0 ? undefined : { edition, pages, ranges, unwritten: [] }
}

/** Of a partition; that a row is kept says that the next incarnation began. None where the directory cannot be read. */
async function listFiles(
  row: RowKey,
  { fs, directory }: GapDisk,
): Promise<{ readonly incarnation: number; readonly edition: number }[]> {
  const items = await unlessUnreadable(fs.list(`${directory}/${dirname(gapFileOf(row, 0))}`))
  return (items ?? []).flatMap(({ name }) => {
    const [, partition, incarnation, edition] = /^(\d+)-(\d+)(?:-(\d{1,15})|\.row)$/.exec(name) ?? []
    if (Number(partition) !== row.partition) return []
    if (edition === undefined) return [{ incarnation: Number(incarnation) + 1, edition: 0 }]
    return [{ incarnation: Number(incarnation), edition: Number(edition) }]
  })
}

async function readablePages(
  row: RowKey,
  edition: number,
  disk: GapDisk,
): Promise<{ edition: number; pages: number; ranges: number; end: number }> {
  const fileBytes = await unlessUnreadable(disk.fs.fileBytes(`${disk.directory}/${gapFileOf(row, edition)}`))
  const spilled = { edition, pages: Math.floor((fileBytes ?? 0) / PAGE_BYTES), ranges: 0, unwritten: [] }
  let pages = 0
  let ranges = 0
  let end = 0
  for await (const { gaps } of readPages({ ...row, spilled }, disk, () => {})) {
    // One that was written before others took the places in front of it does not go on with them.
    if (gaps[0] === undefined || gaps[0].fromOffset < end) break
    end = gaps.at(-1)?.nextOffset ?? end
    pages += 1
    ranges += gaps.length
  }
  return { edition, pages, ranges, end }
}

/** All gaps of a row, to be gone through more than once. */
export interface RowGaps {
  /** Ascending. */
  all(): Iterable<Gap>
  /** Those in pages. */
  spilled(): Iterable<Gap>
  readonly damaged: DamagedGaps | undefined
}

export const NO_GAPS: RowGaps = { all: () => [], spilled: () => [], damaged: undefined }

/**
 * The gaps of a row in memory, as pages: 2 to 5 bytes a range.
 * @param bytesMax of the pages
 * @returns `undefined` when they have more
 */
export async function loadGaps(
  row: LedgerRow,
  disk: GapDisk,
  bytesMax: number,
): Promise<RowGaps | undefined> {
  if ((row.spilled?.pages ?? 0) * PAGE_BYTES > bytesMax) return undefined
  let damaged: DamagedGaps | undefined
  const listed = [...row.gaps]
  const pages: { readonly pageNumber: number; readonly bytes: Uint8Array }[] = []
  for await (const { gaps, pageNumber, bytes } of readPages(row, disk, (found) => (damaged = found)))
    if (gaps.length > 0) pages.push({ pageNumber, bytes: bytes.slice() })
  const owner = row.spilled === undefined ? '' : gapFileOf(row, row.spilled.edition)
  const decode = ({ pageNumber, bytes }: (typeof pages)[number]): readonly Gap[] =>
    decodePage({ owner, pageNumber }, bytes) ?? []
  return {
    damaged,
    *spilled() {
      for (const page of pages) yield* decode(page)
    },
    *all() {
      const merge = new ListedGaps(listed)
      for (const page of pages) yield* merge.upTo(decode(page))
      yield* merge.rest()
    },
  }
}

/** Puts the gaps that a row lists among those in its pages. */
class ListedGaps {
  readonly #gaps: readonly Gap[]
  #listed = 0

  constructor(gaps: readonly Gap[]) {
    this.#gaps = gaps
  }

  upTo(spilled: readonly Gap[]): readonly Gap[] {
    const end = spilled.at(-1)?.nextOffset ?? 0
    const from = this.#listed
    while (this.#listed < this.#gaps.length && this.#gaps[this.#listed]!.fromOffset < end) this.#listed += 1
    if (from === this.#listed) return spilled
    return [...spilled, ...this.#gaps.slice(from, this.#listed)].sort(byOffset)
  }

  rest(): readonly Gap[] {
    return this.#gaps.slice(this.#listed)
  }
}

interface ReadPage {
  readonly pageNumber: number
  /** None where the page is damaged. */
  readonly gaps: readonly Gap[]
  /** Used again for other pages. */
  readonly bytes: Uint8Array
}

async function* readPages(
  row: LedgerKey & Pick<LedgerRow, 'incarnation' | 'spilled'>,
  { fs, directory }: GapDisk,
  onDamaged: (damaged: DamagedGaps) => void,
): AsyncGenerator<ReadPage> {
  if (row.spilled === undefined) return
  const { edition, pages } = row.spilled
  // A living row goes on meanwhile: what waits now may be on disk soon.
  const unwritten = [...row.spilled.unwritten]
  const owner = gapFileOf(row, edition)
  const path = `${directory}/${owner}`
  const onDisk = pages - unwritten.length
  const damaged: number[] = []
  const decode = (pageNumber: number, bytes: Uint8Array): ReadPage => {
    const gaps = decodePage({ owner, pageNumber }, bytes)
    if (gaps === undefined) damaged.push(pageNumber)
    return { pageNumber, gaps: gaps ?? [], bytes }
  }
  const file = fs.openToRead(path)
  try {
    const memory = new Uint8Array(READ_PAGES * PAGE_BYTES)
    for (let first = 0; first < onDisk; first += READ_PAGES) {
      const some = memory.subarray(0, Math.min(READ_PAGES, onDisk - first) * PAGE_BYTES)
      some.fill(0, await readWhatIsThere(file, first * PAGE_BYTES, some))
      for (let atBytes = 0; atBytes < some.length; atBytes += PAGE_BYTES)
        yield decode(first + atBytes / PAGE_BYTES, some.subarray(atBytes, atBytes + PAGE_BYTES))
    }
  } finally {
    await file.close()
  }
  for (const [index, bytes] of unwritten.entries()) yield decode(onDisk + index, bytes)
  if (damaged.length > 0) onDamaged({ path, message: damageText(damaged, pages) })
}

/** @returns bytes read; none where there is no file, or where it cannot be read */
async function readWhatIsThere(file: FileReader, atBytes: number, memory: Uint8Array): Promise<number> {
  try {
    return (await unlessUnreadable(file.read(atBytes, memory))) ?? 0
  } catch (error) {
    if (error instanceof FileSystemError && error.code === 'ERR_NOT_FOUND') return 0
    throw error
  }
}

/** `undefined` where what is there cannot be read. */
export function unlessUnreadable<Result>(reading: Promise<Result>): Promise<Result | undefined> {
  return reading.catch((error: unknown) => {
    if (isReadFailure(error)) return undefined
    throw error
  })
}

function damageText(damaged: readonly number[], pages: number): string {
  const which = damaged.length === pages ? '' : `, page ${damaged[0]} the first of them`
  return `${damaged.length} of its ${pages} pages cannot be read${which}: their gap ranges are only counted any more`
}

/** A name that is one segment of a path. */
function segment(name: string): string {
  return encodeURIComponent(name).replace(/^\.+$/, (dots) => dots.replaceAll('.', '%2E'))
}

function byOffset(one: Gap, other: Gap): number {
  return one.fromOffset - other.fromOffset
}
