const SHOWN_MAX = 200
/** As long as that only secrets, keys and paths are. */
const LOOKS_SECRET = /[A-Za-z0-9+/=_.~-]{16,}/g

/** The last line of what a foreign program or server said, without anything in it that could be a secret. */
export function masked(said: string): string {
  const last = said.trim().split('\n').at(-1) ?? ''
  return last.replace(LOOKS_SECRET, '***').slice(0, SHOWN_MAX)
}
