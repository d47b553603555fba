import type { Logger } from '../../base/logger.ts'
import { errorText, type Broker, type ConsumerGroup } from './internals.ts'

export interface HeartbeatParts {
  /** What kafkajs would do; it takes a group without coordinator for a fault of its own, and ends. */
  readonly beat: () => Promise<void>
  /** Whether another coordinator is to be looked for after this failure of `beat`. */
  readonly isToLook: (error: unknown) => boolean
  readonly find: () => Promise<Broker>
  /** Resolves before another one is looked for. */
  readonly wait: () => Promise<void>
  readonly logger: Logger
}

/**
 * A heartbeat after which the membership lasts on, though the coordinator does not answer or a refused commit has let go of
 * it: another one is looked for, once; who beats next tries again.
 *
 * @throws what `beat` throws where no other coordinator helps
 */
export async function beatOrLook(
  group: Pick<ConsumerGroup, 'coordinator'>,
  { beat, isToLook, find, wait, logger }: HeartbeatParts,
): Promise<void> {
  if (group.coordinator !== null) {
    try {
      return await beat()
    } catch (error) {
      if (!isToLook(error)) throw error
      logger.warn({ error: errorText(error) }, 'the group coordinator does not answer; looking for it')
    }
  }
  await wait()
  try {
    group.coordinator = await find()
  } catch (error) {
    logger.warn({ error: errorText(error) }, 'the group coordinator was not found')
  }
}
