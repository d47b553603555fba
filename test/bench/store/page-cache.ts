import { execFile } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const FILES_AT_ONCE = 500
const DROP = 'for file; do dd if="$file" iflag=nocache count=0 status=none || exit 1; done'

/** Lets the kernel forget these files alone, which must be synced. @returns whether that could be asked for */
export async function dropFromPageCache(files: readonly string[]): Promise<boolean> {
  try {
    for (let from = 0; from < files.length; from += FILES_AT_ONCE)
      await run('sh', ['-c', DROP, 'sh', ...files.slice(from, from + FILES_AT_ONCE)])
    return true
  } catch {
    return false
  }
}

export async function filesBelow(directory: string): Promise<string[]> {
  const items = await readdir(directory, { withFileTypes: true, recursive: true })
  return items
    .filter((item) => item.isFile())
    .map((item) => join(item.parentPath, item.name))
    .sort()
}
