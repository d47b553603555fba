import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A copy of the engine and its simulation below a temporary directory, with the mutant's patches applied.
 * @param {string} root the project
 * @param {{ name: string, patches: readonly { file: string, find: string, put: string }[] }} mutant
 * @returns {{ root: string, remove: () => void }}
 * @throws when a patch does not apply exactly once
 */
export function mutatedCopy(root, mutant) {
  const copy = mkdtempSync(join(tmpdir(), 'sediment-mutant-'))
  const remove = () => rmSync(copy, { recursive: true, force: true })
  try {
    for (const path of ['src/base', 'src/fs', 'src/storage', 'test/crash', 'test/support']) {
      mkdirSync(join(copy, path), { recursive: true })
      cpSync(join(root, path), join(copy, path), { recursive: true })
    }
    cpSync(join(root, 'package.json'), join(copy, 'package.json'))
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'), 'dir')
    for (const { file, find, put } of mutant.patches) {
      const text = readFileSync(join(copy, file), 'utf8')
      const pieces = text.split(find)
      if (pieces.length !== 2) {
        throw new Error(`mutant '${mutant.name}': its text stands ${pieces.length - 1} times in ${file}`)
      }
      writeFileSync(join(copy, file), pieces.join(put))
    }
    return { root: copy, remove }
  } catch (error) {
    remove()
    throw error
  }
}
