/** Makes `node_modules` what package-lock.json says. */
import { lstatSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot, run } from './command.mjs'

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(join(projectRoot, file), 'utf8')).packages
  } catch {
    return undefined
  }
}

/**
 * Why `node_modules` does not match the lock file, or undefined when it does. npm writes its own record of what
 * it installed last, at the end of an install, so an interrupted one counts as missing. Optional packages of
 * other platforms may be absent.
 */
function staleness() {
  const installed = packagesOf('node_modules/.package-lock.json')
  if (installed === undefined) return 'node_modules is missing'
  const locked = packagesOf('package-lock.json')
  for (const [path, entry] of Object.entries(locked ?? {})) {
    const found = installed[path]
    if (path === '' || (found === undefined && entry.optional === true)) continue
    if (found?.version !== entry.version) return `${path} should be ${entry.version}`
  }
  for (const path of Object.keys(installed)) {
    if (locked?.[path] === undefined) return `${path} is not in package-lock.json`
  }
  return undefined
}

/** Runs `npm ci` where needed, with one more try when a download failed. Throws with npm's words. */
export async function installDependencies() {
  const reason = staleness()
  if (reason === undefined) return
  // npm would empty the directory behind the link, under whoever else uses it.
  if (lstatSync(join(projectRoot, 'node_modules'), { throwIfNoEntry: false })?.isSymbolicLink())
    throw new Error(`node_modules is a link, and ${reason}: run npm ci where it leads to`)
  console.log(`npm ci (${reason}) …`)
  let result = await run('npm', ['ci', '--no-audit', '--no-fund'])
  if (!result.ok) {
    console.log('npm ci failed, trying once more …')
    result = await run('npm', ['ci', '--no-audit', '--no-fund'])
  }
  if (!result.ok) throw new Error(`npm ci failed:\n${result.output}`)
  console.log(`npm ci: ${result.seconds.toFixed(0)} s`)
}
