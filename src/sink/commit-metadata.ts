/** Travels with every committed offset: a commit is a hand-over token between stores of one group. */
export interface CommitMetadata {
  readonly clusterId: string
  readonly groupId: string
  readonly storeId: string
  readonly epoch: number
  /** Of the partition in the store's ledger; 0 where it is not said. */
  readonly incarnation?: number | undefined
  /** Of which topic the offset is. */
  readonly topicId?: string | undefined
  /** Of the record batch that ends at the offset. */
  readonly leaderEpoch?: number | undefined
}

export function encodeCommitMetadata(metadata: CommitMetadata): string {
  const { clusterId, groupId, storeId, epoch, incarnation, topicId, leaderEpoch } = metadata
  return JSON.stringify({ clusterId, groupId, storeId, epoch, incarnation, topicId, leaderEpoch })
}

/** `undefined` for what a store did not write. Unknown keys are a newer release's and allowed. */
export function parseCommitMetadata(text: string): CommitMetadata | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { clusterId, groupId, storeId, epoch, incarnation, topicId, leaderEpoch } = value as Record<
    string,
    unknown
  >
  if (typeof clusterId !== 'string' || typeof groupId !== 'string' || typeof storeId !== 'string') {
    return undefined
  }
  if (storeId === '' || typeof epoch !== 'number') return undefined
  return {
    clusterId,
    groupId,
    storeId,
    epoch,
    ...(isCount(incarnation) && { incarnation }),
    ...(typeof topicId === 'string' && { topicId }),
    ...(isCount(leaderEpoch) && { leaderEpoch }),
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
