import type { StoredRecord } from '../storage/index.ts'

type Batch = readonly StoredRecord[]

interface Head {
  readonly record: StoredRecord
  /** Where `record` is in its batch. */
  readonly batch: Batch
  readonly index: number
  readonly rest: AsyncIterator<Batch>
  /** Keeps the order of the inputs among equal times. */
  readonly rank: number
}

/**
 * Merges inputs that ascend by time into one that does. Holds one batch of each, and asks for the next one of an input when
 * its records have been taken; ends all of them when left early.
 */
export async function* mergeByTime(inputs: readonly AsyncIterable<Batch>[]): AsyncGenerator<Batch> {
  const iterators = inputs.map((input) => input[Symbol.asyncIterator]())
  const heap: Head[] = []
  try {
    for (const [rank, rest] of iterators.entries()) {
      const first = await nextHead(rest, rank)
      if (first !== undefined) push(heap, first)
    }
    let merged: StoredRecord[] = []
    for (let head = heap[0]; head !== undefined; head = heap[0]) {
      const { batch, rest, rank } = head
      merged.push(head.record)
      const index = head.index + 1
      const record = batch[index]
      if (record !== undefined) {
        replaceFirst(heap, { record, batch, index, rest, rank })
        continue
      }
      yield merged
      merged = []
      const next = await nextHead(rest, rank)
      if (next === undefined) pop(heap)
      else replaceFirst(heap, next)
    }
  } finally {
    await Promise.all(iterators.map(async (iterator) => iterator.return?.()))
  }
}

async function nextHead(rest: AsyncIterator<Batch>, rank: number): Promise<Head | undefined> {
  for (;;) {
    const next = await rest.next()
    if (next.done === true) return undefined
    const batch = next.value
    const [record] = batch
    if (record !== undefined) return { record, batch, index: 0, rest, rank }
  }
}

function isBefore(left: Head, right: Head): boolean {
  const { timestampUs: a } = left.record
  const { timestampUs: b } = right.record
  return a === b ? left.rank < right.rank : a < b
}

function push(heap: Head[], head: Head): void {
  let index = heap.push(head) - 1
  while (index > 0) {
    const parent = (index - 1) >> 1
    if (!isBefore(head, heap[parent] as Head)) break
    heap[index] = heap[parent] as Head
    index = parent
  }
  heap[index] = head
}

function pop(heap: Head[]): void {
  const last = heap.pop()
  if (last !== undefined && heap.length > 0) replaceFirst(heap, last)
}

function replaceFirst(heap: Head[], head: Head): void {
  let index = 0
  for (;;) {
    let child = 2 * index + 1
    if (child >= heap.length) break
    if (child + 1 < heap.length && isBefore(heap[child + 1] as Head, heap[child] as Head)) child += 1
    if (!isBefore(heap[child] as Head, head)) break
    heap[index] = heap[child] as Head
    index = child
  }
  heap[index] = head
}
