/** One thing wrong with the configuration. */
export interface ConfigProblem {
  /** Such as `kafka.groupId` or `mapping.rules[1].entry`; empty when the source as a whole is unusable. */
  readonly key: string
  /** As written, `***` for secrets; `undefined` when there is none or it must not be shown. */
  readonly value: string | undefined
  /** What may stand there. */
  readonly allowed: string
  /** Such as `file sediment.yaml`, `variable SEDIMENT_LOG_LEVEL`, `flag --set log.level`, `default`. */
  readonly source: string
}

/** Everything that is wrong with the configuration, at once: one line of the message a problem. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
  readonly code = 'ERR_CONFIG'
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(problemLine).join('\n'))
    this.problems = problems
  }
}

function problemLine({ key, value, allowed, source }: ConfigProblem): string {
  const subject = [key, value].filter((part) => part !== undefined && part !== '').join(' = ')
  return `${subject === '' ? source : `${subject} (${source})`}: ${allowed}`
}
