import type { EntryName } from '../../../src/storage/index.ts'

/** What a record must show: labels as `name=value`, sorted, and its content. */
export interface ModelRecord {
  readonly entry: EntryName
  readonly labels: string
  readonly content: string
}

/** The records of a store by the label `id`, which no change touches. */
export type State = ReadonlyMap<string, ModelRecord>

/** An atom that was asked for and may be done or not: the state with it. */
export interface PendingChange {
  readonly apply: (state: Map<string, ModelRecord>) => void
}

/** Every state that a crash may leave: what was acknowledged, and each pending change whole or not at all. */
export class Allowed {
  readonly #states: readonly State[]

  constructor(acknowledged: State, pending: readonly PendingChange[] = []) {
    this.#states = Array.from({ length: 2 ** pending.length }, (_, chosen) => {
      const state = new Map(acknowledged)
      pending.forEach((change, index) => {
        if (Math.floor(chosen / 2 ** index) % 2 === 1) change.apply(state)
      })
      return state
    })
  }

  /** Why `state` is none of them. */
  contradicts(state: State): string | undefined {
    const shown = printed(state)
    const allowed = this.#states.map(printed)
    return allowed.includes(shown) ? undefined : `shows\n${shown}\nallowed are\n${allowed.join('\nor\n')}`
  }

  /** As `contradicts`, each record by itself: a change of several blocks is one atom to us, not to others. */
  contradictsAnywhere(state: State): string | undefined {
    const ids = new Set([state, ...this.#states].flatMap((one) => [...one.keys()]))
    for (const id of ids) {
      const allowed = this.#states.map((one) => line(id, one.get(id)))
      const shown = line(id, state.get(id))
      if (!allowed.includes(shown))
        return `shows\n${shown}\nallowed are\n${[...new Set(allowed)].join('\nor\n')}`
    }
    return undefined
  }
}

/** One line a record, the same for the same state. */
export function printed(state: State): string {
  return Array.from(state, ([id, record]) => line(id, record))
    .sort()
    .join('\n')
}

function line(id: string, record: ModelRecord | undefined): string {
  if (record === undefined) return `no ${id}`
  const { entry, labels, content } = record
  return `${entry.bucket}/${entry.entry} ${id}: ${labels} ${content}`
}
