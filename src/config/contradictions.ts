import type { ConfigValue } from './format.ts'

/** Values that are each allowed, but not together. The first key is the one to blame. */
export interface Contradiction {
  readonly keys: readonly string[]
  readonly allowed: string
}

export function findContradictions(valueOf: (key: string) => ConfigValue): Contradiction[] {
  const isSet = (key: string): boolean => valueOf(key) !== null
  const found: Contradiction[] = []
  const unless = (holds: boolean, keys: readonly string[], allowed: string): void => {
    if (!holds) found.push({ keys, allowed })
  }

  const topics = valueOf('kafka.topics')
  unless(Array.isArray(topics) && topics.length > 0, ['kafka.topics'], 'must be given: topics to consume')

  for (const name of ['username', 'password']) {
    const key = `kafka.sasl.${name}`
    const both = [key, 'kafka.sasl.mechanism']
    if (isSet('kafka.sasl.mechanism')) unless(isSet(key), both, 'must be given, kafka.sasl.mechanism is')
    else unless(!isSet(key), both, 'must not be given without kafka.sasl.mechanism')
  }
  for (const name of ['caFile', 'certFile', 'keyFile']) {
    const key = `kafka.ssl.${name}`
    unless(
      !isSet(key) || valueOf('kafka.ssl.enabled') === true,
      [key, 'kafka.ssl.enabled'],
      'must not be given unless kafka.ssl.enabled is true',
    )
  }
  unless(
    isSet('kafka.ssl.certFile') === isSet('kafka.ssl.keyFile'),
    ['kafka.ssl.certFile', 'kafka.ssl.keyFile'],
    'must be given together with kafka.ssl.keyFile',
  )

  for (const [smaller, larger] of [
    ['kafka.fetchPartitionBytesMax', 'kafka.fetchBytesMax'],
    ['storage.groupBytesMax', 'storage.logBytesCheckpoint'],
    ['storage.groupBytesMax', 'memory.budgetBytes'],
    ['storage.logBytesCheckpoint', 'storage.logBytesMax'],
  ] as const) {
    unless(
      (valueOf(smaller) as number) <= (valueOf(larger) as number),
      [smaller, larger],
      `must not be more than ${larger}, which is ${valueOf(larger) as number}`,
    )
  }
  const budgetBytes = valueOf('memory.budgetBytes') as number
  unless(
    (valueOf('kafka.fetchBytesMax') as number) <= budgetBytes / 2,
    ['kafka.fetchBytesMax', 'memory.budgetBytes'],
    `must not be more than half of memory.budgetBytes, which is ${budgetBytes}: what is fetched counts in it, and as much again must fit that is not durable yet`,
  )
  return found
}
