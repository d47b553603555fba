/** What becomes of the messages of a topic. First rule that matches wins. All pure data, from the configuration. */
export interface MappingRule {
  /** Topic names, or regular expressions written `/…/`. */
  readonly topics: readonly string[]
  readonly exclude: readonly string[]
  readonly bucket: string
  /** `{topic}` and `{partition}`, `{key}`, `{header:NAME}`; segments separated by `/`. */
  readonly entry: string
  readonly contentType: string
  readonly labels: {
    readonly constants: Readonly<Record<string, string>>
    /** Headers that become labels; `*` for all. */
    readonly headers: readonly string[]
    /** The key as label `key` where it is printable ASCII. */
    readonly key: boolean
  }
  readonly timestamp: {
    /** Record times outside are replaced by the arrival time. */
    readonly minMs: number
    /** How far a record may be ahead of its arrival. */
    readonly aheadMsMax: number
  }
  /** Of the bucket, where it is made new; `null`: as every new bucket. */
  readonly limits: {
    /** `none`, or `fifo:` or `hard:` and bytes. */
    readonly quota: string | null
    readonly blockBytesMax: number | null
    readonly blockRecordsMax: number | null
  }
}
