import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { carryOut, copiesOf, copyOf, execForm, readDockerfile, type Stage } from './dockerfile.ts'
import { projectRoot, run, runPythonTool } from './programs.ts'

let stages: readonly Stage[]
let scratch: string

beforeAll(async () => {
  stages = await readDockerfile()
  scratch = await mkdtemp(join(tmpdir(), 'sediment-image-'))
})

afterAll(() => rm(scratch, { recursive: true, force: true }))

const lastStage = () => stages.at(-1) as Stage
const textOf = (name: string) =>
  lastStage().instructions.find((instruction) => instruction.name === name)?.text

describe('the Dockerfile', () => {
  it('is clean to hadolint, which refuses a careless one', async () => {
    expect(await runPythonTool('hadolint', ['Dockerfile'])).toMatchObject({ code: 0, stdout: '' })
    const careless = join(scratch, 'Dockerfile')
    await writeFile(careless, 'FROM node:latest\nRUN cd /app && sudo npm ci\n')
    expect((await runPythonTool('hadolint', [careless])).code).not.toBe(0)
  })

  it('builds on one pinned Node 24', () => {
    expect(stages).toHaveLength(2)
    for (const { base } of stages) expect(base).toMatch(/^node:24\.\d+\.\d+-bookworm-slim$/)
    expect(new Set(stages.map(({ base }) => base)).size).toBe(1)
  })

  it('runs as a numeric user that is not root, with /data as its volume', () => {
    expect(textOf('USER')).toBe('1000:1000')
    expect(textOf('VOLUME')).toBe('/data')
    expect(textOf('ENV')).toContain('UV_THREADPOOL_SIZE=16')
    expect(textOf('STOPSIGNAL')).toBe('SIGTERM')
    expect(textOf('EXPOSE')).toBe('8383')
  })

  it('copies only what is there and what .dockerignore lets through', async () => {
    const ignore = (await readFile(join(projectRoot, '.dockerignore'), 'utf8')).split('\n')
    expect(ignore).toContain('*')
    const sources = stages.flatMap((stage) =>
      copiesOf(stage).filter(({ fromStage }) => fromStage === undefined),
    )
    const paths = sources.flatMap((copy) => copy.sources)
    expect(paths.length).toBeGreaterThan(5)
    for (const path of paths) {
      expect([path, existsSync(join(projectRoot, path))]).toEqual([path, true])
      expect(ignore).toContain(`!${path}`)
    }
  })

  it('has a health check that follows what /livez says', async () => {
    let status = 200
    const server = createServer((request, response) => {
      response.writeHead(request.url === '/livez' ? status : 404).end()
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      const [command = '', ...args] = execForm(lastStage(), 'HEALTHCHECK')
      const port = String((server.address() as AddressInfo).port)
      const check = () => run(command, args, { environment: { SEDIMENT_HTTP_PORT: port } })
      expect((await check()).code).toBe(0)
      status = 503
      expect((await check()).code).toBe(1)
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      expect((await check()).code).toBe(1)
    } finally {
      server.closeAllConnections()
    }
  })

  it('gives a program that starts without development packages', async () => {
    const folders = new Map<string | undefined, string>([[undefined, projectRoot]])
    for (const stage of stages) {
      const folder = join(scratch, stage.name ?? 'image')
      folders.set(stage.name ?? 'image', folder)
      for (const instruction of stage.instructions) {
        if (instruction.name === 'COPY') {
          await carryOut(copyOf(instruction), (name) => folders.get(name) ?? '', folder)
        } else if (instruction.name === 'RUN' && stage.name !== undefined) {
          const { code, stdout, stderr } = await run('sh', ['-ec', instruction.text], {
            directory: folder,
            environment: { npm_config_prefer_offline: 'true' },
          })
          expect({ run: instruction.text, code, said: code === 0 ? '' : stdout + stderr }).toEqual({
            run: instruction.text,
            code: 0,
            said: '',
          })
        }
      }
    }
    const image = folders.get('image') ?? ''
    expect(existsSync(join(image, 'node_modules', 'typescript'))).toBe(false)
    const [command = '', ...args] = execForm(lastStage(), 'ENTRYPOINT').map((word) =>
      word.replace(/^\/app/, image),
    )
    const [subcommand = '', ...options] = execForm(lastStage(), 'CMD')
    const help = await run(command, [...args, subcommand, '--help'], { directory: scratch })
    expect([help.code, help.stderr]).toEqual([0, ''])
    for (const option of options.filter((word) => word.startsWith('--')))
      expect(help.stdout).toContain(option)
    const config = options[options.indexOf('--config') + 1]?.replace(/^\/app/, image) ?? ''
    const checked = await run(command, [...args, 'config', 'check', '--config', config], {
      directory: scratch,
    })
    expect([checked.code, checked.stderr]).toEqual([0, ''])
  }, 180_000)
})
