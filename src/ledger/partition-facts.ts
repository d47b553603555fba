/** Why a partition is held until a person accepts what has become of it in Kafka. */
export type HeldFor =
  | 'topic-recreated' // another topic has its name
  | 'log-truncated' // it was cut below what was read; or it ends there
  | 'ledger-behind' // this store has committed more than its ledger knows
  | 'deleted' // what comes next was deleted before it was read
  | 'undecodable' // the record batch that comes next is damaged; it is in quarantine
  | 'batch-too-large' // the record batch that comes next becomes more than is allowed; it is in quarantine

/** For the record batch that comes next. Such a hold ends by itself when the batch is decoded after all. */
export function isForBatch(reason: HeldFor): boolean {
  return reason === 'undecodable' || reason === 'batch-too-large'
}

/** A hold that outlives the process: what a person accepts. */
export interface HoldMark {
  readonly reason: HeldFor
  /**
   * `topic-recreated`: 0; `log-truncated`: where the log was cut, 0 when that is not known; `ledger-behind`: what was
   * committed; `deleted`: the first offset that is left; `undecodable`,
   * `batch-too-large`: one past the last offset of the batch.
   */
  readonly offset: number
}

/** What a partition is, beyond its name; in a step and in what is known after it. */
export interface PartitionFacts {
  /** As Kafka's tools print it. A step that does not say it leaves it as it was. */
  readonly topicId?: string | undefined
  /** Of the record batch that ends at the next offset; unknown after a step that goes on and does not say it. */
  readonly leaderEpoch?: number | undefined
  /** A step that does not say it ends it. */
  readonly hold?: HoldMark | undefined
}
