import { topicExpression } from '../mapping/topic-pattern.ts'
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

  const deadLetters = valueOf('kafka.deadLetterTopic')
  const isConsumed =
    typeof deadLetters === 'string' &&
    Array.isArray(topics) &&
    topics.some(
      (topic) => topic === deadLetters || topicExpression(String(topic))?.test(deadLetters) === true,
    )
  unless(
    !isConsumed,
    ['kafka.deadLetterTopic', 'kafka.topics'],
    'must not be one of kafka.topics, nor match an expression there: it would be consumed here',
  )

  for (const [keys, allowed] of loginProblems(isSet, valueOf)) unless(false, keys, allowed)
  for (const name of ['caFile', 'certFile', 'keyFile', 'keyPassphraseFile', 'serverName']) {
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
  unless(
    !isSet('kafka.ssl.keyPassphraseFile') || isSet('kafka.ssl.keyFile'),
    ['kafka.ssl.keyPassphraseFile', 'kafka.ssl.keyFile'],
    'must not be given without kafka.ssl.keyFile',
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

type Problem = readonly [keys: readonly string[], allowed: string]

function loginProblems(isSet: (key: string) => boolean, valueOf: (key: string) => ConfigValue): Problem[] {
  const problems: Problem[] = []
  const mechanism = valueOf('kafka.sasl.mechanism')
  const withMechanism = (name: string): string[] => [`kafka.sasl.${name}`, 'kafka.sasl.mechanism']
  const given = (name: string): boolean => isSet(`kafka.sasl.${name}`)
  /** Text, or a file with it: exactly one. */
  const secret = (name: string): void => {
    if (given(name) && given(`${name}File`)) {
      problems.push([withMechanism(`${name}File`), `must not be given together with kafka.sasl.${name}`])
    } else if (!given(name) && !given(`${name}File`)) {
      problems.push([withMechanism(name), `must be given, or kafka.sasl.${name}File`])
    }
  }
  const isByToken = mechanism === 'oauthbearer'
  const isByPassword = mechanism !== null && !isByToken
  for (const name of ['username', 'password', 'passwordFile']) {
    if (given(name) && !isByPassword) {
      problems.push([
        withMechanism(name),
        'must not be given without kafka.sasl.mechanism, one with a password',
      ])
    }
  }
  if (isByPassword && !given('username')) {
    problems.push([withMechanism('username'), 'must be given, kafka.sasl.mechanism is'])
  }
  if (isByPassword) secret('password')

  const command = valueOf('kafka.sasl.oauth.tokenCommand') as readonly unknown[]
  const hasEndpoint = given('oauth.tokenEndpoint')
  if (isByToken && command.length === 0 && !hasEndpoint) {
    problems.push([withMechanism('oauth.tokenCommand'), 'must be given, or kafka.sasl.oauth.tokenEndpoint'])
  }
  if (!isByToken && (command.length > 0 || hasEndpoint)) {
    const name = hasEndpoint ? 'oauth.tokenEndpoint' : 'oauth.tokenCommand'
    problems.push([withMechanism(name), 'must not be given unless kafka.sasl.mechanism is oauthbearer'])
  }
  if (command.length > 0 && hasEndpoint) {
    problems.push([withMechanism('oauth.tokenEndpoint'), 'must not be given together with tokenCommand'])
  }
  if (hasEndpoint && !given('oauth.clientId')) {
    problems.push([withMechanism('oauth.clientId'), 'must be given, kafka.sasl.oauth.tokenEndpoint is'])
  }
  if (hasEndpoint) secret('oauth.clientSecret')
  for (const name of ['clientId', 'clientSecret', 'clientSecretFile', 'scope', 'caFile']) {
    if (given(`oauth.${name}`) && !hasEndpoint) {
      problems.push([
        withMechanism(`oauth.${name}`),
        'must not be given without kafka.sasl.oauth.tokenEndpoint',
      ])
    }
  }
  return problems
}
