import { execFile, type ExecFileException } from 'node:child_process'
import { TokenError } from '../../kafka/security/token.ts'
import { masked } from './masked.ts'

const OUTPUT_BYTES_MAX = 64 * 1024

/**
 * What a command prints. It runs without a shell and without our variables, which may hold secrets; it is killed after
 * `timeoutMs`, or when it prints too much.
 * @throws {TokenError} which shows nothing of what it printed to standard output
 */
export function runTokenCommand(
  [program = '', ...args]: readonly string[],
  timeoutMs: number,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('SEDIMENT_')))
  return new Promise((resolve, reject) => {
    const options = {
      timeout: timeoutMs,
      killSignal: 'SIGKILL',
      maxBuffer: OUTPUT_BYTES_MAX,
      env: own,
    } as const
    const child = execFile(program, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout)
      else
        reject(new TokenError(`kafka.sasl.oauth.tokenCommand (${program}) ${why(error, stderr, timeoutMs)}`))
    })
    child.stdin?.on('error', () => {}).end()
  })
}

function why({ code, killed }: ExecFileException, stderr: string, timeoutMs: number): string {
  if (code === 'ENOENT') return 'is not there'
  if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return `prints more than ${OUTPUT_BYTES_MAX} bytes`
  if (killed === true) return `has not ended within ${timeoutMs} ms`
  const said = masked(stderr)
  const how = typeof code === 'number' ? `ended with ${code}` : `could not be run (${code ?? 'killed'})`
  return said === '' ? how : `${how}: ${said}`
}
