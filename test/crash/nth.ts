/**
 * `node --import tsx test/crash/nth.ts [--only write,sync] [--shard 0/2] [--nth 12 --errno EIO --times once --end kill]`,
 * run by `dev/crash-nth.mjs`. The last line is JSON: how often each call had which outcome, and the failures.
 */
import { parseArgs } from 'node:util'
import { Coverage } from './coverage.ts'
import { changingCalls, errnos, failNth, nthCalls, type NthFailure } from './nth-operation.ts'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    shard: { type: 'string', default: '0/1' },
    nth: { type: 'string' },
    errno: { type: 'string' },
    times: { type: 'string' },
    end: { type: 'string' },
  },
})
const [shard, shards] = values.shard.split('/').map(Number) as [number, number]
const wanted = values.only?.split(',')
const unknown = wanted?.find((name) => !nthCalls.some((call) => call === name))
if (unknown !== undefined) {
  console.error(`no call "${unknown}"; calls: ${nthCalls.join(', ')}`)
  process.exit(2)
}
const calls = nthCalls.filter((call) => wanted?.includes(call) ?? true)
/** The run that is under way: a rejection that nobody hears is its. */
let current: NthFailure | undefined
const coverage = new Coverage()
const failures: string[] = []

process.on('unhandledRejection', (reason) => {
  fail(new Error(`a rejection that nobody hears: ${String(reason)}`))
})

function fail(error: unknown): void {
  const { call, nth, errno, times, end } = current as NthFailure
  const again = `--only ${call} --nth ${nth} --errno ${errno} --times ${times === 1 ? 'once' : 'ever'} --end ${end}`
  failures.push(`${error instanceof Error ? error.stack : String(error)}\n  npm run crash:nth -- ${again}`)
  console.error(`FAILED ${failures.at(-1)}`)
}

/** @returns whether the workload has so many calls */
async function play(failure: NthFailure): Promise<boolean> {
  current = failure
  try {
    if ((await failNth(failure, coverage)) === 'notReached') return false
  } catch (error) {
    fail(error)
  }
  // Rejections without a listener are told of at the end of a turn.
  await new Promise((resolve) => setImmediate(resolve))
  coverage.add('runs')
  return true
}

const seconds = (): string => (performance.now() / 1000).toFixed(0)

for (const call of calls) {
  // A short write is no error, and a call that only looks fails in the same way whatever its error is.
  const changes = changingCalls.some((one) => one === call)
  const told = errnos.filter((errno) =>
    values.errno === undefined ? changes || errno === 'EIO' : errno === values.errno,
  )
  for (const errno of told) {
    for (const times of [1, Infinity] as const) {
      if (values.times !== undefined && (times === 1) !== (values.times === 'once')) continue
      for (const end of ['kill', 'power'] as const) {
        if (values.end !== undefined && end !== values.end) continue
        if (values.nth !== undefined) await play({ call, nth: Number(values.nth), errno, times, end })
        else for (let nth = 1 + shard; await play({ call, nth, errno, times, end }); nth += shards);
      }
    }
  }
  console.error(`${seconds()} s: ${call} done, ${coverage.of('runs')} runs, ${failures.length} failures`)
}
console.log(JSON.stringify({ counts: Object.fromEntries(coverage.counts), failures }))
process.exitCode = failures.length === 0 ? 0 : 1
