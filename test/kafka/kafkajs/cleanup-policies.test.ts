import { expect, test } from '@jest/globals'
import { CleanupPolicies } from '../../../src/kafka/kafkajs/cleanup-policies.ts'
import type { Broker } from '../../../src/kafka/kafkajs/internals.ts'
import type { AbsentOffsets } from '../../../src/kafka/source.ts'
import { silentLogger } from '../../../src/base/logger.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const holes: AbsentOffsets[] = [
  { why: 'control', fromOffset: 1, nextOffset: 2 },
  { why: 'missing', fromOffset: 5, nextOffset: 9 },
]

/** A cluster whose topics have this policy, or whose brokers answer with an error of this type. */
class PolicyCluster {
  answer: { policy: string } | { errorType: string } = { policy: 'delete' }
  asked = 0

  readonly brokerPool = {
    metadata: null,
    createBroker: (): Broker => {
      throw new Error('not asked for here')
    },
    findConnectedBroker: (): Promise<Broker> => Promise.resolve(this.#broker as unknown as Broker),
  }

  readonly #broker = {
    describeConfigs: () => {
      this.asked++
      if ('errorType' in this.answer)
        return Promise.reject(Object.assign(new Error('refused'), { type: this.answer.errorType }))
      const entry = { configName: 'cleanup.policy', configValue: this.answer.policy }
      return Promise.resolve({ resources: [{ configEntries: [entry] }] })
    },
  }
}

function policiesOf(cluster: PolicyCluster): { policies: CleanupPolicies; clock: ManualClock } {
  const clock = new ManualClock()
  return { policies: new CleanupPolicies(cluster, clock, silentLogger), clock }
}

test.each(['compact', 'delete,compact', 'compact, delete'])(
  'what is missing from a topic with the policy %p was compacted',
  async (policy) => {
    const cluster = new PolicyCluster()
    cluster.answer = { policy }
    const { policies } = policiesOf(cluster)
    expect(await policies.explain('t', holes)).toEqual([holes[0], { ...holes[1], why: 'compacted' }])
  },
)

test('what is missing from a topic that is never compacted stays missing', async () => {
  const { policies } = policiesOf(new PolicyCluster())
  expect(await policies.explain('t', holes)).toEqual(holes)
})

test('a topic is asked for only where something is missing, and again after a minute', async () => {
  const cluster = new PolicyCluster()
  const { policies, clock } = policiesOf(cluster)
  await policies.explain('t', [holes[0]!])
  expect(cluster.asked).toBe(0)
  await policies.explain('t', holes)
  await policies.explain('t', holes)
  expect(cluster.asked).toBe(1)
  cluster.answer = { policy: 'compact' }
  await clock.advance(61_000)
  expect((await policies.explain('t', holes))[1]?.why).toBe('compacted')
})

test('where we may not ask nothing is claimed; where nobody answers it is asked again', async () => {
  const cluster = new PolicyCluster()
  const { policies } = policiesOf(cluster)
  cluster.answer = { errorType: 'REQUEST_TIMED_OUT' }
  await expect(policies.explain('t', holes)).rejects.toMatchObject({ code: 'ERR_BROKER' })
  cluster.answer = { errorType: 'TOPIC_AUTHORIZATION_FAILED' }
  expect(await policies.explain('t', holes)).toEqual(holes)
})
