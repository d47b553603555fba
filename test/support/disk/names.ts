import type { Random } from '../random.ts'
import type { PagedBytes } from './paged-bytes.ts'
import type { Change, NameLoss } from './power-cut.ts'

export interface FileNode {
  readonly kind: 'file'
  readonly id: number
  cache: PagedBytes
  /** The same object as `cache` while both are equal. */
  durable: PagedBytes
  pending: Change[]
  /** A failed sync has dropped changes: the cache shows bytes that the medium will never get. */
  diverged: boolean
  place: Place | undefined
  durablePlace: Place | undefined
}

export interface DirectoryNode {
  readonly kind: 'directory'
  readonly id: number
  readonly entries: Map<string, number>
  readonly durableEntries: Map<string, number>
  place: Place | undefined
  durablePlace: Place | undefined
}

export type Node = FileNode | DirectoryNode

export interface Place {
  readonly directory: number
  readonly name: string
}

/** A name that came (`to`), went (`from`) or moved (both: atomic, as journalling file systems have it). */
export interface NameChange {
  readonly sequence: number
  readonly node: number
  readonly from: Place | undefined
  readonly to: Place | undefined
}

function directoriesOf(change: NameChange): number[] {
  const from = change.from?.directory
  const to = change.to?.directory
  if (from === undefined) return to === undefined ? [] : [to]
  return to === undefined || to === from ? [from] : [from, to]
}

/**
 * The changes that a sync of `directory` makes durable: its own up to `untilSequence`, and what came before them in
 * the other directory of a move.
 */
export function coveredBySync(
  changes: readonly NameChange[],
  directory: number,
  untilSequence: number,
): NameChange[] {
  const directories = new Set([directory])
  const covered: NameChange[] = []
  for (const change of changes.toReversed()) {
    if (change.sequence > untilSequence) continue
    const touched = directoriesOf(change)
    if (!touched.some((one) => directories.has(one))) continue
    for (const one of touched) directories.add(one)
    covered.push(change)
  }
  return covered.reverse()
}

/** The pending changes that survive a cut, in order. `chooseLoss` is asked once a directory. */
export function survivingNames(
  changes: readonly NameChange[],
  chooseLoss: () => NameLoss,
  random: Random,
): NameChange[] {
  const counts = new Map<number, number>()
  for (const change of changes) {
    for (const directory of directoriesOf(change)) counts.set(directory, (counts.get(directory) ?? 0) + 1)
  }
  const keeps = new Map<number, () => boolean>()
  for (const [directory, count] of counts) keeps.set(directory, keeper(chooseLoss(), count, random))
  return changes.filter((change) => {
    const answers = directoriesOf(change).map((directory) => keeps.get(directory)?.() ?? false)
    return answers.every(Boolean)
  })
}

function keeper(loss: NameLoss, count: number, random: Random): () => boolean {
  switch (loss) {
    case 'nothing':
      return () => false
    case 'all':
      return () => true
    case 'subset': {
      const bias = random.pick([0.2, 0.5, 0.8])
      return () => random.chance(bias)
    }
    case 'prefix': {
      let left = random.below(count + 1)
      return () => left-- > 0
    }
  }
}

/** Applies one change to the durable names. A node never has two durable names: a move takes it from where it is. */
export function makeDurable(nodes: ReadonlyMap<number, Node>, change: NameChange): void {
  const node = nodes.get(change.node)
  if (node === undefined) return
  if (change.from !== undefined) removeDurableName(nodes, change.from, change.node)
  if (change.to === undefined) return
  const target = nodes.get(change.to.directory)
  if (target?.kind !== 'directory') return
  if (node.durablePlace !== undefined) removeDurableName(nodes, node.durablePlace, node.id)
  const displaced = target.durableEntries.get(change.to.name)
  if (displaced !== undefined) removeDurableName(nodes, change.to, displaced)
  target.durableEntries.set(change.to.name, node.id)
  node.durablePlace = change.to
}

function removeDurableName(nodes: ReadonlyMap<number, Node>, place: Place, id: number): void {
  const directory = nodes.get(place.directory)
  if (directory?.kind !== 'directory' || directory.durableEntries.get(place.name) !== id) return
  directory.durableEntries.delete(place.name)
  const node = nodes.get(id)
  if (node !== undefined) node.durablePlace = undefined
}
