import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** CPU seconds of a process so far, user and system, all its threads; `undefined` once it has gone. */
export function cpuSeconds(pid: number): number | undefined {
  const text = procFile(pid, 'stat')
  if (text === undefined) return undefined
  // The second field is the program's name in parentheses and may hold blanks.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

/** The most memory a process has had resident, in bytes; `undefined` once it has gone. */
export function peakRssBytes(pid: number): number | undefined {
  const found = /^VmHWM:\s+(\d+) kB$/m.exec(procFile(pid, 'status') ?? '')
  return found === null ? undefined : Number(found[1]) * 1024
}

function procFile(pid: number, name: string): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return undefined
  }
}
