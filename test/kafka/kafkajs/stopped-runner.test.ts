import { expect, it } from '@jest/globals'
import { createRequire } from 'node:module'
import { attach, harden, type GroupHooks } from '../../../src/kafka/kafkajs/hardening.ts'
import { RunnerClass, type Cluster, type Runner } from '../../../src/kafka/kafkajs/internals.ts'

const createFetchManager = createRequire(import.meta.url)(
  'kafkajs/src/consumer/fetchManager.js',
) as (options: {
  logger: unknown
  getNodeIds: () => readonly string[]
  fetch: (nodeId: string) => Promise<readonly unknown[]>
  handler: () => Promise<void>
}) => { start(): Promise<void>; stop(): Promise<void> }

const logger = { namespace: () => logger, debug() {}, info() {} }
const hooks: GroupHooks = {
  fetch: () => Promise.resolve(),
  joinAndSync: () => Promise.resolve(),
  heartbeat: () => Promise.resolve(),
}

it('fetch loops that are made for other brokers while the consumer stops end', async () => {
  harden()
  const cluster = { brokerPool: {} } as unknown as Cluster
  attach(cluster, hooks, undefined)
  const runner = { running: true, consumerGroup: { cluster }, logger } as unknown as Runner & {
    running: boolean
  }
  let nodeIds = ['1']
  let turns = 0
  const manager = createFetchManager({
    logger,
    getNodeIds: () => nodeIds,
    fetch: async (nodeId) => {
      turns += 1
      if (turns > 100) throw new Error('they turn for ever')
      if (runner.running) {
        // Seen by the next turn; by then the consumer has stopped.
        nodeIds = ['1', '2']
        runner.running = false
        return []
      }
      return RunnerClass.prototype.fetch.call(runner, nodeId)
    },
    handler: () => Promise.resolve(),
  })

  await expect(manager.start()).rejects.toThrow('the consumer has stopped')
  expect(turns).toBeLessThan(10)
})
