import type { CommitLog } from '../commitlog/commit-log.ts'
import type { Checkpoint, WaitingFrames } from '../commitlog/log-file.ts'
import type { Damage } from '../damage.ts'
import type { EntryName } from '../record.ts'
import type { LogFacts } from './facts.ts'

/** The state that waiting frames follow, as a checkpoint of these entries alone. */
export function checkpointBefore({ firstLog, sequence, chain, openBlocks }: WaitingFrames): Checkpoint {
  return { firstLog, sequence, chain, openBlocks, generation: 0, companion: undefined, waiting: [] }
}

/** Of what the log says, what is about these entries. */
export function onlyOf(log: LogFacts, entries: readonly EntryName[]): LogFacts {
  const wanted = new Set(entries.map(keyOf))
  return {
    ...log,
    frames: log.frames.map((frame) => ({
      ...frame,
      items: frame.items.filter(({ block }) => wanted.has(keyOf(block))),
      changes: frame.changes.filter(({ change }) => wanted.has(keyOf(change))),
    })),
  }
}

/**
 * What the next checkpoint has to keep for entries that could not be read: what the one before kept for them, and this
 * recovery's frames where they name them.
 * @param log begun by this recovery, with the last frame in it
 */
export function waitingFrames(
  { checkpoint, frames }: LogFacts,
  damage: Damage,
  log: CommitLog,
): WaitingFrames[] {
  const isDamaged = (name: EntryName): boolean => damage.of(name) !== undefined
  const kept = checkpoint.waiting
    .map((waiting) => ({ ...waiting, ...partOf(waiting.entries, waiting.openBlocks, isDamaged) }))
    .filter(({ entries }) => entries.length > 0)
  const named = new Map<string, EntryName>()
  const name = ({ bucket, entry }: EntryName): unknown => named.set(`${bucket}/${entry}`, { bucket, entry })
  for (const block of checkpoint.openBlocks) name(block)
  for (const { items, changes } of frames) {
    for (const { block } of items) name(block)
    for (const { change } of changes) name(change)
  }
  const part = partOf([...named.values()], checkpoint.openBlocks, isDamaged)
  if (part.entries.length === 0) return kept
  const { firstLog, sequence, chain } = checkpoint
  return [...kept, { firstLog, endLog: log.fileNumber + 1, sequence, chain, ...part }]
}

function partOf(
  entries: WaitingFrames['entries'],
  openBlocks: WaitingFrames['openBlocks'],
  isWanted: (name: EntryName) => boolean,
): Pick<WaitingFrames, 'entries' | 'openBlocks'> {
  return { entries: entries.filter(isWanted), openBlocks: openBlocks.filter(isWanted) }
}

function keyOf({ bucket, entry }: EntryName): string {
  return `${bucket}/${entry}`
}
