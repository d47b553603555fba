/** Installs the dependencies and builds `dist/`, each only where it is out of date. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot, run } from '../runner/command.mjs'
import { installDependencies } from '../runner/install.mjs'

const sources = ['src', 'tsconfig.json', 'tsconfig.build.json', 'node_modules/.package-lock.json']
const ticker = setInterval(() => console.log('… still at it'), 15_000)

function newestMs(path) {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return Infinity
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestMs(join(path, name))))
}

function isBuilt() {
  const built = statSync(join(projectRoot, 'dist/bundle/main.js'), { throwIfNoEntry: false })
  return built !== undefined && sources.every((name) => newestMs(join(projectRoot, name)) < built.mtimeMs)
}

try {
  await installDependencies()
  if (!isBuilt()) {
    console.log('npm run build …')
    const { ok, output } = await run('npm', ['run', '--silent', 'build'])
    if (!ok) throw new Error(`npm run build failed:\n${output}`)
  }
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  clearInterval(ticker)
}
