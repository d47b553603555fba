import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { projectRoot, run, runPythonTool, type Ended } from './programs.ts'

export interface Service {
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly ports?: readonly string[]
  readonly stop_grace_period: string
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
}

/** docker-compose.yml as it stands. */
export async function composeServices(): Promise<Readonly<Record<string, Service>>> {
  const text = await readFile(join(projectRoot, 'docker-compose.yml'), 'utf8')
  return (parse(text) as { services: Record<string, Service> }).services
}

export function service(services: Readonly<Record<string, Service>>, name: string): Service {
  const found = services[name]
  if (found === undefined) throw new Error(`no service ${name}`)
  return found
}

/** The file of the checkout that a service sees at `target`. */
export function mountedFile(one: Service, target: string): string {
  const mount = one.volumes?.map((volume) => volume.split(':')).find(([, path]) => path === target)
  if (mount?.[0]?.startsWith('./') !== true)
    throw new Error(`nothing of the checkout is mounted at ${target}`)
  return join(projectRoot, mount[0])
}

/**
 * `docker compose config` on a file, by Compose itself: the plugin's binary runs without Docker. The wrapper that
 * the package installs beside it would hide its exit code.
 *
 * @param home a folder for its settings, so that the user's own are neither read nor written
 */
export async function composeConfig(file: string, home: string): Promise<Ended> {
  const located = await runPythonTool('python', [
    '-c',
    'import compose, os; print(os.path.join(os.path.dirname(compose.__file__), "docker-compose"))',
  ])
  return run(located.stdout.trim(), ['-f', file, 'config', '--quiet'], {
    environment: { DOCKER_CONFIG: home, HOME: home },
  })
}

/** Compose's durations, such as `1m30s`, in milliseconds. */
export function durationMs(text: string): number {
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }
  const parts = [...text.matchAll(/(\d+)(ms|s|m|h)/g)]
  if (parts.map(([whole]) => whole).join('') !== text || text === '') throw new Error(`no duration: ${text}`)
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (units[unit] ?? 0), 0)
}
