import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { projectRoot, runPythonTool } from './programs.ts'

/** Chart values and manifests have whatever shape YAML gave them. */
export type Tree = { readonly [key: string]: unknown }

const chartPath = join(projectRoot, 'helm', 'sediment')

/** The oldest Kubernetes the chart admits, and two later ones. */
const kubernetesVersions = ['1.27.0', '1.33.0', '1.37.0']

async function ask(request: Tree): Promise<unknown> {
  const ended = await runPythonTool('python', [join(projectRoot, 'test', 'deployment', 'chart-tool.py')], {
    input: JSON.stringify(request),
  })
  if (ended.code !== 0) throw new Error(`chart-tool.py: ${ended.stderr}`)
  return JSON.parse(ended.stdout)
}

interface LintReport {
  readonly messages: readonly { readonly severity: number; readonly error: string }[]
  readonly errors: readonly string[]
}

/** Findings of `helm lint --strict` above `info`. */
export async function lint(values: Tree): Promise<readonly string[]> {
  const report = (await ask({
    action: 'lint',
    chart: chartPath,
    values,
    kubeVersion: 'v1.33.0',
  })) as LintReport
  return [
    ...report.messages.filter(({ severity }) => severity > 1).map(({ error }) => error),
    ...report.errors,
  ]
}

export interface Rendered {
  /** The manifests as text, one file each; NOTES.txt is not among them. */
  readonly texts: readonly string[]
  readonly manifests: readonly Tree[]
  readonly notes: string
}

/** `helm template`. @throws {Error} with Helm's words when it refuses. */
export async function render(values: Tree): Promise<Rendered> {
  const request = { action: 'render', chart: chartPath, values, name: 'orders', namespace: 'settled' }
  const answer = (await ask(request)) as { files?: Record<string, string>; error?: string }
  if (answer.files === undefined) throw new Error(answer.error)
  const isNotes = (path: string) => path.endsWith('NOTES.txt')
  const files = Object.entries(answer.files)
  const texts = files.filter(([path, text]) => !isNotes(path) && text.trim() !== '').map(([, text]) => text)
  return {
    texts,
    manifests: texts.flatMap(manifestsOf),
    notes: files.find(([path]) => isNotes(path))?.[1] ?? '',
  }
}

/** Strict: a repeated key is an error, which Kubernetes itself lets pass. */
function manifestsOf(text: string): readonly Tree[] {
  const documents = parseAllDocuments(text)
  if (!Array.isArray(documents)) return []
  return documents.map((document) => {
    const [error] = document.errors
    if (error !== undefined) throw error
    return document.toJS() as Tree
  })
}

/** What the Kubernetes schemas of every version have against `texts`. */
export async function schemaFindings(texts: readonly string[]): Promise<readonly string[]> {
  const answer = (await ask({ action: 'validate', texts, versions: kubernetesVersions })) as {
    findings: string[]
  }
  return answer.findings
}

/** The value at a path of keys and indexes. @throws {Error} where there is none. */
export function at(tree: unknown, ...path: readonly (string | number)[]): unknown {
  let value = tree
  for (const step of path) {
    value = (value as Record<string | number, unknown> | undefined)?.[step]
    if (value === undefined)
      throw new Error(`nothing at ${path.join('.')}: ${JSON.stringify(tree).slice(0, 200)}`)
  }
  return value
}

export function treeAt(tree: unknown, ...path: readonly (string | number)[]): Tree {
  return at(tree, ...path) as Tree
}

export function treesAt(tree: unknown, ...path: readonly (string | number)[]): readonly Tree[] {
  return at(tree, ...path) as readonly Tree[]
}

/** The only manifest of a kind, or the one of that name. */
export function manifest(rendered: Rendered, kind: string, name?: string): Tree {
  const found = rendered.manifests.filter(
    (one) => one['kind'] === kind && (name === undefined || at(one, 'metadata', 'name') === name),
  )
  if (found.length !== 1 || found[0] === undefined)
    throw new Error(`${found.length} of ${kind} ${name ?? ''}`)
  return found[0]
}
