import type { TargetObserver } from './entry-target.ts'

/** What the mapping tells the outside. Called synchronously; must not throw. */
export interface MapperObserver extends TargetObserver {
  /** A label of a partition has all the values that it may have; once each. */
  labelFull(event: {
    readonly topic: string
    readonly partition: number
    readonly label: string
    readonly valuesMax: number
  }): void
}

export const silentMapperObserver: MapperObserver = {
  entriesNearLimit() {},
  labelFull() {},
}
