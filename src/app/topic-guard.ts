import type { Logger } from '../base/logger.ts'
import { TopicEntries } from '../mapping/entry-conflicts.ts'
import type { ExistingEntry } from '../mapping/entry-names.ts'
import { createMapper } from '../mapping/mapper.ts'
import type { MappingRule } from '../mapping/rule.ts'
import type { RecordMapper } from '../sink/partition-state.ts'
import { mapperLog } from './mapper-log.ts'

/**
 * The mapping as a process uses it: it knows the entries and topics that the store has.
 * @param known - topics that the ledger has
 */
export function createRecordMapper(
  rules: readonly MappingRule[],
  existing: readonly ExistingEntry[],
  known: readonly string[],
  logger: Logger,
): RecordMapper {
  return guardTopics(createMapper(rules, { existing, observer: mapperLog(logger) }), rules, known, logger)
}

/**
 * Keeps topics that would meet in one entry apart: the one that comes later gets no mapper, so its partitions are
 * held. Topics that only may meet are kept apart by the mapper, message by message.
 *
 * @param known - topics that have records in the store already: they come first
 */
export function guardTopics(
  mapper: RecordMapper,
  rules: readonly MappingRule[],
  known: readonly string[],
  logger: Logger,
): RecordMapper {
  const entries = new TopicEntries(rules)
  const admitted = new Set(known)
  for (const topic of admitted) entries.add(topic)
  const refused = new Set<string>()
  const admit = (topic: string): void => {
    const conflict = entries.conflictsOf(topic).find(({ isCertain }) => isCertain)
    if (conflict === undefined) {
      entries.add(topic)
      admitted.add(topic)
    } else {
      refused.add(topic)
      logger.error({ topic, conflict }, 'topic would share an entry with another; give it a rule of its own')
    }
  }
  return {
    forPartition(topic, partition) {
      if (!admitted.has(topic) && !refused.has(topic)) admit(topic)
      return refused.has(topic) ? undefined : mapper.forPartition(topic, partition)
    },
  }
}
