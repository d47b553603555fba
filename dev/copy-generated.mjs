/** `npm run build`: tsc takes the generated protobuf module for its types only; its code is copied into dist/. */
import { cpSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = join('storage', 'codec', 'generated')
for (const name of readdirSync(join(root, 'src', folder)).filter((file) => file.endsWith('.js'))) {
  cpSync(join(root, 'src', folder, name), join(root, 'dist', folder, name))
}
