/** Travels with every committed offset: a commit is a hand-over token between stores of one group. */
export interface CommitMetadata {
  readonly clusterId: string
  readonly groupId: string
  readonly storeId: string
  readonly epoch: number
}

export function encodeCommitMetadata({ clusterId, groupId, storeId, epoch }: CommitMetadata): string {
  return JSON.stringify({ clusterId, groupId, storeId, epoch })
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
  const { clusterId, groupId, storeId, epoch } = value as Record<string, unknown>
  if (typeof clusterId !== 'string' || typeof groupId !== 'string' || typeof storeId !== 'string') {
    return undefined
  }
  if (storeId === '' || typeof epoch !== 'number') return undefined
  return { clusterId, groupId, storeId, epoch }
}
