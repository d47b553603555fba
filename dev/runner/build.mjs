/** `dist/`, made where it is missing or older than `src/`. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot, run } from './command.mjs'

function isBuilt() {
  const built = statSync(join(projectRoot, 'dist', 'bundle', 'main.js'), { throwIfNoEntry: false })
  if (built === undefined) return false
  const sources = readdirSync(join(projectRoot, 'src'), { recursive: true })
  return sources.every((path) => statSync(join(projectRoot, 'src', path)).mtimeMs <= built.mtimeMs)
}

/** Ends the process with the compiler's words when it cannot be built. */
export async function buildWhereStale() {
  if (isBuilt()) return
  console.log('building …')
  const built = await run('npm', ['run', '--silent', 'build'], { limitSeconds: 180 })
  if (built.ok) return
  console.error(built.output)
  process.exit(1)
}
