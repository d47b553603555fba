import type { StoredRecord } from '../storage/index.ts'

interface Head {
  readonly record: StoredRecord
  readonly rest: AsyncIterator<StoredRecord>
  /** Keeps the order of the inputs among equal times. */
  readonly rank: number
}

/** Merges inputs that ascend by time into one that does. Holds one record of each; ends all of them when left early. */
export async function* mergeByTime(
  inputs: readonly AsyncIterable<StoredRecord>[],
): AsyncGenerator<StoredRecord> {
  const iterators = inputs.map((input) => input[Symbol.asyncIterator]())
  const heap: Head[] = []
  try {
    for (const [rank, rest] of iterators.entries()) {
      const first = await rest.next()
      if (!first.done) push(heap, { record: first.value, rest, rank })
    }
    for (let head = heap[0]; head !== undefined; head = heap[0]) {
      yield head.record
      const next = await head.rest.next()
      if (next.done) pop(heap)
      else replaceFirst(heap, { ...head, record: next.value })
    }
  } finally {
    await Promise.all(iterators.map(async (iterator) => iterator.return?.()))
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
