import type { Logger } from '../base/logger.ts'
import type { MapperObserver } from '../mapping/mapper-observer.ts'

/** Says what a rule is about to run out of. */
export function mapperLog(logger: Logger): MapperObserver {
  return {
    entriesNearLimit: (facts) =>
      logger.warn(facts, 'a rule has made most of the entries that it may make: see entries.max'),
    labelFull: (facts) =>
      logger.warn(
        facts,
        'a label has all the values that it may have: other values are kept, but not as this label',
      ),
  }
}
