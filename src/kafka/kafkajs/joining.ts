import type { Logger } from '../../base/logger.ts'
import { isTransient, refusalOf } from './group-errors.ts'
import { errorText, type Broker, type Cluster } from './internals.ts'

const RETRY_MS = 250
const RETRY_MAX_MS = 2_000
/** A broker that has just begun to coordinate groups refuses this often as a matter of course. */
const ROUTINE_FAILURES = 3
const GROUP = 0

export interface JoinRetries {
  /** Resolves after `durationMs`, sooner when `isOver` may have changed. */
  readonly wait: (durationMs: number) => Promise<void>
  /** Whether nobody wants to be a member any more. */
  readonly isOver: () => boolean
  /** Told of each failure that is tried again. */
  readonly failed: (error: unknown) => void
  readonly logger: Logger
}

/**
 * Joins the group, again and again while brokers cannot be reached or have no coordinator for it: kafkajs gives up
 * after seconds.
 *
 * @throws what `join` throws where trying again would change nothing, or when it is over
 */
export async function joinPatiently(join: () => Promise<void>, retries: JoinRetries): Promise<void> {
  const { wait, isOver, failed, logger } = retries
  for (let failures = 0; ; failures++) {
    try {
      return await join()
    } catch (error) {
      if (isOver() || refusalOf(error) !== undefined || !isTransient(error)) throw error
      failed(error)
      const level = failures < ROUTINE_FAILURES ? 'debug' : 'warn'
      logger[level]({ error: errorText(error), failures }, 'the group could not be joined; trying again')
      await wait(Math.min(RETRY_MS * 2 ** failures, RETRY_MAX_MS))
      if (isOver()) throw error
    }
  }
}

/** Asks one broker, once; kafkajs' own asks for seconds, and then does not say what the broker said. */
export async function findCoordinator(cluster: Cluster, groupId: string): Promise<Broker> {
  const broker = await cluster.brokerPool.findConnectedBroker()
  const { coordinator } = await broker.findGroupCoordinator({ groupId, coordinatorType: GROUP })
  return cluster.findBroker(coordinator)
}
