import { loadCrc64 } from '../../src/base/crc64.ts'
import { fileSystemError } from '../../src/fs/node/system-error.ts'
import type { FailingCall } from '../support/simulated-disk.ts'
import type { Coverage } from './coverage.ts'
import { ScriptRun, named } from './script.ts'
import type { Session } from './session.ts'
import {
  DATA_PATH,
  ProcessEnded,
  SimulationFailure,
  StoreProcess,
  isHonestRefusal,
  requireReason,
} from './store-process.ts'

/** Calls that change the disk. A store that such a call fails for stops. */
export const changingCalls = [
  'write',
  'sync',
  'syncDirectory',
  'create',
  'rename',
  'unlink',
  'makeDirectory',
] as const satisfies readonly FailingCall[]
/** Calls that only look. A store may refuse what needed it and go on. */
export const lookingCalls = [
  'read',
  'fileBytes',
  'list',
  'lock',
  'freeSpace',
] as const satisfies readonly FailingCall[]
export type NthCall = (typeof changingCalls)[number] | (typeof lookingCalls)[number] | 'shortWrite'
export const nthCalls: readonly NthCall[] = [...changingCalls, ...lookingCalls, 'shortWrite']

export const errnos = ['EIO', 'ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EMFILE'] as const
export type Errno = (typeof errnos)[number]

export interface NthFailure {
  readonly call: NthCall
  /** Counted from the first open of an empty disk. */
  readonly nth: number
  readonly errno: Errno
  /** 1, or `Infinity`: from then on. */
  readonly times: number
  /** How the process ends that met it. */
  readonly end: 'kill' | 'power'
}

/** What a failure made of the workload. `notReached`: there are not so many calls. */
export type NthOutcome = 'notReached' | 'openRefused' | 'stopped' | 'refused' | 'closeRefused' | 'wentOn'

/** First life: from an empty disk to a kill, every kind of write, late ones, folds, checkpoints. */
const FIRST_LIFE = 'ABDWFLCWAFDCWALB'
/** Second life: recovery, reopened blocks, a clean stop. */
const SECOND_LIFE = 'ALWFDCA'

/**
 * Plays a workload over two processes in which the n-th call of a kind fails. Nothing is acknowledged after a failure
 * that stops the store, whatever is refused is refused with an error of its own, nothing hangs, the lock is given
 * back; and on a sound disk the next starts show everything acknowledged, once, and go on, also after a power cut.
 *
 * @throws {SimulationFailure}
 */
export async function failNth(failure: NthFailure, coverage: Coverage): Promise<NthOutcome> {
  await loadCrc64()
  const { call, nth, errno, times, end } = failure
  const run = new ScriptRun(nth, coverage)
  const { disk } = run
  if (call === 'shortWrite') disk.shortWriteNext({ nth, times })
  else {
    const { code } = fileSystemError(call, DATA_PATH, { code: errno })
    disk.failNext(call, { nth, times, code, kept: nth % 3 === 0 ? 'soup' : 'nothing' })
  }
  try {
    const outcome = await playLives(run)
    if (disk.failures === 0) return 'notReached'
    if (outcome === 'wentOn' && isChanging(call)) {
      // The directory above may be one that nobody may write, and then has nothing to make durable.
      if (call === 'syncDirectory' && errno === 'EROFS') return outcome
      throw new SimulationFailure('the store went on')
    }
    coverage.add(`${call}.${outcome}`)
    disk.clearFailures()
    await requireUnlocked(run)
    if (end === 'power') disk.cutPower({ seed: nth, garbage: run.tools.options.garbage })
    else disk.killProcess()
    await run.mend()
    // A directory that could not be synced is mended by the machine's next start only.
    if (call !== 'syncDirectory' || end === 'power') disk.cutPower({ seed: nth + 1 })
    else disk.killProcess()
    await run.mend()
    return outcome
  } catch (error) {
    throw named(error, JSON.stringify({ ...failure, times: String(times) }))
  }
}

function isChanging(call: NthCall): boolean {
  return changingCalls.some((one) => one === call)
}

async function playLives(run: ScriptRun): Promise<NthOutcome> {
  const first = await playLife(run, FIRST_LIFE, 'kill')
  return first === 'wentOn' ? playLife(run, SECOND_LIFE, 'close') : first
}

async function playLife(run: ScriptRun, script: string, last: 'kill' | 'close'): Promise<NthOutcome> {
  const process = new StoreProcess(run.tools, run.disk)
  let session: Session
  try {
    await process.open()
    session = run.begin(process)
  } catch (error) {
    requireHonest(error)
    requireReason(process, run.disk.failures > 0)
    return 'openRefused'
  }
  session.mayRefuse = true
  await run.act(process, session, script)
  requireReason(process, run.disk.failures > 0)
  if (process.poison !== undefined) {
    await session.endPoisoned()
    process.isDead = true
    return 'stopped'
  }
  if (last === 'kill' && session.refusal === undefined) {
    process.kill()
    return 'wentOn'
  }
  try {
    await process.run(process.storage.close())
  } catch (error) {
    requireHonest(error)
    return 'closeRefused'
  } finally {
    process.isDead = true
  }
  return session.refusal === undefined ? 'wentOn' : 'refused'
}

function requireHonest(error: unknown): void {
  if (error instanceof SimulationFailure || error instanceof ProcessEnded || !isHonestRefusal(error))
    throw error
}

/** Whoever gave up has given up the directory too. */
async function requireUnlocked({ disk }: ScriptRun): Promise<void> {
  const lock = disk.lock(`${DATA_PATH}/.sediment/lock`)
  if (lock === undefined) throw new SimulationFailure('the directory is still locked')
  await lock.release()
}
