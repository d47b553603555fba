import { spawnSync } from 'node:child_process'
import { expect, test } from '@jest/globals'

interface Verdict {
  readonly name: string
  readonly failing: number
  readonly isCaught: boolean
}

test.each([
  'acknowledged before the log is synced',
  'acknowledged before projection',
  'new log without directory sync',
  'direct content not synced before its frame',
  'checkpoint does not sync directories',
  'replaced files: no directory sync',
])(
  'the simulation notices a planted mistake: %s',
  (name) => {
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ['dev/crash-mutants.mjs', '--quick', '--json', '--workers', '1', '--seeds', '30', '--only', name],
      { encoding: 'utf8' },
    )
    if (!stdout.startsWith('[')) throw new Error(stderr)
    const verdicts = JSON.parse(stdout) as Verdict[]
    expect(verdicts.map(({ name: caught, isCaught }) => [caught, isCaught])).toEqual([[name, true]])
  },
  120_000,
)
