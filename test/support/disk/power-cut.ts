import type { Random } from '../random.ts'
import type { PagedBytes } from './paged-bytes.ts'

export const SECTOR_BYTES = 512

/** A change of a file's content that no sync has covered yet. */
export type Change =
  | {
      readonly sequence: number
      readonly kind: 'write'
      readonly atBytes: number
      readonly bytes: Uint8Array
    }
  | { readonly sequence: number; readonly kind: 'resize'; readonly size: number }

/**
 * What a power cut leaves of a file's un-synced changes.
 *  - `prefix`: the first changes, the last of them cut at a sector border
 *  - `soup`: each sector stands as it was at some moment of its own, or its written bytes are garbage; the length
 *    likewise, so that it may be ahead of the data (zeros) or behind it
 *  - `hole`: everything but one sector, which is as before, or its written bytes are garbage
 */
export type DataLoss = 'nothing' | 'all' | 'prefix' | 'soup' | 'hole'

/** `prefix` and `subset` are of the pending changes of each directory. */
export type NameLoss = 'nothing' | 'all' | 'prefix' | 'subset'

export function applyChange(content: PagedBytes, change: Change): void {
  if (change.kind === 'write') content.write(change.atBytes, change.bytes)
  else content.resize(change.size)
}

/** The durable content after the cut; `durable` itself is not changed. */
export function contentAfterCut(
  durable: PagedBytes,
  changes: readonly Change[],
  kept: DataLoss,
  garbage: number,
  random: Random,
): PagedBytes {
  const content = durable.share()
  switch (kept) {
    case 'nothing':
      break
    case 'all':
      for (const change of changes) applyChange(content, change)
      break
    case 'prefix':
      keepPrefix(content, changes, random)
      break
    case 'soup':
      keepSoup(content, changes, garbage, random)
      break
    case 'hole':
      keepAllButOneSector(content, changes, garbage, random)
      break
  }
  return content
}

function keepPrefix(content: PagedBytes, changes: readonly Change[], random: Random): void {
  const whole = random.below(changes.length + 1)
  for (const change of changes.slice(0, whole)) applyChange(content, change)
  const torn = changes[whole]
  if (torn?.kind !== 'write') return
  const sectors = Math.ceil((torn.atBytes + torn.bytes.byteLength) / SECTOR_BYTES)
  const first = Math.floor(torn.atBytes / SECTOR_BYTES)
  const end = random.between(first, sectors - 1) * SECTOR_BYTES
  if (end > torn.atBytes) content.write(torn.atBytes, torn.bytes.subarray(0, end - torn.atBytes))
}

function keepSoup(content: PagedBytes, changes: readonly Change[], garbage: number, random: Random): void {
  const bias = random.pick([0.1, 0.5, 0.9])
  const moment = () => {
    if (random.chance(0.2)) return random.below(changes.length + 1)
    return random.chance(bias) ? changes.length : 0
  }
  const sizes = [content.size]
  for (const change of changes) {
    const before = sizes[sizes.length - 1] as number
    sizes.push(
      change.kind === 'resize' ? change.size : Math.max(before, change.atBytes + change.bytes.byteLength),
    )
  }
  const sizeMoment = moment()
  const sectors = new Map<number, { moment: number; garbage: boolean }>()

  for (const [index, change] of changes.entries()) {
    if (change.kind === 'resize') {
      if (index < sizeMoment) content.resize(change.size)
      continue
    }
    const end = change.atBytes + change.bytes.byteLength
    for (let at = change.atBytes; at < end;) {
      const number = Math.floor(at / SECTOR_BYTES)
      let sector = sectors.get(number)
      if (sector === undefined) {
        sector = { moment: moment(), garbage: random.chance(garbage) }
        sectors.set(number, sector)
      }
      const next = Math.min(end, (number + 1) * SECTOR_BYTES)
      if (sector.garbage) content.write(at, garbageBytes(next - at, random))
      else if (index < sector.moment) {
        content.write(at, change.bytes.subarray(at - change.atBytes, next - change.atBytes))
      }
      at = next
    }
  }
  content.resize(sizes[sizeMoment] as number)
}

function keepAllButOneSector(
  content: PagedBytes,
  changes: readonly Change[],
  garbage: number,
  random: Random,
): void {
  const before = content.share()
  const sectors = new Set<number>()
  for (const change of changes) {
    applyChange(content, change)
    if (change.kind !== 'write') continue
    const end = change.atBytes + change.bytes.byteLength
    for (let at = change.atBytes - (change.atBytes % SECTOR_BYTES); at < end; at += SECTOR_BYTES)
      sectors.add(at)
  }
  const written = [...sectors].filter((at) => at < content.size)
  if (written.length === 0) return
  const at = random.pick(written)
  const endOfSector = Math.min(at + SECTOR_BYTES, content.size)
  const old = new Uint8Array(endOfSector - at)
  old.set(before.read(at, old.byteLength))
  content.write(at, old)
  if (!random.chance(garbage)) return
  for (const change of changes) {
    if (change.kind !== 'write') continue
    const from = Math.max(at, change.atBytes)
    const to = Math.min(endOfSector, change.atBytes + change.bytes.byteLength)
    if (from < to) content.write(from, garbageBytes(to - from, random))
  }
}

function garbageBytes(length: number, random: Random): Uint8Array {
  return random.chance(0.3) ? new Uint8Array(length).fill(random.pick([0, 0xff])) : random.bytes(length)
}
