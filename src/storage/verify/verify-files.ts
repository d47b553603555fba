import { decodeIndex, type IndexEntry } from '../codec/index-codec.ts'
import { EntryPaths, parseBlockFileName } from '../paths.ts'
import type { BlockSource } from '../query/block-source.ts'
import { directorySource } from '../query/directory-reader.ts'
import type { DirectorySource } from '../query/follower.ts'
import type { EntryName } from '../record.ts'
import { scanWal, walEntryType } from '../wal/wal-codec.ts'
import type { Finding, Found } from './report.ts'
import { blockKey, isBusy, messageOf, type Subject } from './subject.ts'
import { readMessage } from '../read-message.ts'

/** How often an entry is looked at beside a writer before a finding counts. */
const LIVE_LOOKS_MAX = 4

/**
 * Index and names of an entry's files; `undefined` when it cannot be read at all. Beside a writer the files change
 * between two looks, so that only what every look finds is a finding.
 */
export async function verifyFiles(
  subject: Subject,
  name: EntryName,
  found: Found,
): Promise<BlockSource | undefined> {
  let look = await lookAtFiles(subject, name)
  for (let looks = 1; subject.isLive && looks < LIVE_LOOKS_MAX && look.findings.length > 0; looks++) {
    const before = new Set(look.findings.map(({ path, message }) => `${path}: ${message}`))
    const { source, findings } = await lookAtFiles(subject, name)
    look = { source, findings: findings.filter(({ path, message }) => before.has(`${path}: ${message}`)) }
  }
  for (const { severity, path, message } of look.findings) found(severity, path, message)
  return look.source
}

export function sourceOf(
  { fs, dataPath, isStore, isLive, clock }: Subject,
  name: EntryName,
): Promise<DirectorySource> {
  return directorySource(fs, dataPath, name, { isForeign: !isStore, isAlone: !isLive, clock })
}

async function lookAtFiles(
  subject: Subject,
  name: EntryName,
): Promise<{ source: BlockSource | undefined; findings: Finding[] }> {
  const { fs, dataPath, isLive } = subject
  const findings: Finding[] = []
  const found: Found = (severity, path, message) => {
    findings.push({ severity, path, message })
  }
  const paths = new EntryPaths(dataPath, name)
  const bytes = await readMessage(fs, paths.index)
  const listed = bytes === undefined ? undefined : decodeIndex(bytes)
  // Beside a writer it may be a directory on the way to an entry that is just being made.
  if (listed === undefined && !isLive) found('recoverable', paths.index, 'index is missing')
  else if (listed !== undefined && listed.verdict !== 'valid')
    found('recoverable', paths.index, `index is damaged (${listed.verdict})`)
  const open = new Set<bigint>()
  const removed = new Set<bigint>()
  for (const item of (await fs.list(paths.walDirectory)) ?? []) {
    const file = parseBlockFileName(item.name)
    if (file?.kind !== 'wal') continue
    open.add(file.blockId)
    if (isLive) continue
    const path = paths.wal(file.blockId)
    const { entries, ending } = scanWal((await fs.readFile(path)) ?? new Uint8Array(0))
    if (entries.some(({ type }) => type === walEntryType.removeBlock)) removed.add(file.blockId)
    found('recoverable', path, ending === 'marker' ? 'WAL not folded yet' : `WAL ends badly (${ending})`)
  }
  const index = listed?.verdict === 'valid' ? listed.entries : new Map<bigint, IndexEntry>()
  const isIndexDamaged = listed !== undefined && listed.verdict !== 'valid'
  await findOrphans(subject, name, { listed: index, open, removed, isIndexDamaged }, found)
  try {
    const source = await sourceOf(subject, name)
    for (const { path, message } of source.faults) found('damaged', path, message)
    const blocks = isLive
      ? source.blocks.filter((block) => !open.has(block.id) && block.crc64 !== undefined)
      : source.blocks
    return { source: { ...source, blocks }, findings }
  } catch (error) {
    if (isBusy(error)) throw error
    found('damaged', paths.directory, messageOf(error))
    return { source: undefined, findings }
  }
}

interface NamedBlocks {
  readonly listed: ReadonlyMap<bigint, IndexEntry>
  /** They have a WAL. */
  readonly open: ReadonlySet<bigint>
  /** ReductStore was removing them. */
  readonly removed: ReadonlySet<bigint>
  readonly isIndexDamaged: boolean
}

async function findOrphans(
  subject: Subject,
  name: EntryName,
  { listed, open, removed, isIndexDamaged }: NamedBlocks,
  found: Found,
): Promise<void> {
  const { fs, dataPath, isLive, isStore } = subject
  const paths = new EntryPaths(dataPath, name)
  const redoneFromBytes = (id: bigint): number | undefined => subject.redoneFromBytes.get(blockKey(name, id))
  const data = new Set<bigint>()
  const described = new Set<bigint>()
  for (const item of (await fs.list(paths.directory)) ?? []) {
    const file = parseBlockFileName(item.name)
    if (file === undefined || removed.has(file.blockId)) continue
    if (file.kind === 'data') data.add(file.blockId)
    else if (file.kind === 'descriptor') described.add(file.blockId)
  }
  for (const id of data) {
    // What is listed has its own finding below.
    if (described.has(id) || open.has(id) || listed.has(id) || isLive) continue
    const isOurs = subject.nameless.has(blockKey(name, id))
    if (isOurs) found('recoverable', paths.data(id), 'content of a group that was never finished')
    else if (redoneFromBytes(id) !== undefined)
      found('recoverable', paths.data(id), 'content of a group that is not carried out yet')
    else if (isIndexDamaged && isStore)
      found('damaged', paths.data(id), 'data file without descriptor or WAL, and the index is damaged')
    else found('recoverable', paths.data(id), 'data file that nothing names: it goes to the quarantine')
  }
  for (const id of new Set([...described, ...open])) {
    if (data.has(id) || removed.has(id) || isLive) continue
    const what = described.has(id) ? 'descriptor' : 'WAL'
    const path = described.has(id) ? paths.descriptor(id) : paths.wal(id)
    found(redoneFromBytes(id) === 0 ? 'recoverable' : 'damaged', path, `${what} without data file`)
  }
  for (const id of described) {
    if (data.has(id) && !listed.has(id))
      found('recoverable', paths.descriptor(id), 'block is not in the index')
  }
  for (const id of listed.keys()) {
    if (described.has(id) || open.has(id) || removed.has(id)) continue
    const severity = redoneFromBytes(id) === undefined ? 'damaged' : 'recoverable'
    found(severity, paths.descriptor(id), 'listed block has no descriptor')
  }
}
