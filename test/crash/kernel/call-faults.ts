import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { judgeDirectory } from './judge-directory.ts'
import { KernelLife } from './life.ts'
import { command } from './scratch-disk.ts'

interface Recipe {
  readonly name: string
  /** What the engine runs under. */
  readonly under: readonly string[]
  /** `refuses`: the store stops with an error of its own. `dies`: the process, at once. */
  readonly then: 'refuses' | 'goesOn' | 'dies'
  /** The size of a file system in memory that the data lies on. */
  readonly placeBytes?: number
}

const inject = (calls: string, what: string): readonly string[] => [
  'strace',
  '-f',
  '-qq',
  '-o',
  '/dev/null',
  '-e',
  `trace=${calls}`,
  '-e',
  `inject=${calls}:${what}`,
]
const WRITES = 'pwrite64,pwritev,pwritev2'

/** Counts are of each thread: a fault that happens "once" may happen once in each of them. */
const recipes: readonly Recipe[] = [
  { name: 'the first sync fails', under: inject('fdatasync', 'error=EIO:when=1'), then: 'refuses' },
  { name: 'a sync fails', under: inject('fdatasync', 'error=EIO:when=9'), then: 'refuses' },
  { name: 'syncs fail from then on', under: inject('fdatasync', 'error=EIO:when=9+'), then: 'refuses' },
  { name: 'a sync finds no quota', under: inject('fdatasync', 'error=EDQUOT:when=12'), then: 'refuses' },
  { name: 'a directory sync fails', under: inject('fsync', 'error=EIO:when=3'), then: 'refuses' },
  { name: 'a write fails', under: inject(WRITES, 'error=EIO:when=20'), then: 'refuses' },
  { name: 'a write finds no space', under: inject(WRITES, 'error=ENOSPC:when=25'), then: 'refuses' },
  {
    name: 'writes find no space from then on',
    under: inject(WRITES, 'error=ENOSPC:when=30+'),
    then: 'refuses',
  },
  { name: 'a write finds the disk read-only', under: inject(WRITES, 'error=EROFS:when=35'), then: 'refuses' },
  { name: 'a rename fails', under: inject('rename', 'error=EIO:when=2'), then: 'refuses' },
  { name: 'an unlink fails', under: inject('unlink', 'error=EIO:when=2'), then: 'refuses' },
  { name: 'syncs are slow', under: inject('fdatasync', 'delay_enter=300ms:when=3+5'), then: 'goesOn' },
  { name: 'it is killed in a sync', under: inject('fdatasync', 'signal=SIGKILL:when=9'), then: 'dies' },
  { name: 'it is killed in a write', under: inject(WRITES, 'signal=SIGKILL:when=40'), then: 'dies' },
  { name: 'files may not grow beyond 150 kB', under: ['prlimit', '--fsize=150000'], then: 'refuses' },
  { name: 'the disk is full at 9 MB', under: [], then: 'refuses', placeBytes: 9_000_000 },
]

const HONEST = new Set(['ERR_POISONED', 'ERR_IO', 'ERR_NO_SPACE', 'ERR_READ_ONLY', 'ERR_TOO_MANY_FILES'])
const ACKNOWLEDGED_MIN = 60
const LIMIT_MS = 90_000
const PLACE_BYTES_LATER = 200_000_000

/** @throws {Error} the recipes that were not survived */
export async function failCalls(
  folder: string,
  log: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const broken: string[] = []
  for (const [index, recipe] of recipes.entries()) {
    if (signal.aborted) break
    const place = join(folder, `place-${index}`)
    mkdirSync(place, { recursive: true })
    if (recipe.placeBytes !== undefined)
      command('mount', '-t', 'tmpfs', '-o', `size=${recipe.placeBytes}`, 'none', place)
    try {
      log(`${recipe.name}: ${await follow(recipe, place, index + 1)}`)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      log(`FAILED ${recipe.name}: ${why}`)
      broken.push(`${recipe.name}: ${why}`)
    } finally {
      if (recipe.placeBytes !== undefined) command('umount', '-l', place)
      rmSync(place, { recursive: true, force: true })
    }
  }
  if (broken.length > 0) throw new Error(broken.join('\n'))
}

async function follow(recipe: Recipe, place: string, seed: number): Promise<string> {
  const order = { dataPath: join(place, 'data'), seed }
  const life = new KernelLife({ under: recipe.under })
  try {
    await life.untilSays('ready', LIMIT_MS)
    life.begin(order)
    if (recipe.then === 'goesOn') {
      await life.until(() => life.acknowledgements >= ACKNOWLEDGED_MIN, 'acknowledgements', LIMIT_MS)
      life.close()
    }
    await life.until(() => life.hasEnded, 'end', LIMIT_MS)
  } finally {
    await life.kill()
  }
  const { promised, acknowledgements } = life
  const end = requireEnd(recipe, life)
  if (recipe.placeBytes !== undefined) command('mount', '-o', `remount,size=${PLACE_BYTES_LATER}`, place)
  const found = await judgeDirectory(order, promised)
  return `${end}, ${acknowledgements} submissions acknowledged, ${found.join('+')} offsets found`
}

/** @returns how it ended. @throws {Error} when it should have ended in another way */
function requireEnd({ then }: Recipe, { said, errors }: KernelLife): string {
  const last = said.at(-1)
  const refusal = said.find((says) => says.kind === 'refused')
  if (then === 'refuses') {
    if (refusal === undefined) throw new Error(`it did not refuse: ${JSON.stringify(last)} ${errors}`)
    if (!HONEST.has(refusal.code)) throw new Error(`${refusal.code}: ${refusal.text}`)
    return refusal.code
  }
  if (refusal !== undefined) throw new Error(`it refused: ${refusal.code} ${refusal.text}`)
  if (then === 'dies') {
    if (last?.kind === 'closed') throw new Error('it lived on')
    return 'died'
  }
  if (last?.kind !== 'closed') throw new Error(`it did not close: ${JSON.stringify(last)} ${errors}`)
  if (last.openFiles.length > 0) throw new Error(`still open: ${last.openFiles.join(', ')}`)
  return 'went on'
}
