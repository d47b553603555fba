import type { JsonType } from './json-scan.ts'

/** Whether a text is a JSON pointer (RFC 6901): empty for the whole, else `/name/0/…` with `~1` for `/`, `~0` for `~`. */
export function isJsonPointer(text: string): boolean {
  return /^(?:\/(?:[^~/]|~[01])*)*$/.test(text)
}

/** What is at a pointer; `start` to `end` are its bytes. */
export interface Slot {
  type: JsonType | undefined
  start: number
  end: number
}

/** A place that pointers lead to or through. */
export interface PointerNode {
  readonly name: string
  readonly nameBytes: Uint8Array
  /** As an index of an array; -1 when the name is none. */
  readonly index: number
  readonly children: PointerNode[]
  readonly slots: Slot[]
}

export function rootNode(): PointerNode {
  return newNode('')
}

/** The place a pointer leads to, made where it is not there yet. */
export function nodeAt(root: PointerNode, pointer: string): PointerNode {
  return pointerNames(pointer).reduce(childOf, root)
}

function newNode(name: string): PointerNode {
  const index = /^(?:0|[1-9]\d{0,8})$/.test(name) ? Number(name) : -1
  return { name, nameBytes: Buffer.from(name), index, children: [], slots: [] }
}

function childOf(node: PointerNode, name: string): PointerNode {
  const known = node.children.find((child) => child.name === name)
  if (known !== undefined) return known
  const child = newNode(name)
  node.children.push(child)
  return child
}

/** Forgets what was found there and below. */
export function clear(node: PointerNode): void {
  for (const slot of node.slots) slot.type = undefined
  for (const child of node.children) clear(child)
}

function pointerNames(pointer: string): string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((name) => name.replaceAll('~1', '/').replaceAll('~0', '~'))
}
