// Writes CONFIGURATION.md from the schema.
import { writeFileSync } from 'node:fs'
import { register } from 'tsx/esm/api'

register()
const { renderConfigurationPage } = await import('../src/config/page.ts')
writeFileSync(new URL('../CONFIGURATION.md', import.meta.url), renderConfigurationPage())
