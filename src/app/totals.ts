import type { StorageObserver } from '../storage/index.ts'

/** What this process has made durable so far. */
export interface Totals {
  readonly records: number
  readonly bytes: number
  readonly groups: number
}

/** Counts groups on their way to another observer. */
export function countGroups(next: StorageObserver): { observer: StorageObserver; totals: () => Totals } {
  let totals: Totals = { records: 0, bytes: 0, groups: 0 }
  const observer: StorageObserver = {
    ...next,
    groupCommitted(event) {
      next.groupCommitted(event)
      const { records, bytes, groups } = totals
      totals = {
        records: records + event.records,
        bytes: bytes + event.bytes,
        groups: groups + (event.records > 0 ? 1 : 0),
      }
    },
  }
  return { observer, totals: () => totals }
}
