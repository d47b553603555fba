import { accessSync, constants, statSync, writeSync } from 'node:fs'

const MEMORY = '/dev/shm'

/**
 * A directory on another volume than `directory`; `undefined`, loudly, where there is none, and never under `CI=true`.
 * @throws {Error} under `CI=true` when there is none
 */
export function requireSecondVolume(directory: string): string | undefined {
  if (isOnOther(directory)) return MEMORY
  const message = `${MEMORY} is no other volume than ${directory}: the tests that need one were NOT RUN`
  if (process.env['CI'] === 'true') throw new Error(message)
  writeSync(2, `\n${message}\n`)
  return undefined
}

function isOnOther(directory: string): boolean {
  try {
    accessSync(MEMORY, constants.W_OK)
    return statSync(MEMORY).dev !== statSync(directory).dev
  } catch {
    return false
  }
}
