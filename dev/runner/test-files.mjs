/** Which test file belongs to which group. Every file belongs to exactly one, so none is left out. */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from './command.mjs'

/** The first match wins; `unit` takes what nobody else took. */
const places = [
  ['deployment', /^test\/deployment\//],
  ['prometheus', /^test\/integration\/prometheus/],
  ['kafka', /^test\/integration\//],
  ['simulation', /^test\/crash\//],
  ['golden', /golden[^/]*(\/|\.test\.ts$)/],
  ['unit', /^/],
]

/**
 * @returns {Record<string, string[]>} paths of the test files from the project's root, sorted, by group.
 */
export function testFilesByGroup() {
  const groups = Object.fromEntries(places.map(([name]) => [name, []]))
  const files = readdirSync(join(projectRoot, 'test'), { recursive: true })
    .map((path) => `test/${path}`)
    .filter((path) => path.endsWith('.test.ts'))
    .sort()
  for (const file of files) groups[places.find(([, place]) => place.test(file))[0]].push(file)
  return groups
}
