import { cp, mkdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { projectRoot } from './programs.ts'

export interface Instruction {
  readonly name: string
  /** What stands behind the name, continued lines joined. */
  readonly text: string
}

export interface Stage {
  readonly base: string
  readonly name: string | undefined
  readonly instructions: readonly Instruction[]
}

export async function readDockerfile(): Promise<readonly Stage[]> {
  const text = await readFile(join(projectRoot, 'Dockerfile'), 'utf8')
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
  const stages: { base: string; name: string | undefined; instructions: Instruction[] }[] = []
  for (const line of lines) {
    const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line.trim()) ?? []
    if (name === 'FROM') {
      const [, base = '', stage] = /^(\S+)(?:\s+AS\s+(\S+))?$/.exec(rest) ?? []
      stages.push({ base, name: stage, instructions: [] })
    } else {
      stages.at(-1)?.instructions.push({ name, text: rest })
    }
  }
  return stages
}

/** The exec form (a JSON array) of a stage's last instruction of that name. */
export function execForm(stage: Stage, name: string): readonly string[] {
  const text = stage.instructions.findLast((instruction) => instruction.name === name)?.text ?? ''
  return JSON.parse(text.slice(text.indexOf('['))) as string[]
}

export interface Copy {
  readonly fromStage: string | undefined
  readonly sources: readonly string[]
  readonly target: string
}

/** What a COPY says. */
export function copyOf({ text }: Instruction): Copy {
  const words = text.split(/\s+/)
  const paths = words.filter((word) => !word.startsWith('--'))
  return {
    fromStage: words.find((word) => word.startsWith('--from='))?.slice('--from='.length),
    sources: paths.slice(0, -1),
    target: paths.at(-1) ?? '',
  }
}

export function copiesOf(stage: Stage): readonly Copy[] {
  return stage.instructions.filter(({ name }) => name === 'COPY').map(copyOf)
}

/**
 * Does what a COPY does, without a container: a file goes under its own name into a target that ends with `/`,
 * a folder's contents and a single file become the target. `/app`, the working directory, is `into`.
 */
export async function carryOut(copy: Copy, folderOf: (stage: string | undefined) => string, into: string) {
  for (const source of copy.sources) {
    const from = join(folderOf(copy.fromStage), source.replace(/^\/app\//, ''))
    const keepsName = copy.target.endsWith('/') && !(await stat(from)).isDirectory()
    const to = keepsName ? join(into, copy.target, basename(source)) : join(into, copy.target)
    await mkdir(dirname(to), { recursive: true })
    await cp(from, to, { recursive: true, verbatimSymlinks: true })
  }
}
